#!/usr/bin/env python3
"""Through transformers and back, for every family: is what goes in and what comes out the same model?

    python Scripts/roundtrip-transformers.py [--vitrail PATH] [--only NAME] [--pretrained FOLDER]   # torch, transformers, Pillow

For each family a small random model is saved by transformers, opened and trained for one step by vitrail, exported, and opened by
transformers again: with no missing and no unexpected key, and −log p of every answer token equal to vitrail's own within
float32 noise (1e-4; the logits differ by some 1e-6). A pretrained decoder's folder is tuned for 200 steps instead. Prints a table; exit code 1 when a family fails.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import (AutoModelForCausalLM, AutoModelForImageTextToText, CLIPConfig, CLIPModel, CLIPVisionConfig,
                          CLIPVisionModel, LlamaConfig, LlavaConfig, MistralConfig, Qwen2Config, Qwen3Config,
                          SiglipConfig, SiglipModel, SiglipVisionConfig, SiglipVisionModel)

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "Models" / "pebble"
IMAGE_TOKEN = json.loads((TOKENIZER / "config.json").read_text())["image_token_index"]
SIDE = 32
TEXT = dict(vocab_size=512, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=None)
TOWER = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=SIDE, patch_size=8)
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def decoder(config_class, **extra):
    return lambda: AutoModelForCausalLM.from_config(config_class(**TEXT, **extra))


def llava(vision, text, **extra):
    return lambda: AutoModelForImageTextToText.from_config(LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE_TOKEN, image_token_id=IMAGE_TOKEN, **extra))


clip, siglip = CLIPVisionConfig(**TOWER), SiglipVisionConfig(**TOWER, vision_use_head=False)
full = dict(vision_feature_select_strategy="full", vision_feature_layer=-1)
FAMILIES = {
    "LlamaForCausalLM": decoder(LlamaConfig),
    "Llama, tied, llama3 rope": decoder(LlamaConfig, tie_word_embeddings=True, rope_parameters={
        "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}),
    "MistralForCausalLM": decoder(MistralConfig, sliding_window=None),
    "Qwen2ForCausalLM": decoder(Qwen2Config),
    "Qwen3ForCausalLM": decoder(Qwen3Config, head_dim=16),
    "Llava: CLIP, Llama": llava(clip, LlamaConfig(**TEXT)),
    "Llava: CLIP, Mistral": llava(clip, MistralConfig(**TEXT, sliding_window=None)),
    "Llava: CLIP, Qwen2": llava(clip, Qwen2Config(**TEXT)),
    "Llava: SigLIP, Llama": llava(siglip, LlamaConfig(**TEXT), **full),
    "Llava: SigLIP, Qwen3": llava(siglip, Qwen3Config(**TEXT, head_dim=16), **full),
}
# Towers are joined with a decoder by a fresh projector: (what holds the tower, its parameters' prefix there).
TOWERS = {
    "CLIPVisionModel + Llama": lambda: CLIPVisionModel(clip),
    "CLIPModel + Llama": lambda: CLIPModel(CLIPConfig(vision_config=TOWER, text_config=dict(hidden_size=32, num_hidden_layers=1))),
    "SiglipVisionModel + Llama": lambda: SiglipVisionModel(SiglipVisionConfig(**TOWER)),
    "SiglipModel + Llama": lambda: SiglipModel(SiglipConfig(vision_config=TOWER, text_config=dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2))),
}


def save(model, folder):
    torch.manual_seed(7)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder)
    processor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "resample": 3,
                 "crop_size": {"height": SIDE, "width": SIDE}, "do_resize": True, "do_center_crop": True,
                 "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": MEAN,
                 "image_std": STD, "do_convert_rgb": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def data(folder, pictures):
    rng = np.random.default_rng(3)
    lines = []
    for index in range(4):
        question = f"What is the color of shape number {index}?"
        record = {"id": str(index), "conversations": [
            {"from": "human", "value": ("<image>\n" if pictures else "") + question},
            {"from": "gpt", "value": f"A large red circle, and {index} small stars."}]}
        if pictures:
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / f"{index}.png")
            record["image"] = f"{index}.png"
        lines.append(json.dumps(record))
    (folder / "data.jsonl").write_text("\n".join(lines) + "\n")


def run(*command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError((result.stderr or result.stdout).strip().splitlines()[0])
    return result.stdout


def losses(model, score, folder):
    """−log p of the same tokens by transformers."""
    ids = torch.tensor([score["ids"]])
    inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids))
    picture = folder / f"{score['id']}.png"
    if picture.exists():
        pixels = np.asarray(Image.open(picture), dtype=np.float32) / 255
        pixels = (pixels - np.float32(MEAN)) / np.float32(STD)
        if json.loads((folder / "out" / "preprocessor_config.json").read_text())["image_mean"] == [0.5, 0.5, 0.5]:
            pixels = (np.asarray(Image.open(picture), dtype=np.float32) / 255 - 0.5) / 0.5
        inputs["pixel_values"] = torch.tensor(pixels.transpose(2, 0, 1))[None]
    with torch.no_grad():
        log = torch.log_softmax(model(**inputs).logits[0].double(), -1)
    return [-float(log[place - 1, ids[0, place]]) for place in score["places"]]


def attempt(vitrail, name, folder):
    joined = name in TOWERS
    pictures = joined or name.startswith("Llava")
    data(folder, pictures)
    if joined:
        save(TOWERS[name](), folder / "tower")
        save(FAMILIES["LlamaForCausalLM"](), folder / "decoder")
        model = f"{{vision: {folder}/tower, language: {folder}/decoder, projector: mlp2x_gelu}}"
        parts = "[vision, projector, language]"
    elif name not in FAMILIES:
        shutil.copytree(name, folder / "model", copy_function=shutil.copyfile)
        model, parts = folder / "model", "[language]"
    else:
        save(FAMILIES[name](), folder / "model")
        model = folder / "model"
        parts = "[vision, projector, language]" if pictures else "[language]"
    (folder / "recipe.yaml").write_text(
        f"model: {model}\nseed: 1\nstages:\n  - name: one\n    train: {parts}\n    data: [{folder}/data.jsonl]\n"
        f"    template: vicuna_v1\n    learning_rate: 1.0e-3\n    batch_size: 4\n    steps: {1 if joined or name in FAMILIES else 200}\n")
    run(vitrail, "train", folder / "recipe.yaml", "--set", "stages.one.learning_rate={peak: 1.0e-3, warmup: 0}",
        "--output", folder / "run")
    run(vitrail, "export", folder / "run", folder / "out")
    kind = AutoModelForImageTextToText if pictures else AutoModelForCausalLM
    model, info = kind.from_pretrained(folder / "out", output_loading_info=True, dtype=torch.float32)
    scores = [json.loads(line) for line in run(
        vitrail, "score", folder / "out", "--data", folder / "data.jsonl", "--tokens", "--template", "vicuna_v1").splitlines()]
    worst = max(abs(a - b) for score in scores[:-1] for a, b in zip(score["losses"], losses(model.eval(), score, folder)))
    return len(info["missing_keys"]), len(info["unexpected_keys"]), worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vitrail", default=ROOT / ".build/release/vitrail")
    parser.add_argument("--only", default="")
    parser.add_argument("--pretrained", default=ROOT.parent / "shared/data/stories260K", type=pathlib.Path)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    print(f"{'family':28} missing unexpected  worst |−log p|")
    failed = 0
    pretrained = [str(options.pretrained)] if options.pretrained.exists() else []
    for name in [*FAMILIES, *TOWERS, *pretrained]:
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                missing, unexpected, worst = attempt(options.vitrail, name, pathlib.Path(folder))
                good = missing == 0 and unexpected == 0 and worst < 1e-4
                print(f"{pathlib.Path(name).name:28} {missing:7} {unexpected:10}  {worst:.1e}  {'ok' if good else 'WRONG'}")
            except Exception as error:
                good = False
                print(f"{pathlib.Path(name).name:28} {type(error).__name__}: {error}")
            failed += not good
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
