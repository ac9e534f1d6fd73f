"""Adapters between vitrail and the peft package, both ways, on one small language model.

    python peft_round_trip.py --vitrail .build/release/vitrail --work /tmp/peft

For every method that both know: peft writes an adapter with random values, vitrail merges it (or answers with it) and
transformers must compute the same; vitrail trains an adapter, peft opens it without a missing or unexpected key, and
its logits must equal those of vitrail's merged model. Needs: torch, transformers, peft, safetensors.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import warnings

import torch
import transformers
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, VeraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

warnings.filterwarnings("ignore")
transformers.utils.logging.disable_progress_bar()
parser = argparse.ArgumentParser()
parser.add_argument("--vitrail", required=True)
parser.add_argument("--tokenizer", default="Models/pebble")
parser.add_argument("--work", required=True)
options = parser.parse_args()
work = pathlib.Path(options.work)
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
torch.manual_seed(1)


def run(*words):
    result = subprocess.run([options.vitrail, *map(str, words)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"vitrail {' '.join(map(str, words))}\n{result.stderr}")
    return result.stdout


base = work / "base"
vocabulary = json.loads((pathlib.Path(options.tokenizer) / "config.json").read_text())["text_config"]["vocab_size"]
config = LlamaConfig(vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=256)
LlamaForCausalLM(config).save_pretrained(base)
for name in ("tokenizer.json", "tokenizer_config.json"):
    shutil.copy(pathlib.Path(options.tokenizer) / name, base / name)
ids = torch.tensor([[1, 17, 40, 200, 31, 5, 77]])


def fresh():
    return AutoModelForCausalLM.from_pretrained(base).eval()


def logits(model):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


both = ["q_proj", "v_proj", "down_proj"]
METHODS = {
    "lora": (LoraConfig(r=4, lora_alpha=8, target_modules=both), "{method: lora, rank: 4, alpha: 8}"),
    "rslora": (LoraConfig(r=4, lora_alpha=8, target_modules=both, use_rslora=True),
               "{method: lora, rank: 4, rslora: true, targets: [query, down]}"),
    "dora": (LoraConfig(r=4, lora_alpha=8, target_modules=both, use_dora=True), "{method: lora, rank: 4, dora: true}"),
    "patterns": (LoraConfig(r=4, lora_alpha=8, target_modules=both, rank_pattern={"v_proj": 2},
                            alpha_pattern={"layers.1.self_attn.q_proj": 4}),
                 "{method: lora, rank: 4, rank_pattern: {value: 2}, alpha_pattern: {query: 3}}"),
    "pissa": (LoraConfig(r=4, lora_alpha=8, target_modules=both, init_lora_weights=False),
              "{method: lora, rank: 4, init: pissa}"),
    "ia3": (IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]), "ia3"),
    "vera": (VeraConfig(r=16, target_modules=["q_proj", "v_proj"], save_projection=True),
             "{method: vera, rank: 16, targets: [query, value]}"),
    "qlora": (None, "{method: qlora, rank: 4}"),
    "prompt": (PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3), "{method: prompt, tokens: 3}"),
    "prefix": (PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3), "{method: prefix, tokens: 3}"),
    "ptuning": (None, "{method: ptuning, tokens: 3, hidden: 16}"),
}
(work / "text.txt").write_text("\n".join(f"line {i} of a small text about colors" for i in range(64)) + "\n")
failures = 0


def report(name, way, difference, scale):
    global failures
    good = difference <= 2e-5 * scale
    failures += not good
    print(f"{name:10} {way:24} largest difference {difference:.2e} of {scale:.2f}  {'ok' if good else 'WRONG'}", flush=True)


for name, (config, recipe) in METHODS.items():
    if config is not None:
        model = get_peft_model(fresh(), config)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += 0.1 * torch.randn_like(parameter)
        model.eval().save_pretrained(work / name / "peft")
        expected = logits(model)[:, -ids.shape[1]:]
        if name in ("prompt", "prefix"):
            run("adapter", "info", work / name / "peft", "--model", base)
        else:
            run("adapter", "merge", work / name / "peft", "--model", base, "--output", work / name / "merged")
            found = logits(AutoModelForCausalLM.from_pretrained(work / name / "merged").eval())
            report(name, "peft -> vitrail", (found - expected).abs().max().item(), expected.abs().max().item())

    (work / name).mkdir(exist_ok=True)
    path = work / name / "recipe.yaml"
    path.write_text(f"""model: {base}
seed: 3
stages:
  - name: tune
    objective: language
    tune: {{language: {recipe}}}
    data: [{work}/text.txt]
    learning_rate: 1.0e-2
    batch_size: 8
    steps: 8
""")
    run("train", path, "--output", work / name / "run")
    adapter = work / name / "run/adapters/tune"
    opened = PeftModel.from_pretrained(fresh(), adapter).eval()
    saved = load_file(adapter / "adapter_model.safetensors")
    again = work / name / "again"
    opened.save_pretrained(again)
    rewritten = load_file(again / "adapter_model.safetensors")
    same = saved.keys() == rewritten.keys() and all(torch.equal(saved[key], rewritten[key]) for key in saved)
    if not same:
        failures += 1
        print(f"{name:10} peft saves other tensors than it read: {sorted(saved.keys() ^ rewritten.keys())[:4]}")
    # Under qlora the base was rounded, so logits differ by what was rounded away.
    if name not in ("prompt", "prefix", "ptuning", "qlora"):
        expected = logits(opened)
        found = logits(AutoModelForCausalLM.from_pretrained(work / name / "run/final").eval())
        report(name, "vitrail -> peft", (found - expected).abs().max().item(), expected.abs().max().item())
    else:
        print(f"{name:10} {'vitrail -> peft':24} {'opens, same tensors' if same else 'WRONG'}")
sys.exit(1 if failures else 0)
