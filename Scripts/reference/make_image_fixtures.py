"""Makes Tests/ImagingTests/Fixtures: small PNG and JPEG files of every kind, and what Pillow and transformers make of
pictures. Run with Pillow 13, numpy, torch and transformers 5 (without torchvision):

    python Scripts/reference/make_image_fixtures.py Tests/ImagingTests/Fixtures
"""
import hashlib
import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps


def picture(width, height):
    """A picture that the tests draw again: Tests/ImagingTests/TestPicture.swift has the same formula."""
    y, x = np.arange(height, dtype=np.int32)[:, None], np.arange(width, dtype=np.int32)
    value = x * 7 + y * 13 + (x * y) // 16 + ((x // 5 + y // 3) % 2) * 128
    return (value[..., None] + np.arange(3, dtype=np.int32) * 85 & 255).astype(np.uint8)


def smooth(width, height):
    """Softer, so that JPEG files stay small and alike."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 200 // width + y * 120 // height + c * 40 + (x * y) // 50) & 255).astype(np.uint8)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


# Pictures

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples, depth, colour, interlaced=False, extra=b""):
    """samples: [height, width, channels], written without filters; Adam7 when interlaced."""
    height, width, channels = samples.shape

    def rows(part):
        out = b""
        for row in part:
            bits = "".join(format(int(v), f"0{depth}b") for v in row.reshape(-1))
            bits += "0" * (-len(bits) % 8)
            out += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        return out
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    if interlaced:
        data = b"".join(rows(samples[y0::dy, x0::dx]) for x0, y0, dx, dy in passes if x0 < width and y0 < height)
    else:
        data = rows(samples)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
            + extra + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b""))


def exif(orientation, little):
    order = "<" if little else ">"
    return ((b"II" if little else b"MM") + struct.pack(order + "HIH", 42, 8, 1)
            + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack(order + "I", 0))


def save(array_or_image, kind="JPEG", **keywords):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    out = io.BytesIO()
    image.save(out, kind, **keywords)
    return out.getvalue()


def pictures():
    width, height = 19, 13
    rgb = picture(width, height)
    gray = rgb[..., :1]
    alpha = (np.add.outer(np.arange(height) * 11, np.arange(width) * 7) % 256)[..., None].astype(np.uint8)
    wide = rgb.astype(np.int64) * 257 // 2 + 99
    palette = bytes((i * 37 + c * 91) & 255 for i in range(16) for c in range(3))
    plte = chunk(b"PLTE", palette)
    index = gray[..., :1] // 16
    files = {}
    for depth in (1, 2, 4, 8):
        files[f"gray{depth}.png"] = png(gray >> (8 - depth), depth, 0)
    files["gray16.png"] = png(wide[..., :1], 16, 0)
    files["gray2-transparent.png"] = png(gray >> 6, 2, 0, extra=chunk(b"tRNS", struct.pack(">H", 2)))
    files["gray-alpha8.png"] = png(np.dstack([gray, alpha]), 8, 4)
    files["gray-alpha16.png"] = png(np.dstack([wide[..., :1], alpha.astype(int) * 257]), 16, 4)
    files["rgb8.png"] = png(rgb, 8, 2)
    files["rgb8-interlaced.png"] = png(rgb, 8, 2, interlaced=True)
    files["rgb16.png"] = png(wide, 16, 2)
    files["rgb8-transparent.png"] = png(rgb, 8, 2, extra=chunk(b"tRNS", struct.pack(">HHH", *[int(v) for v in rgb[2, 3]])))
    files["rgba8.png"] = png(np.dstack([rgb, alpha]), 8, 6)
    files["rgba8-interlaced.png"] = png(np.dstack([rgb, alpha]), 8, 6, interlaced=True)
    files["rgba16.png"] = png(np.dstack([wide, alpha.astype(int) * 257]), 16, 6)
    files["palette4.png"] = png(index, 4, 3, extra=plte)
    files["palette4-interlaced-transparent.png"] = png(
        index, 4, 3, interlaced=True, extra=plte + chunk(b"tRNS", bytes([0, 90, 180, 255, 10])))
    files["palette8-transparent.png"] = png(index, 8, 3, extra=plte + chunk(b"tRNS", bytes([255, 128])))
    files["exif6.png"] = png(rgb, 8, 2, extra=chunk(b"eXIf", exif(6, True)))
    files["1x1.png"] = png(rgb[:1, :1], 8, 2)

    soft = smooth(37, 29)
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        files[f"{name}.jpg"] = save(soft, quality=85, subsampling=sampling)
        files[f"{name}-progressive.jpg"] = save(soft, quality=85, subsampling=sampling, progressive=True)
    files["gray.jpg"] = save(soft[..., 0], quality=85)
    files["rgb.jpg"] = save(soft, quality=85, keep_rgb=True)
    files["restart.jpg"] = save(soft, quality=85, restart_marker_blocks=2)
    files["cmyk.jpg"] = save(Image.fromarray(soft).convert("CMYK"), quality=85)
    files["1x1.jpg"] = save(soft[:1, :1], quality=85)
    for orientation in range(1, 9):
        files[f"exif{orientation}.jpg"] = save(
            soft[:16, :24], quality=60, exif=b"Exif\0\0" + exif(orientation, orientation % 2 == 0))
    files["exif9.jpg"] = save(soft[:16, :24], quality=60, exif=b"Exif\0\0" + exif(9, False))
    return files


def on_white(rgba):
    colour, alpha = rgba[..., :3].astype(int), rgba[..., 3:].astype(int)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def expected(name, data):
    image = Image.open(io.BytesIO(data))
    orientation = image.getexif().get(0x0112, 1)
    orientation = orientation if 1 <= orientation <= 8 else 1
    header = {"format": image.format, "stored_width": image.width, "stored_height": image.height,
              "orientation": orientation}
    rgb = image
    if name == "gray2-transparent.png":  # Pillow leaves the transparent colour of 2-bit grey out
        levels = np.array(image.convert("L")) // 85
        rgba = np.dstack([levels * 85] * 3 + [np.where(levels == 2, 0, 255)])
    elif name in ("gray16.png", "gray-alpha16.png", "rgb16.png", "rgba16.png"):  # the high byte of the samples written
        wide = picture(image.width, image.height).astype(np.int64) * 257 // 2 + 99
        high = (wide >> 8).astype(np.uint8)
        colour = np.dstack([high[..., 0]] * 3) if "gray" in name else high
        steps = np.add.outer(np.arange(image.height) * 11, np.arange(image.width) * 7) % 256
        rgba = np.dstack([colour, steps if "a" in name.replace("gray", "") else np.full(steps.shape, 255)])
        rgb = Image.fromarray(colour)
    else:
        rgba = np.array(ImageOps.exif_transpose(image).convert("RGBA"))
    white = on_white(rgba)
    dropped = np.array(rgb.convert("RGB"))
    return header | {"width": white.shape[1], "height": white.shape[0], "rgb_sha256": sha256(white),
                     "dropped_alpha_sha256": sha256(dropped)}


# Resizing

SIZES = [(64, 48, 20, 15), (64, 48, 100, 90), (33, 71, 33, 20), (17, 90, 40, 41), (90, 17, 41, 40), (1, 1, 5, 7),
         (50, 1, 3, 4), (2, 200, 9, 3), (300, 200, 1, 1), (251, 403, 224, 224), (101, 67, 100, 66), (40, 40, 30, 5)]


def resizes():
    for width, height, to_width, to_height in SIZES:
        image = Image.fromarray(picture(width, height))
        for name in ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"):
            resized = image.resize((to_width, to_height), Image.Resampling[name.upper()])
            yield {"from": [width, height], "to": [to_width, to_height], "filter": name, "sha256": sha256(resized)}


# Processors

def processors():
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
    small = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    grid = {"image_grid_pinpoints": [[32, 64], [64, 32], [64, 64], [96, 32], [32, 96]]}
    split = {"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 32}}
    cases = [
        (CLIPImageProcessorPil, small), (CLIPImageProcessorPil, {"size": {"shortest_edge": 20}} | {
            "crop_size": {"height": 33, "width": 24}}),
        (CLIPImageProcessorPil, small | {"do_rescale": False}), (CLIPImageProcessorPil, small | {"do_normalize": False}),
        (SiglipImageProcessorPil, {"size": {"height": 24, "width": 40}}),
        (SiglipImageProcessorPil, {"size": {"height": 32, "width": 32}, "resample": 2}),
        (LlavaImageProcessorPil, small | {"do_pad": True}), (LlavaNextImageProcessorPil, small | grid),
        (Idefics3ImageProcessorPil, split), (SmolVLMImageProcessorPil, split),
        (SmolVLMImageProcessorPil, split | {"do_image_splitting": False}),
    ]
    sizes = [(50, 70), (70, 50), (32, 32), (200, 31), (7, 90), (1, 1), (129, 128)]
    for kind, keywords in cases:
        processor = kind(**keywords)
        configuration = processor.to_dict()
        for width, height in sizes:
            if kind is SmolVLMImageProcessorPil and width == 200:
                continue
            extra = {"return_row_col_info": True} if "max_image_size" in keywords else {}
            out = processor(Image.fromarray(picture(width, height)), **extra)
            values = np.array(out["pixel_values"][0], dtype=np.float32)
            values = values if values.ndim == 4 else values[None]
            case = {"configuration": configuration, "from": [width, height], "shape": list(values.shape),
                    "sha256": sha256(values)}
            if extra:
                case |= {"rows": out["rows"][0][0], "columns": out["cols"][0][0]}
            yield case
    for (width, height), (tile, side, upscales) in zip(sizes[:5], [(16, 64, False), (32, 64, True), (32, 64, False)] * 2):
        values, rows, columns = nanovlm_tiles((width, height), tile, side, upscales)
        at = np.random.default_rng(5).integers(0, values.size, 60)
        yield {"nanovlm": {"tile": tile, "maximum_side": side, "upscales": upscales}, "from": [width, height],
               "shape": list(values.shape), "rows": rows, "columns": columns,
               "samples": [[int(i), float(values.reshape(-1)[i])] for i in at]}


def nanovlm_tiles(size, tile, most, upscales):
    """nanoVLM's DynamicResize, ToTensor and GlobalAndSplitImages; rows and columns are 0 for a picture of one tile."""
    import torch
    (width, height), long, short = size, max(size), min(size)
    to_long = most if upscales else min(most, -(-long // tile) * tile)
    to_short = max(int(np.ceil(short * (to_long / long) / tile)) * tile, tile)
    to = (to_long, to_short) if width >= height else (to_short, to_long)
    resized = np.array(Image.fromarray(picture(*size)).resize(to, Image.Resampling.BICUBIC))
    tensor = torch.from_numpy(resized).permute(2, 0, 1).contiguous().float().div(255)[None]
    rows, columns = to[1] // tile, to[0] // tile
    tiles = [tensor[..., r * tile:(r + 1) * tile, c * tile:(c + 1) * tile] for r in range(rows) for c in range(columns)]
    if len(tiles) == 1:
        return tensor.numpy(), 0, 0
    whole = torch.nn.functional.interpolate(
        tensor, size=(tile, tile), mode="bilinear", align_corners=False, antialias=True)
    return torch.cat([whole] + tiles).numpy(), rows, columns


def eighths():
    """JPEG files of the kinds that Vitrail's own encoder does not write, for decoding at an eighth of their size."""
    image = Image.fromarray(picture(131, 77))
    kinds = {
        "restarts": {"subsampling": 2, "restart_marker_blocks": 3},
        "restarts1": {"subsampling": 2, "restart_marker_blocks": 1, "optimize": True},
        "grey": {"grey": True},
        "halved": {"subsampling": 1},
    }
    for name, options in kinds.items():
        data = io.BytesIO()
        source = image.convert("L") if options.pop("grey", False) else image
        source.save(data, "JPEG", quality=40, **options)
        yield f"eighth-{name}.jpg", data.getvalue()


def lines(items):
    return "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n"


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    entries = []
    for name, data in pictures().items():
        (folder / "pictures" / name).write_bytes(data)
        entries.append({"file": name} | expected(name, data))
    for name, data in eighths():
        (folder / "pictures" / name).write_bytes(data)
    (folder / "pictures.json").write_text(lines(entries))
    (folder / "resizes.json").write_text(lines(resizes()))
    (folder / "processors.json").write_text(lines(processors()))


if __name__ == "__main__":
    main()
