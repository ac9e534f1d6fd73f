"""Times JPEG files to SigLIP tensors with Pillow and the slow image processor of transformers, on one thread.

    python pillow_pictures.py FOLDER --size 224 [--scaled]

With --scaled, Pillow decodes at a reduced size first (`draft`), which is not byte-exact. Prints
{"pictures_per_second": …}: the median of the timed passes over the folder, after one that is not timed.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
import transformers
from PIL import Image

import llava

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--scaled", action="store_true")
parser.add_argument("--passes", type=int, default=3)
options = parser.parse_args()

torch.set_num_threads(1)
Slow = getattr(transformers, "SiglipImageProcessorPil", None) or transformers.SiglipImageProcessor
processor = Slow(size={"height": options.size, "width": options.size})
files = sorted(options.folder.glob("*.jpg"))


def one(path: Path):
    with Image.open(path) as picture:
        if options.scaled:
            picture.draft("RGB", (options.size, options.size))
        return processor(picture.convert("RGB"), return_tensors="pt")["pixel_values"]


def pictures() -> float:
    start = time.perf_counter()
    for path in files:
        one(path)
    return time.perf_counter() - start


pictures()
seconds = statistics.median(pictures() for _ in range(options.passes))
llava.report(pictures_per_second=len(files) / seconds, processor=type(processor).__name__)
