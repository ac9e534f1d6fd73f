"""Compares resizing and image processors with the Pillow and transformers that are installed, on random sizes from 1x1 to
3000x2000; the committed fixtures hold a few fixed sizes only.

    python Scripts/reference/compare_images.py [COUNT=500] [SEED=1]

Every one of COUNT sizes (half of them uniform, half with small sides as often as large ones) goes through a resize and through
every processor: CLIP, SigLIP, LLaVA with padding, LLaVA-NeXT, Idefics3, SmolVLM (the slow, Pillow classes of transformers) and
nanoVLM's transforms (data/custom_transforms.py of its repository, written down here without torchvision). Results must be equal
in every bit, but for nanoVLM's whole tile, which torch resizes in floats: there 1e-6 is allowed. Sizes that a peer
refuses (LLaVA-NeXT and Idefics3 do some) are counted and left out.

Writes expectations to a temporary folder, then runs the project's own tests on them (variable VITRAIL_IMAGE_CASES).
"""
import collections
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image

import make_image_fixtures as fixtures

FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
torch.set_num_threads(1)


def side(generator, largest):
    """Small sides as often as large ones."""
    return max(1, round(largest ** generator.random()))


def sizes(count, generator):
    for number in range(count):
        if number % 2:
            yield generator.randint(1, 3000), generator.randint(1, 2000)
        else:
            yield side(generator, 3000), side(generator, 2000)


def resizes(some, generator):
    for number, size in enumerate(some):
        target = (side(generator, 700), side(generator, 700))
        if number % 5 == 0:
            target = (224, 224)
        if number % 11 == 0:
            target = (size[0], target[1])
        name = FILTERS[number % 6]
        image = Image.fromarray(fixtures.picture(*size)).resize(target, Image.Resampling[name.upper()])
        yield {"from": list(size), "to": list(target), "filter": name, "sha256": fixtures.sha256(image)}


def processors(some, refused):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
    square = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    kinds = [
        CLIPImageProcessorPil(**square), SiglipImageProcessorPil(size={"height": 384, "width": 384}),
        LlavaImageProcessorPil(**square, do_pad=True), LlavaNextImageProcessorPil(**square),
        Idefics3ImageProcessorPil(),
        SmolVLMImageProcessorPil(size={"longest_edge": 2048}, max_image_size={"longest_edge": 512}),
    ]
    for size in some:
        image = Image.fromarray(fixtures.picture(*size))
        for processor in kinds:
            splits = "max_image_size" in processor.to_dict()
            try:
                out = processor(image, **({"return_row_col_info": True} if splits else {}))
            except (ValueError, ZeroDivisionError, MemoryError) as error:
                refused[f"{type(processor).__name__}: {error}"[:120]] += 1
                continue
            values = np.array(out["pixel_values"][0], dtype=np.float32)
            values = values if values.ndim == 4 else values[None]
            case = {"configuration": processor.to_dict(), "from": list(size), "shape": list(values.shape),
                    "sha256": fixtures.sha256(values)}
            if splits:
                case |= {"rows": out["rows"][0][0], "columns": out["cols"][0][0]}
            yield case


def nano(some, whole_tiles):
    """nanoVLM's DynamicResize, ToTensor and GlobalAndSplitImages; the float values of whole tiles go to a file."""
    settings = [(128, 512, False), (64, 512, True), (96, 384, False)]
    with open(whole_tiles, "wb") as file:
        for number, size in enumerate(some):
            tile, most, upscales = settings[number % 3]
            values, rows, columns = fixtures.nanovlm_tiles(size, tile, most, upscales)
            case = {"nanovlm": {"tile": tile, "maximum_side": most, "upscales": upscales}, "from": list(size),
                    "shape": list(values.shape), "rows": rows, "columns": columns, "whole_tiles": str(whole_tiles),
                    "offset": file.tell(), "sha256": fixtures.sha256(values[1:])}
            file.write(np.ascontiguousarray(values[0], dtype="<f4").tobytes())
            yield case


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    generator = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    repository = pathlib.Path(__file__).resolve().parents[2]
    some, refused = list(sizes(count, generator)), collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "resizes.json").write_text(fixtures.lines(resizes(some, generator)))
        cases = [*processors(some, refused), *nano(some, folder / "whole.f32")]
        (folder / "processors.json").write_text(fixtures.lines(cases))
        print(f"{count} sizes, {len(cases)} tensors written; comparing", *(f"refused {n} × {k}" for k, n in refused.items()),
              sep="\n", flush=True)
        if os.environ.get("VITRAIL_KEEP_CASES"):
            subprocess.run(["cp", "-r", name, os.environ["VITRAIL_KEEP_CASES"]], check=True)
        result = subprocess.run(
            ["swift", "test", "-c", "release", "--filter", "ImagingTests.(Resizing|Processor)Tests"],
            cwd=os.environ.get("VITRAIL_PACKAGE", repository), env=os.environ | {"VITRAIL_IMAGE_CASES": name})
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
