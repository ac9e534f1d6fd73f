#!/usr/bin/env python3
"""Through transformers and back, for every family: is what goes in and what comes out the same model?

    python Scripts/roundtrip-transformers.py [--vitrail PATH] [--only NAME] [--pretrained FOLDER] [--nanovlm CLONE]

Needs torch, transformers, safetensors and Pillow. For each family a small random model is saved by transformers, opened and
trained for one step by vitrail, exported, and opened by transformers again: with no missing and no unexpected key, and −log p of
every answer token equal to vitrail's own within float32 noise (1e-4; mostly some 1e-6). The peers' slow image processors cut
and normalise the pictures, and the ids around them are compared with the peers' text. A pretrained decoder's folder is tuned for 200
steps instead; nanoVLM's row needs a clone of its repository. Prints a table; exit code 1 when a family fails.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

import numpy as np
import safetensors.torch
import tokenizers
import torch
import transformers
from PIL import Image
from transformers import (AutoModelForCausalLM, AutoModelForImageTextToText, CLIPConfig, CLIPModel, CLIPVisionConfig,
                          CLIPVisionModel, GemmaConfig, GPT2Config, Idefics3Config, LlamaConfig, LlavaConfig,
                          LlavaNextConfig, MistralConfig, PaliGemmaConfig, Qwen2Config, Qwen3Config, SiglipConfig, SiglipModel, SiglipVisionConfig, SiglipVisionModel,
                          SmolVLMConfig)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "Models" / "pebble"
IMAGE_TOKEN = json.loads((TOKENIZER / "config.json").read_text())["image_token_index"]
SIDE = 32
TEXT = dict(vocab_size=768, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=1024, bos_token_id=1, eos_token_id=2, pad_token_id=None)
TOWER = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=SIDE, patch_size=8)
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
PINPOINTS = [[32, 64], [64, 32], [64, 64], [96, 32], [32, 96]]
MARKERS = ["<fake_token_around_image>", "<global-img>", *(f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5))]


def decoder(config_class, **extra):
    return lambda: AutoModelForCausalLM.from_config(config_class(**{**TEXT, **extra}))


def rope(kind, **extra):
    """A decoder whose sequences are longer than those it was made for."""
    return decoder(LlamaConfig, max_position_embeddings=extra.pop("positions", 256),
                   rope_parameters={"rope_type": kind, "rope_theta": 1e4, **extra})


def whole(config):
    return AutoModelForImageTextToText.from_config(config)


def llava(vision, text, **extra):
    return lambda: whole(LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE_TOKEN, image_token_id=IMAGE_TOKEN, **extra))


def llava_next(vision, text, **extra):
    return lambda: whole(LlavaNextConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE_TOKEN, image_token_id=IMAGE_TOKEN,
        image_grid_pinpoints=PINPOINTS, **extra))


def idefics3(config_class, text=LlamaConfig, side=SIDE, **extra):
    tower = {**TOWER, "image_size": side}
    return lambda: whole(config_class(
        vision_config=tower, text_config=text(**TEXT), scale_factor=2, image_token_id=IMAGE_TOKEN, **extra))


clip, siglip = CLIPVisionConfig(**TOWER), SiglipVisionConfig(**TOWER, vision_use_head=False)
full = dict(vision_feature_select_strategy="full", vision_feature_layer=-1)
FAMILIES = {
    "LlamaForCausalLM": decoder(LlamaConfig),
    "Llama, tied, llama3 rope": decoder(LlamaConfig, tie_word_embeddings=True, rope_parameters={
        "rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}),
    "Llama, tokens added": decoder(LlamaConfig),
    "Llama, default rope": rope("default"),
    "Llama, linear rope": rope("linear", factor=4.0),
    "Llama, dynamic rope": rope("dynamic", factor=2.0, positions=32),
    "Llama, yarn rope": rope("yarn", factor=4.0, original_max_position_embeddings=64),
    "Llama, yarn rope, all set": rope("yarn", factor=4.0, original_max_position_embeddings=64, beta_fast=16.0,
                                      beta_slow=2.0, attention_factor=1.1),
    "MistralForCausalLM": decoder(MistralConfig, sliding_window=None),
    "Mistral, window of 24": decoder(MistralConfig, sliding_window=24),
    "Qwen2ForCausalLM": decoder(Qwen2Config),
    "Qwen2, window, later layers": decoder(Qwen2Config, use_sliding_window=True, sliding_window=20, max_window_layers=1),
    "Qwen3ForCausalLM": decoder(Qwen3Config, head_dim=16),
    "Qwen3, window, first layer": decoder(Qwen3Config, head_dim=16, use_sliding_window=True, sliding_window=9,
                                          layer_types=["sliding_attention", "full_attention"]),
    "GemmaForCausalLM": decoder(GemmaConfig, head_dim=16),
    "GPT2LMHeadModel": lambda: AutoModelForCausalLM.from_config(GPT2Config(
        vocab_size=768, n_embd=48, n_layer=2, n_head=4, n_positions=1024, bos_token_id=1, eos_token_id=2)),
    "Llava: CLIP, Llama": llava(clip, LlamaConfig(**TEXT)),
    "Llava: CLIP, Mistral": llava(clip, MistralConfig(**TEXT, sliding_window=None)),
    "Llava: CLIP, Qwen2": llava(clip, Qwen2Config(**TEXT)),
    "Llava: SigLIP, Llama": llava(siglip, LlamaConfig(**TEXT), **full),
    "Llava: SigLIP, Qwen3": llava(siglip, Qwen3Config(**TEXT, head_dim=16), **full),
    "LlavaNext: CLIP, Mistral": llava_next(clip, MistralConfig(**TEXT, sliding_window=None)),
    "LlavaNext: SigLIP, Qwen2": llava_next(siglip, Qwen2Config(**TEXT), **full),
    "Idefics3: Llama": idefics3(Idefics3Config),
    "SmolVLM: Llama, tied": idefics3(SmolVLMConfig, tie_word_embeddings=True),
    "SmolVLM: Qwen2, 36 pixels": idefics3(SmolVLMConfig, Qwen2Config, side=36),
    "PaliGemma: SigLIP, Gemma": lambda: whole(PaliGemmaConfig(
        vision_config=dict(model_type="siglip_vision_model", vision_use_head=False, **TOWER),
        text_config=dict(model_type="gemma", **(TEXT | dict(num_key_value_heads=1, head_dim=16))),
        projection_dim=48, hidden_size=48, image_token_index=IMAGE_TOKEN)),
    "LLaVA's own: CLIP, Llama": llava(clip, LlamaConfig(**TEXT)),
    "LLaVA's own, anyres": llava_next(clip, LlamaConfig(**TEXT)),
}
# Towers are joined with a decoder by a fresh projector: (what holds the tower, its parameters' prefix there).
TOWERS = {
    "CLIPVisionModel + Llama": lambda: CLIPVisionModel(clip),
    "CLIPModel + Llama": lambda: CLIPModel(CLIPConfig(vision_config=TOWER, text_config=dict(hidden_size=32, num_hidden_layers=1))),
    "SiglipVisionModel + Llama": lambda: SiglipVisionModel(SiglipVisionConfig(**TOWER)),
    "SiglipModel + Llama": lambda: SiglipModel(SiglipConfig(vision_config=TOWER, text_config=dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2))),
}


def randomize(model):
    torch.manual_seed(7)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)
        else:
            weight.data += 0.1 * torch.randn_like(weight)


def save_tokenizer(folder, markers=()):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, folder / name)
    if markers:
        tokenizer = tokenizers.Tokenizer.from_file(str(TOKENIZER / "tokenizer.json"))
        tokenizer.add_special_tokens(list(markers))
        tokenizer.save(str(folder / "tokenizer.json"))


def save(name, model, folder):
    randomize(model)
    model.save_pretrained(folder)
    side = model.config.vision_config.image_size if hasattr(model.config, "vision_config") else SIDE
    split = name.startswith(("Idefics3", "SmolVLM"))
    save_tokenizer(folder, MARKERS if split else ())
    processor = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "resample": 3,
                 "crop_size": {"height": SIDE, "width": SIDE}, "do_resize": True, "do_center_crop": True,
                 "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": MEAN,
                 "image_std": STD, "do_convert_rgb": True}
    if split:
        processor = {"image_processor_type": name.split(":")[0] + "ImageProcessor", "size": {"longest_edge": 3 * side},
                     "max_image_size": {"longest_edge": side}, "resample": 1, "do_image_splitting": True,
                     "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3,
                     "image_std": [0.5] * 3, "do_pad": True, "do_resize": True, "do_convert_rgb": True}
    elif name.startswith("PaliGemma"):
        processor = {"image_processor_type": "SiglipImageProcessor", "size": {"height": SIDE, "width": SIDE}, "resample": 3,
                     "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
                     "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_seq_length": (SIDE // 8) ** 2}
    elif name.startswith("LlavaNext"):
        processor |= {"image_processor_type": "LlavaNextImageProcessor", "image_grid_pinpoints": PINPOINTS, "do_pad": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def save_original(name, model, folder):
    """LLaVA's own layout: `mm_…` keys in the decoder's configuration, the tower beside it (or, in later versions, inside)."""
    randomize(model)
    anyres = "anyres" in name
    config = model.config
    tower = folder.parent / "the-tower"
    visual = CLIPVisionModel(clip)
    visual.load_state_dict(model.model.vision_tower.state_dict())
    visual.save_pretrained(tower)
    weights = {}
    for key, tensor in model.state_dict().items():
        if key.startswith("model.vision_tower."):
            if anyres:
                key = key.removeprefix("model.vision_tower.").removeprefix("vision_model.")
                weights["model.vision_tower.vision_tower.vision_model." + key] = tensor
            continue
        key = key.replace("model.language_model.", "model.").replace("model.multi_modal_projector.linear_1", "model.mm_projector.0")
        weights[key.replace("model.multi_modal_projector.linear_2", "model.mm_projector.2")] = tensor
    folder.mkdir()
    safetensors.torch.save_file({k: v.contiguous() for k, v in weights.items()}, folder / "model.safetensors")
    text = config.text_config.to_dict() | {
        "model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "publisher/the-tower",
        "mm_projector_type": "mlp2x_gelu", "mm_hidden_size": 32, "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch", "mm_use_im_start_end": False, "mm_use_im_patch_token": False,
        "image_aspect_ratio": "anyres" if anyres else "pad"}
    if anyres:
        text |= {"mm_patch_merge_type": "spatial_unpad", "image_grid_pinpoints": [[w, h] for h, w in PINPOINTS]}
    (folder / "config.json").write_text(json.dumps(text))
    save_tokenizer(folder)


def save_nano(model, folder):
    randomize(model)
    folder.mkdir()
    model.save_pretrained(str(folder))
    save_tokenizer(folder)


def nano(clone):
    """nanoVLM's model class; its tokenizer would come from the hub and isn't needed here."""
    sys.path.insert(0, str(clone))
    stub = types.ModuleType("data.processors")
    stub.get_tokenizer = lambda *arguments: types.SimpleNamespace(image_token_id=-1, eos_token_id=None)
    sys.modules["data"], sys.modules["data.processors"] = types.ModuleType("data"), stub
    from models.config import VLMConfig
    from models.vision_language_model import VisionLanguageModel
    tokens = {"image_token": "<|image|>", "global_image_token": "<|global_image|>",
              **{f"r{r}c{c}": f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)}}
    config = VLMConfig(
        vit_hidden_dim=32, vit_inter_dim=64, vit_patch_size=8, vit_img_size=SIDE, vit_n_heads=2, vit_n_blocks=3,
        vit_model_type="none", lm_hidden_dim=48, lm_inter_dim=96, lm_max_position_embeddings=1024,
        lm_base_vocab_size=768 - len(tokens), extra_token_amount=len(tokens), lm_vocab_size=768, lm_n_heads=4, lm_n_kv_heads=2,
        lm_n_blocks=2, lm_tokenizer="none", mp_pixel_shuffle_factor=2, mp_image_token_length=4, max_img_size=3 * SIDE,
        resize_to_max_side_len=False, vlm_extra_tokens=tokens)
    return VisionLanguageModel, VisionLanguageModel(config, load_backbone=False)


SIZES = [(SIDE, SIDE), (70, 40), (33, 90), (20, 21)]


def data(folder, pictures, tiled, several=False):
    rng = np.random.default_rng(3)
    lines = []
    for index in range(4):
        question = f"What is the color of shape number {index}?"
        record = {"id": str(index), "conversations": [
            {"from": "human", "value": ("<image>\n" if pictures else "") + question},
            {"from": "gpt", "value": f"A large red circle, and {index} small stars."}]}
        if pictures:
            width, height = SIZES[index] if tiled else (SIDE, SIDE)
            Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{index}.png")
            record["image"] = f"{index}.png"
            if several and index == 3:  # a second picture, the first record's
                record["image"] = ["3.png", "1.png"]
                record["conversations"][0]["value"] = "<image>\n" + record["conversations"][0]["value"]
        lines.append(json.dumps(record))
    (folder / "data.jsonl").write_text("\n".join(lines) + "\n")


def run(*command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError((result.stderr or result.stdout).strip().splitlines()[0])
    return result.stdout


def visual_inputs(name, picture, ids, out):
    """What the peer's processor makes of a picture; and its text's ids must stand in ours."""
    image = Image.open(picture)
    if name.startswith(("Idefics3", "SmolVLM")):
        made = Idefics3ImageProcessorPil.from_pretrained(out)([[image]], return_tensors="pt", return_row_col_info=True)
        side = made["pixel_values"].shape[-1]
        text = get_image_prompt_string(made["rows"][0][0], made["cols"][0][0], (side // 8 // 2) ** 2,
                                       "<fake_token_around_image>", "<image>", "<global-img>")
        expected = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json")).encode(text, add_special_tokens=False).ids
        place = ids.index(expected[0])
        assert ids[place:place + len(expected)] == expected, "the ids of a picture differ from the peer's"
        return dict(pixel_values=made["pixel_values"], pixel_attention_mask=made["pixel_attention_mask"])
    if name.startswith("LlavaNext") or "anyres" in name:
        return dict(LlavaNextImageProcessorPil.from_pretrained(out)([image], return_tensors="pt"))
    pixels = np.asarray(image, dtype=np.float32) / 255
    if json.loads((out / "preprocessor_config.json").read_text())["image_mean"] == [0.5, 0.5, 0.5]:
        pixels = (pixels - 0.5) / 0.5
    else:
        pixels = (pixels - np.float32(MEAN)) / np.float32(STD)
    return dict(pixel_values=torch.tensor(pixels.transpose(2, 0, 1), dtype=torch.float32)[None])


def nano_pixels(picture, config):
    """The picture cut as nanoVLM does (sides of whole tiles, long one at most max_img_size)."""
    image, tile = Image.open(picture), config.vit_img_size
    long = min(config.max_img_size, -(-max(image.size) // tile) * tile)
    short = max(tile, -(-min(image.size) * long // max(image.size) // tile) * tile)
    size = (long, short) if image.size[0] >= image.size[1] else (short, long)
    x = torch.tensor(np.asarray(image.resize(size, Image.BICUBIC)) / np.float32(255)).permute(2, 0, 1)[None]
    tiles = x.unfold(2, tile, tile).unfold(3, tile, tile).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, tile, tile)
    if len(tiles) == 1:
        return tiles
    small = torch.nn.functional.interpolate(x, (tile, tile), mode="bilinear", antialias=True)
    return torch.cat([small, tiles])


def check_nano_ids(tiles, pictures, config, ids, folder):
    """get_image_string of nanoVLM's data/processors.py: its tokens must stand in ours."""
    text, image = "", "<|image|>" * config.mp_image_token_length
    for index, (cut, path) in enumerate(zip(tiles, pictures)):
        text += f"<image: {index}>" if len(tiles) > 1 else ""
        text += "<|global_image|>" + image
        if len(cut) > 1:
            width, height = Image.open(path).size
            wide = min(config.max_img_size, -(-max(width, height) // config.vit_img_size) * config.vit_img_size) // config.vit_img_size
            rows, columns = ((len(cut) - 1) // wide, wide) if width >= height else (wide, (len(cut) - 1) // wide)
            text += "".join(f"<row_{r + 1}_col_{c + 1}>" + image for r in range(rows) for c in range(columns))
    known = tokenizers.Tokenizer.from_file(str(folder / "out" / "tokenizer.json"))
    expected = known.encode(text, add_special_tokens=False).ids
    assert any(ids[n:n + len(expected)] == expected for n in range(len(ids))), "the ids of pictures differ from nanoVLM's"


def losses(name, model, score, folder):
    """−log p of the same tokens by the peer."""
    ids = torch.tensor([score["ids"]])
    picture = folder / f"{score['id']}.png"
    with torch.no_grad():
        if name == "nanoVLM":
            model.tokenizer.image_token_id = json.loads((folder / "out" / "tokenizer.json").read_text())["added_tokens"][-18]["id"]
            pictures = [picture] + ([folder / "1.png"] if score["id"] == "3" else [])
            tiles = [nano_pixels(path, model.cfg) for path in pictures]
            check_nano_ids(tiles, pictures, model.cfg, score["ids"], folder)
            hidden, _ = model(ids, torch.cat(tiles))
            logits = model.decoder.head(hidden)
        else:
            inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids))
            if picture.exists():
                inputs |= visual_inputs(name, picture, score["ids"], folder / "out")
            if name.startswith("PaliGemma"):  # the prompt's tokens see each other, the answer's those before
                inputs["token_type_ids"] = (torch.arange(ids.shape[1]) >= score["places"][0]).long()[None]
            logits = model(**inputs).logits
        log = torch.log_softmax(logits[0].double(), -1)
    return [-float(log[place - 1, ids[0, place]]) for place in score["places"]]


def check_generation(vitrail, model, folder):
    """Greedy answers, which take a cache over a prompt that sees itself in both directions."""
    known = tokenizers.Tokenizer.from_file(str(folder / "out" / "tokenizer.json"))
    question = "What is it?"
    text = known.encode(question + "\n", add_special_tokens=False).ids
    ids = torch.tensor([[IMAGE_TOKEN] * (SIDE // 8) ** 2 + [1] + text])
    inputs = visual_inputs("PaliGemma", folder / "1.png", ids, folder / "out")
    made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids),
                          max_new_tokens=12, do_sample=False, eos_token_id=2, pad_token_id=0, **inputs)
    expected = known.decode(made[0, ids.shape[1]:].tolist(), skip_special_tokens=True).strip()
    found = json.loads(run(vitrail, "answer", "--model", folder / "out", "--image", folder / "1.png", "--question", question,
                           "--max-new-tokens", 12, "--json"))["prediction"]
    assert found == expected, f"greedy answer {found!r}, the peer's {expected!r}"


def attempt(options, name, folder):
    vitrail = options.vitrail
    joined, pictures = name in TOWERS, name in TOWERS or ":" in name or "LLaVA" in name or name == "nanoVLM"
    data(folder, pictures, tiled=name.startswith(("LlavaNext", "Idefics3", "SmolVLM", "nanoVLM")) or "anyres" in name,
         several=name == "nanoVLM")
    parts = "[vision, projector, language]" if pictures else "[language]"
    model, steps = folder / "model", 1
    template = "paligemma" if name.startswith("PaliGemma") else "folder" if name == "nanoVLM" else "vicuna_v1"
    if joined:
        save(name, TOWERS[name](), folder / "tower")
        save("", FAMILIES["LlamaForCausalLM"](), folder / "decoder")
        model = f"{{vision: {folder}/tower, language: {folder}/decoder, projector: mlp2x_gelu}}"
    elif name == "nanoVLM":
        nano_class, peer = nano(options.nanovlm)
        save_nano(peer, model)
    elif name not in FAMILIES:
        shutil.copytree(name, model, copy_function=shutil.copyfile)
        steps = 200
    elif "LLaVA" in name:
        save_original(name, FAMILIES[name](), model)
    else:
        save(name, FAMILIES[name](), model)
    if "tokens added" in name:
        model = f"{{folder: {model}, add_tokens: ['<box>', '</box>'], vocabulary_multiple: 100}}"
    (folder / "recipe.yaml").write_text(
        f"model: {model}\nseed: 1\nstages:\n  - name: one\n    train: {parts}\n    data: [{folder}/data.jsonl]\n"
        f"    template: {template}\n    learning_rate: 1.0e-3\n    batch_size: 4\n    steps: {steps}\n")
    run(vitrail, "train", folder / "recipe.yaml", "--set", "stages.one.learning_rate={peak: 1.0e-3, warmup: 0}",
        "--output", folder / "run")
    run(vitrail, "export", folder / "run", folder / "out")
    missing = unexpected = ()
    if name == "nanoVLM":
        model = nano_class.from_pretrained(str(folder / "out"))
    else:
        kind = AutoModelForImageTextToText if pictures else AutoModelForCausalLM
        model, info = kind.from_pretrained(folder / "out", output_loading_info=True, dtype=torch.float32)
        missing, unexpected = info["missing_keys"], info["unexpected_keys"]
        if "tokens added" in name:
            known = tokenizers.Tokenizer.from_file(str(folder / "out" / "tokenizer.json"))
            assert model.config.vocab_size == 800 and known.token_to_id("</box>") == known.get_vocab_size() - 1
    scores = [json.loads(line) for line in run(
        vitrail, "score", folder / "out", "--data", folder / "data.jsonl", "--tokens", "--template", template).splitlines()]
    if name.startswith("PaliGemma"):
        check_generation(vitrail, model, folder)
    worst = max(abs(a - b) for score in scores[:-1] for a, b in zip(score["losses"], losses(name, model.eval(), score, folder)))
    return len(missing), len(unexpected), worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vitrail", default=ROOT / ".build/release/vitrail")
    parser.add_argument("--only", default="")
    parser.add_argument("--pretrained", default=ROOT.parent / "shared/data/stories260K", type=pathlib.Path)
    parser.add_argument("--nanovlm", type=pathlib.Path, help="a clone of github.com/huggingface/nanoVLM")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    print(f"{'family':28} missing unexpected  worst |−log p|")
    failed = 0
    names = [*FAMILIES, *TOWERS]
    names += ["nanoVLM"] if options.nanovlm else []
    names += [str(options.pretrained)] if options.pretrained.exists() else []
    for name in names:
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                missing, unexpected, worst = attempt(options, name, pathlib.Path(folder))
                good = missing == 0 and unexpected == 0 and worst < 1e-4
                print(f"{pathlib.Path(name).name:28} {missing:7} {unexpected:10}  {worst:.1e}  {'ok' if good else 'WRONG'}", flush=True)
            except Exception as error:
                good = False
                print(f"{pathlib.Path(name).name:28} {type(error).__name__}: {error}", flush=True)
            failed += not good
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
