"""Times every matrix product of a training step by itself: the floor under any step on this machine's products.

    python torch_products.py --preset smol --dtype float32 --batch 4 --text 60

Counts each linear map of tower, projector, decoder and head three times (forward, input gradient, weight gradient) at
the step's token counts; attention's products, under 3 % of the operations here, are left out. The head counts only the
text's supervised half, which is what a step must compute. Prints {"floor_s": …, "gflop": …, "gflop_per_second": …}.
"""

import argparse
import statistics
import time

import torch

import llava

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--preset", choices=llava.PRESETS, default="smol")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--text", type=int, default=60)
options = parser.parse_args()

tower, decoder = llava.PRESETS[options.preset]
visual = options.batch * tower.tokens
tokens = visual + options.batch * options.text
supervised = options.batch * (options.text - options.text // 2)
head = decoder.width // decoder.heads
# (rows, inputs, outputs, how many)
maps = [
    (visual, 3 * tower.patch**2, tower.width, 1),
    (visual, tower.width, tower.width, 4 * tower.depth),
    (visual, tower.width, tower.feed_forward, tower.depth),
    (visual, tower.feed_forward, tower.width, tower.depth),
    (visual, tower.width, decoder.width, 1),
    (visual, decoder.width, decoder.width, 1),
    (tokens, decoder.width, decoder.width, 2 * decoder.depth),
    (tokens, decoder.width, head * decoder.key_value_heads, 2 * decoder.depth),
    (tokens, decoder.width, decoder.feed_forward, 2 * decoder.depth),
    (tokens, decoder.feed_forward, decoder.width, decoder.depth),
    (supervised, decoder.width, decoder.vocabulary, 1),
]
dtype = getattr(torch, options.dtype)


def seconds(rows: int, inner: int, columns: int) -> float:
    a = torch.randn(rows, inner, dtype=dtype)
    b = torch.randn(inner, columns, dtype=dtype)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


floor = operations = 0.0
for rows, inputs, outputs, count in maps:
    three = seconds(rows, inputs, outputs) + seconds(rows, outputs, inputs) + seconds(inputs, rows, outputs)
    floor += count * three
    operations += count * 6 * rows * inputs * outputs
llava.report(floor_s=floor, gflop=operations / 1e9, gflop_per_second=operations / 1e9 / floor)
