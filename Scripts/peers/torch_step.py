"""Times one training step in PyTorch: forward, backward, gradient clipping at 1, fused AdamW.

    python torch_step.py --preset smol --dtype float32 --batch 4 --text 60 [--train projector]

bfloat16 means autocast over float32 weights. Prints {"step_s": …, "tokens_per_second": …, "peak_rss_gb": …}: the median
of the timed steps, after those that are not timed.
"""

import argparse
import statistics
import time

import torch

import llava

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--preset", choices=llava.PRESETS, default="smol")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--train", choices=["all", "projector"], default="all")
parser.add_argument("--batch", type=int, default=4, help="samples a step")
parser.add_argument("--text", type=int, default=60, help="text tokens a sample, after the visual ones")
parser.add_argument("--warmup", type=int, default=1, help="steps before those")
parser.add_argument("--steps", type=int, default=3, help="timed steps")
options = parser.parse_args()

network = llava.model(options.preset)
if options.train == "projector":
    network.requires_grad_(False)
    network.model.multi_modal_projector.requires_grad_(True)
weights = [weight for weight in network.parameters() if weight.requires_grad]
optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)
inputs = llava.batch(options.preset, options.batch, options.text)


def step() -> float:
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16"):
        loss = network(**inputs).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return time.perf_counter() - start


for _ in range(options.warmup):
    step()
seconds = statistics.median(step() for _ in range(options.steps))
tokens = inputs["input_ids"].numel()
llava.report(step_s=seconds, tokens_per_second=tokens / seconds, tokens=tokens,
             parameters=sum(weight.numel() for weight in network.parameters()),
             trained_parameters=sum(weight.numel() for weight in weights))
