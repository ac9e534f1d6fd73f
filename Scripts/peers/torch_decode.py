"""Times greedy decoding in PyTorch after one picture and a prompt.

    python torch_decode.py --preset smol --dtype bfloat16 --batch 1 --prompt 60 --tokens 64

Prints {"prompt_s": …, "tokens_per_second": …, "peak_rss_gb": …}: the time to the first new token, and the new tokens a
second after it.
"""

import argparse
import time

import torch

import llava

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--preset", choices=llava.PRESETS, default="smol")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--prompt", type=int, default=60, help="text tokens after the visual ones")
parser.add_argument("--tokens", type=int, default=64, help="new tokens")
options = parser.parse_args()

dtype = getattr(torch, options.dtype)
network = llava.model(options.preset).eval().to(dtype)
inputs = llava.batch(options.preset, options.batch, options.prompt)
del inputs["labels"]
inputs["pixel_values"] = inputs["pixel_values"].to(dtype)


@torch.inference_mode()
def generate(tokens: int) -> float:
    start = time.perf_counter()
    network.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
    return time.perf_counter() - start


generate(2)
first = generate(1)
rest = generate(options.tokens) - first
llava.report(prompt_s=first, tokens_per_second=options.batch * (options.tokens - 1) / rest)
