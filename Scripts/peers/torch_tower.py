"""Times the vision tower's forward pass in PyTorch.

    python torch_tower.py --preset smol --dtype float32 --batch 16

Prints {"pictures_per_second": …, "peak_rss_gb": …}: from the median of the timed passes, after one that is not timed.
"""

import argparse
import statistics
import time

import torch
import transformers

import llava

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--preset", choices=llava.PRESETS, default="smol")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--passes", type=int, default=3)
options = parser.parse_args()

tower = llava.PRESETS[options.preset][0]
dtype = getattr(torch, options.dtype)
network = transformers.SiglipVisionModel(tower.config()).eval().to(dtype)
pixels = torch.randn(options.batch, 3, tower.pixels, tower.pixels, dtype=dtype)


@torch.inference_mode()
def forward() -> float:
    start = time.perf_counter()
    network(pixels)
    return time.perf_counter() - start


forward()
llava.report(pictures_per_second=options.batch / statistics.median(forward() for _ in range(options.passes)))
