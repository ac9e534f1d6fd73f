"""Captions a folder of pictures with transformers, end to end: decode, encode, generate, write JSON lines.

    python torch_caption.py PICTURES --model MODEL --dtype bfloat16 --batch 16 --tokens 20

MODEL is a folder of make_model.py. int8 keeps the weights of all linear maps in 8 bits and rounds what goes into them as it comes
(PyTorch's dynamic quantisation). Prints {"captions_per_second": …}; opening the model is not counted.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
import transformers
from PIL import Image

import llava

PROMPT = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite "
    "answers to the user's questions. USER: <image>\nDescribe the image concisely. ASSISTANT:")

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--model", type=Path, required=True)
parser.add_argument("--dtype", choices=["float32", "bfloat16", "int8"], default="bfloat16")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--tokens", type=int, default=20)
options = parser.parse_args()

dtype = torch.float32 if options.dtype == "int8" else getattr(torch, options.dtype)
network = transformers.LlavaForConditionalGeneration.from_pretrained(options.model, dtype=dtype).eval()
if options.dtype == "int8":
    network = torch.ao.quantization.quantize_dynamic(network, {torch.nn.Linear}, dtype=torch.qint8)
tokenizer = transformers.AutoTokenizer.from_pretrained(options.model, padding_side="left")
processor = transformers.LlavaProcessor(
    image_processor=transformers.AutoImageProcessor.from_pretrained(options.model), tokenizer=tokenizer,
    patch_size=network.config.vision_config.patch_size, vision_feature_select_strategy="full")
files = sorted(path for path in options.folder.iterdir() if path.suffix in (".jpg", ".jpeg", ".png"))

written = 0
start, computed = time.perf_counter(), time.process_time()
with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as out, torch.inference_mode():
    for first in range(0, len(files), options.batch):
        group = files[first : first + options.batch]
        inputs = processor(
            images=[Image.open(path).convert("RGB") for path in group], text=[PROMPT] * len(group), return_tensors="pt")
        inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
        ids = network.generate(
            **inputs, max_new_tokens=options.tokens, min_new_tokens=options.tokens, do_sample=False,
            pad_token_id=tokenizer.pad_token_id)
        ids = ids[:, inputs["input_ids"].shape[1]:]
        written += ids.numel()
        for path, caption in zip(group, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
            out.write(json.dumps({"id": str(path), "caption": caption}) + "\n")
        out.flush()
seconds, computed = time.perf_counter() - start, time.process_time() - computed
llava.report(captions_per_second=len(files) / seconds, processor_s=computed, captions=len(files), new_tokens=written,
             prompt_tokens=inputs["input_ids"].shape[1], processor=type(processor.image_processor).__name__)
