"""Writes JPEG pictures with the statistics of photographs: shapes of many sizes, gradients and fine noise.

    python make_pictures.py FOLDER --count 64 --width 640 --height 480

The same arguments give the same files. Prints {"pictures": …, "bytes": …}.
"""

import argparse
import json
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--count", type=int, default=64)
parser.add_argument("--width", type=int, default=640)
parser.add_argument("--height", type=int, default=480)
options = parser.parse_args()

options.folder.mkdir(parents=True, exist_ok=True)
size = (options.width, options.height)
total = 0
for number in range(options.count):
    random = numpy.random.default_rng(number)
    coarse = random.integers(0, 256, (4, 5, 3), dtype=numpy.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        radius = int(min(size) * random.pareto(2) / 12) + 2
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x - radius, y - radius, x + radius, y + radius), fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(0.7))
    noise = random.normal(0, 6, (size[1], size[0], 1))
    pixels = numpy.clip(numpy.asarray(picture, dtype=numpy.float32) + noise, 0, 255).astype(numpy.uint8)
    path = options.folder / f"{number:04}.jpg"
    Image.fromarray(pixels).save(path, quality=90)
    total += path.stat().st_size
print(json.dumps({"pictures": options.count, "bytes": total}))
