"""Compares resizing and image processors with the Pillow and transformers that are installed, on random sizes from 1x1 to
3000x2000; the committed fixtures hold a few fixed sizes only.

    python Scripts/reference/compare_images.py [COUNT=500] [SEED=1]

Writes expectations to a temporary folder, then runs the project's own tests on them (variable VITRAIL_IMAGE_CASES).
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

import make_image_fixtures as fixtures

FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")


def side(generator, largest):
    """Small sides as often as large ones."""
    return max(1, round(largest ** generator.random()))


def resizes(count, generator):
    for number in range(count):
        size = (side(generator, 3000), side(generator, 2000))
        target = (side(generator, 700), side(generator, 700))
        if number % 5 == 0:
            target = (224, 224)
        if number % 11 == 0:
            target = (size[0], target[1])
        name = FILTERS[number % 6]
        image = Image.fromarray(fixtures.picture(*size)).resize(target, Image.Resampling[name.upper()])
        yield {"from": list(size), "to": list(target), "filter": name, "sha256": fixtures.sha256(image)}


def processors(count, generator):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    kinds = [
        CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}),
        SiglipImageProcessorPil(size={"height": 224, "width": 224}),
        LlavaImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}, do_pad=True),
        LlavaNextImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}),
        Idefics3ImageProcessorPil(),
    ]
    for number in range(count):
        size = (side(generator, 3000), side(generator, 2000))
        # Beyond this ratio the other side of a resized picture is longer than is taken here.
        if max(size) > 100 * min(size):
            continue
        processor = kinds[number % len(kinds)]
        splits = isinstance(processor, Idefics3ImageProcessorPil)
        extra = {"return_row_col_info": True} if splits else {}
        out = processor(Image.fromarray(fixtures.picture(*size)), **extra)
        values = np.array(out["pixel_values"][0], dtype=np.float32)
        values = values if values.ndim == 4 else values[None]
        case = {"configuration": processor.to_dict(), "from": list(size), "shape": list(values.shape),
                "sha256": fixtures.sha256(values)}
        if splits:
            case |= {"rows": out["rows"][0][0], "columns": out["cols"][0][0]}
        yield case


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    generator = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    repository = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "resizes.json").write_text(fixtures.lines(resizes(count, generator)))
        (pathlib.Path(folder) / "processors.json").write_text(fixtures.lines(processors(count, generator)))
        print(f"{count} random sizes written; comparing", flush=True)
        result = subprocess.run(
            ["swift", "test", "-c", "release", "--filter", "ImagingTests.(Resizing|Processor)Tests"],
            cwd=os.environ.get("VITRAIL_PACKAGE", repository), env=os.environ | {"VITRAIL_IMAGE_CASES": folder})
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
