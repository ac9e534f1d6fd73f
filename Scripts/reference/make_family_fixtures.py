#!/usr/bin/env python3
"""Writes Tests/VisionLanguageTests/Fixtures/families: whole folders of families whose pictures are cut into tiles.

    python Scripts/reference/make_family_fixtures.py      # torch, transformers, tokenizers, Pillow

Each folder holds what the hub would (configuration, weights, tokenizer, processor), two pictures, and `expected.json`: the ids that
the peer's processor writes for each picture, and the logits of the last tokens of a short prompt.
"""
import json
import pathlib

import numpy as np
import tokenizers
import torch
import transformers
from PIL import Image
from tokenizers import decoders, models, pre_tokenizers
from transformers import (AutoModelForImageTextToText, CLIPVisionConfig, Idefics3Config, LlamaConfig, LlavaNextConfig,
                          MistralConfig, SmolVLMConfig)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/VisionLanguageTests/Fixtures/families"
SIDE, PATCH = 16, 4
MARKERS = ["<image>", "<end>", "<fake_token_around_image>", "<global-img>",
           *(f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4))]
PINPOINTS = [[16, 32], [32, 16], [32, 32], [48, 16], [16, 48]]


def tokenizer():
    """Bytes, one merge ("\\n\\n"), and the special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    newline = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("\n")[0][0]
    vocabulary = {c: i for i, c in enumerate(alphabet)} | {newline * 2: 256}
    made = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[(newline, newline)]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(MARKERS)
    return made


def main():
    made = tokenizer()
    image_id = made.token_to_id("<image>")
    text = dict(vocab_size=288, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
                num_key_value_heads=1, max_position_embeddings=512, pad_token_id=None, bos_token_id=None,
                eos_token_id=made.token_to_id("<end>"))
    tower = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, patch_size=PATCH)
    families = {
        "idefics3": Idefics3Config(vision_config=tower | {"image_size": SIDE}, text_config=LlamaConfig(**text),
                                   scale_factor=2, image_token_id=image_id),
        # A tower of a larger grid than its tiles have, and sides that do not divide.
        "smolvlm": SmolVLMConfig(vision_config=tower | {"image_size": 26}, text_config=LlamaConfig(**text),
                                 scale_factor=2, image_token_id=image_id, tie_word_embeddings=True),
        "llava_next": LlavaNextConfig(vision_config=CLIPVisionConfig(**tower, image_size=SIDE),
                                      text_config=MistralConfig(**text, sliding_window=None), image_token_index=image_id,
                                      image_grid_pinpoints=PINPOINTS),
    }
    for name, config in families.items():
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        model = AutoModelForImageTextToText.from_config(config).eval()
        torch.manual_seed(5)
        for weight in model.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.25)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        made.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<end>", "clean_up_tokenization_spaces": False}))
        if name == "llava_next":
            processor = LlavaNextImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE},
                                                   image_grid_pinpoints=PINPOINTS)
            kind = "LlavaNextImageProcessor"
        else:
            processor = Idefics3ImageProcessorPil(size={"longest_edge": 3 * SIDE}, max_image_size={"longest_edge": SIDE})
            kind = "Idefics3ImageProcessor" if name == "idefics3" else "SmolVLMImageProcessor"
        settings = json.loads(processor.to_json_string()) | {"image_processor_type": kind}
        # transformers 5 keeps it inside processor_config.json; the first family here has it so, the others as before.
        if name == "idefics3":
            (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Idefics3Processor", "image_processor": settings}))
        else:
            (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        cases = []
        for index, (width, height) in enumerate([(45, 20), (12, 14)]):
            pixels = np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
            image = Image.open(folder / f"{index}.png")
            if name == "llava_next":
                inputs = dict(processor([image], return_tensors="pt"))
                with torch.no_grad():
                    count = len(model.model.get_image_features(**inputs).pooler_output[0])
                picture = [image_id] * count
            else:
                values = processor([[image]], return_tensors="pt", return_row_col_info=True)
                inputs = dict(pixel_values=values["pixel_values"], pixel_attention_mask=values["pixel_attention_mask"])
                string = get_image_prompt_string(values["rows"][0][0], values["cols"][0][0], (SIDE // PATCH // 2) ** 2,
                                                 "<fake_token_around_image>", "<image>", "<global-img>")
                picture = made.encode(string, add_special_tokens=False).ids
            ids = made.encode("a").ids + picture + made.encode("What is it?").ids
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([ids]), **inputs).logits[0, -3:]
            cases.append({"picture": f"{index}.png", "image_ids": picture, "ids": ids,
                          "logits": [round(float(x), 6) for x in logits.flatten()]})
        (folder / "expected.json").write_text(json.dumps({"transformers": transformers.__version__, "cases": cases}))


if __name__ == "__main__":
    main()
