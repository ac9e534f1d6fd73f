"""Small models with what PyTorch and transformers compute with them, for Tests/VisionLanguageTests/Fixtures.

    python Scripts/reference/make_model_fixtures.py [FOLDER]      # torch, transformers, safetensors

Six folders in the form that the tests read (the larger ones beside the repository have it too): a CLIP and a SigLIP tower, a Llama,
a Qwen2, a Mistral (with a sliding window) and a GPT-2 decoder (hidden states, logits, gradients, greedy and beam search), and a whole LLaVA with 40 steps of two-stage training.
Tolerances are 1e-5 of a tensor's largest value forward and 3e-5 for gradients: some ten times float32's own error here.
"""
import json
import math
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import (CLIPVisionConfig, CLIPVisionModel, GPT2Config, GPT2LMHeadModel, LlamaConfig,
                          LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration, MistralConfig,
                          MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, SiglipVisionConfig,
                          SiglipVisionModel, get_cosine_schedule_with_warmup)

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "Tests/VisionLanguageTests/Fixtures")
VISION = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=7)
TEXT = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            vocab_size=72, max_position_embeddings=128, bos_token_id=None, eos_token_id=None, pad_token_id=None)
torch.set_num_threads(1)


def lively(model):
    """Weights large enough that a mistake anywhere shows."""
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and not any(part in name for part in ("embed_tokens", "wte", "wpe")):
            torch.nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()))
        elif weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.5)
        elif ("norm" in name or ".ln_" in name) and name.endswith("weight"):
            torch.nn.init.normal_(weight, mean=1.0, std=0.1)
        else:
            torch.nn.init.normal_(weight, std=0.1)
    return model.eval()


def flat(tensors):
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}


def tolerances(**groups):
    """A key bias has no gradient but rounding noise: tensors that small are held against the group's largest."""
    result = {}
    for group, tensors in groups.items():
        floats = {name: float(t.detach().abs().max()) for name, t in tensors.items() if t.is_floating_point()}
        share = 3e-5 if group.startswith("grads") else 1e-5
        largest = max(floats.values())
        result[group] = {name: {"tol": share * max(size, 0.02 * largest)} for name, size in floats.items()}
    return {"tensors": result}


def write(folder, value):
    (OUT / folder).parent.mkdir(parents=True, exist_ok=True)
    (OUT / folder).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def save(folder, model, io, **groups):
    model.save_pretrained(OUT / folder / "checkpoint")
    # Gradients under the names that the checkpoint has; each of its random tensors is there once.
    stored = load_file(OUT / folder / "checkpoint" / "model.safetensors")
    names = {name: key for name, weight in model.named_parameters() for key, value in stored.items()
             if value.shape == weight.shape and torch.equal(value, weight)}
    groups = {group: {names.get(n, n): t for n, t in tensors.items()} if group.startswith("grads") else tensors
              for group, tensors in groups.items()}
    for group, tensors in dict(io=io, **groups).items():
        save_file(flat(tensors), OUT / folder / f"{group}.safetensors")
    write(f"{folder}/tolerances.json", tolerances(io=io, **groups))


def tower(folder, seed, kind, config):
    torch.manual_seed(seed)
    model = lively(kind(config))
    pixels = torch.randn(2, 3, 28, 28)
    result = model(pixels, output_hidden_states=True)
    io = {"pixel_values": pixels, "last_hidden_state": result.last_hidden_state, "pooler_output": result.pooler_output}
    io |= {f"hidden_states.{n}": h for n, h in enumerate(result.hidden_states)}
    io |= {f"gout.{n}": torch.randn_like(io[n]) for n in ("last_hidden_state", "pooler_output")}
    groups = {}
    for output, group in (("last_hidden_state", "grads"), ("pooler_output", "grads_pooler")):
        model.zero_grad()
        (io[output] * io[f"gout.{output}"]).sum().backward(retain_graph=True)
        after = ("post_layernorm", "head.")
        groups[group] = {n: g.clone() for n, g in gradients(model).items()
                         if group == "grads" or any(part in n for part in after)}
    wide = torch.randn(1, 3, 35, 42)
    io["interpolate.pixel_values"] = wide
    io["interpolate.last_hidden_state"] = model(wide, interpolate_pos_encoding=True).last_hidden_state
    save(folder, model, io, **groups)


def decoder(folder, seed, kind, config):
    torch.manual_seed(seed)
    model = lively(kind(config))
    ids = torch.randint(1, 72, (3, 11))
    mask = torch.ones_like(ids)
    mask[1, 7:], mask[2, 9:] = 0, 0
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, :3] = -100
    result = model(ids, attention_mask=mask, labels=labels, output_hidden_states=True)
    result.loss.backward()
    io = {"input_ids": ids, "attention_mask": mask, "labels": labels, "logits": result.logits, "loss": result.loss}
    io |= {f"hidden_states.{n}": h for n, h in enumerate(result.hidden_states)}
    grads = {n: g.clone() for n, g in gradients(model).items()}
    single, logits = [], {}
    prompts = [ids[0, :5].tolist(), ids[1, :4].tolist()]
    for index, prompt in enumerate(prompts):
        start = torch.tensor([prompt])
        ones = torch.ones_like(start)
        greedy = model.generate(start, attention_mask=ones, max_new_tokens=20, do_sample=False, pad_token_id=0,
                                output_scores=True, return_dict_in_generate=True)
        tokens = greedy.sequences[0, len(prompt):].tolist()
        logits[f"prompt{index}"] = torch.cat(greedy.scores)
        stop = tokens[8]
        ended = tokens[:tokens.index(stop) + 1]
        beam = model.generate(start, attention_mask=ones, max_new_tokens=10, num_beams=4, num_return_sequences=4,
                              do_sample=False, pad_token_id=0, output_scores=True, return_dict_in_generate=True)
        single.append({
            "prompt": prompt, "greedy": tokens, "greedy_with_eos": {"eos_token_id": stop, "tokens": ended},
            "beam": {"num_beams": 4, "length_penalty": 1.0, "scores": beam.sequences_scores.tolist(),
                     "sequences": [s[len(prompt):].tolist() for s in beam.sequences]}})
    padded = [[0] * (5 - len(p)) + p for p in prompts]
    write(f"{folder}/generation.json", {"single": single, "left_padded_batch": {
        "input_ids": padded, "attention_mask": [[int(t > 0) for t in p] for p in padded],
        "greedy": [s["greedy"] for s in single]}})
    save(folder, model, io, grads=grads, greedy_logits=logits)


def llava(folder, seed):
    torch.manual_seed(seed)
    image = 70
    model = lively(LlavaForConditionalGeneration(LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION), text_config=LlamaConfig(**TEXT), image_token_index=image,
        image_token_id=image, vision_feature_layer=-2, vision_feature_select_strategy="default", image_seq_length=16)))
    pixels = {name: torch.randn(3, 28, 28) for name in ("a.png", "b.png")}
    samples = []
    for index in range(4):
        text = torch.randint(1, 64, (9 + 2 * index,)).tolist()
        ids = text[:2] + [image] * 16 + text[2:]
        samples.append({"image": "a.png" if index % 2 == 0 else "b.png", "input_ids": ids,
                        "labels": [-100] * 22 + ids[22:]})
    batches = [[0, 1], [2, 3]]

    def padded(batch):
        rows = [samples[i] for i in batch]
        longest = max(len(r["input_ids"]) for r in rows)
        pad = lambda values, filler: values + [filler] * (longest - len(values))
        return dict(
            input_ids=torch.tensor([pad(r["input_ids"], 0) for r in rows]),
            attention_mask=torch.tensor([pad([1] * len(r["input_ids"]), 0) for r in rows]),
            labels=torch.tensor([pad(r["labels"], -100) for r in rows]),
            pixel_values=torch.stack([pixels[r["image"]] for r in rows]))

    first = padded(batches[0])
    result = model(**first)
    result.loss.backward()
    io = dict(first) | {f"pixel_values.{n}": p for n, p in pixels.items()}
    io |= {"logits": result.logits, "loss": result.loss, "image_features": result.image_hidden_states}
    grads = {n: g.clone() for n, g in gradients(model).items()}
    model.zero_grad()
    prompt = samples[0]["input_ids"][:24]
    captions = {}
    for name, picture in pixels.items():
        start = torch.tensor([prompt])
        out = model.generate(input_ids=start, attention_mask=torch.ones_like(start), pixel_values=picture[None],
                             max_new_tokens=12, do_sample=False, pad_token_id=0)
        captions[name] = {"tokens": out[0, len(prompt):].tolist()}
    save(folder, model, io, grads=grads)
    write(f"{folder}/samples.json", {"image_token_id": image, "batches": batches, "samples": samples})
    write(f"{folder}/captions.json", {"input_ids": prompt, "max_new_tokens": 12, "captions": {"before": captions}})

    stages = [{"name": "stage1", "train": ["projector"], "steps": 20, "lr": 1e-3, "warmup_ratio": 0.03, "clip": None},
              {"name": "stage2", "train": ["projector", "language"], "steps": 20, "lr": 2e-4, "warmup_ratio": 0.03, "clip": 1.0}]
    parts = {"projector": "multi_modal_projector", "language": ("language_model", "lm_head")}
    steps = []
    for stage in stages:
        for name, weight in model.named_parameters():
            words = [w for p in stage["train"] for w in ([parts[p]] if isinstance(parts[p], str) else parts[p])]
            weight.requires_grad_(any(w in name for w in words))
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=stage["lr"], weight_decay=0.0)
        schedule = get_cosine_schedule_with_warmup(
            optimizer, math.ceil(stage["warmup_ratio"] * stage["steps"]), stage["steps"])
        for step in range(stage["steps"]):
            batch = step % len(batches)
            loss = model(**padded(batches[batch])).loss
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(trained, stage["clip"] or math.inf)
            steps.append({"stage": stage["name"], "batch": batch, "lr": schedule.get_last_lr()[0],
                          "loss": float(loss), "grad_norm": float(norm)})
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    write(f"{folder}/training.json", {
        "stages": stages, "steps": steps, "tolerance": {"loss": 5e-5, "grad_norm_relative": 1e-5}})


tower("vit-clip-small", 1, CLIPVisionModel, CLIPVisionConfig(**VISION))
tower("vit-siglip-small", 2, SiglipVisionModel, SiglipVisionConfig(**VISION))
decoder("llama-small", 3, LlamaForCausalLM, LlamaConfig(**TEXT, rope_parameters={
    "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32}))
decoder("qwen2-small", 4, Qwen2ForCausalLM, Qwen2Config(**TEXT, tie_word_embeddings=True))
decoder("mistral-small", 6, MistralForCausalLM, MistralConfig(**TEXT, sliding_window=5))
decoder("gpt2-small", 7, GPT2LMHeadModel, GPT2Config(
    n_embd=24, n_layer=2, n_head=3, n_positions=64, vocab_size=72, n_inner=40, bos_token_id=None, eos_token_id=None))
llava("llava-small", 5)
