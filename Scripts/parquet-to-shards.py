#!/usr/bin/env python3
"""Parquet files with pictures in them as WebDataset shards, which `vitrail convert webdataset` reads.

    pip install pyarrow
    Scripts/parquet-to-shards.py OUT/train data/*.parquet --per-shard 2000
    Scripts/parquet-to-shards.py OUT/train data/*.parquet --image image --columns question answers

A picture is a column of bytes, or of structs with `bytes` (as the datasets library writes them), or a list of these. The
other columns become the sample's JSON; `texts` of `{user, assistant}` (the_cauldron, FineVision) become conversations. Pictures
keep their bytes and the ending of their format, also of those that `vitrail convert` does not decode: it names them. Numbers
that JSON has not (NaN, infinity) become null. One row group is in memory at a time.
"""
import argparse
import io
import json
import math
import os
import sys
import tarfile

import pyarrow.parquet


BEGINNINGS = [
    (0, b"\x89PNG", "png"), (0, b"\xff\xd8", "jpg"), (0, b"GIF8", "gif"), (8, b"WEBP", "webp"), (0, b"BM", "bmp"),
    (0, b"II*\0", "tif"), (0, b"MM\0*", "tif"), (4, b"ftypavif", "avif"), (4, b"ftyphei", "heic"),
    (4, b"ftypmif1", "heic"), (0, b"\xff\x0a", "jxl"), (4, b"JXL ", "jxl"), (4, b"jP  ", "jp2")]


def pictures(value):
    """The bytes of pictures; raises ValueError of a picture that is named and not there."""
    if value is None:
        return []
    if isinstance(value, list):
        return [picture for member in value for picture in pictures(member)]
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str) and value:
        raise ValueError(f'the picture "{value}" is only named, its bytes are not in the file')
    return [value] if value else []


def ending(data):
    # A picture of no known format is .img, of which the converter says that it is not decoded.
    return next((name for place, begin, name in BEGINNINGS if data[place:place + len(begin)] == begin), "img")


def plain(value):
    """A value as JSON has it: what is no number becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list) else value


def record(row, image_columns):
    rest = {key: value for key, value in row.items() if key not in image_columns}
    turns = rest.pop("texts", None)
    if isinstance(turns, list) and turns and isinstance(turns[0], dict) and "assistant" in turns[0]:
        rest["conversations"] = [
            {"from": side, "value": turn[name]} for turn in turns for side, name in (("human", "user"), ("gpt", "assistant"))]
    return rest


class Shards:
    def __init__(self, prefix, size):
        self.prefix, self.size, self.count, self.number, self.tar = prefix, size, 0, 0, None
        os.makedirs(os.path.dirname(prefix) or ".", exist_ok=True)

    def add(self, members):
        if self.tar is None:
            self.path = f"{self.prefix}-{self.number:06}.tar"
            self.tar = tarfile.open(self.path + ".part", "w", format=tarfile.PAX_FORMAT)
        for name, data in members:
            info = tarfile.TarInfo(f"{self.count:09}.{name}")
            info.size = len(data)
            self.tar.addfile(info, io.BytesIO(data))
        self.count += 1
        if self.count % self.size == 0:
            self.close()

    def close(self):
        if self.tar is not None:
            self.tar.close()
            os.rename(self.path + ".part", self.path)
            self.tar, self.number = None, self.number + 1

    def discard(self):
        if self.tar is not None:
            self.tar.close()
            os.remove(self.path + ".part")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prefix", help="path and beginning of the shards' names")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--image", nargs="*", default=["image", "images"], help="columns that hold pictures")
    parser.add_argument("--columns", nargs="*", help="columns to keep beside them (default: all)")
    parser.add_argument("--per-shard", type=int, default=1000)
    arguments = parser.parse_args()
    shards = Shards(arguments.prefix, arguments.per_shard)
    for path in arguments.files:
        file = pyarrow.parquet.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if name in arguments.image or not arguments.columns or name in arguments.columns]
        number = 1
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=names).to_pylist():
                try:
                    found = [picture for name in arguments.image for picture in pictures(row.get(name))]
                except ValueError as fault:
                    shards.discard()
                    sys.exit(f"error: {path}, row {number}: {fault}\nfix: write the file with the pictures' bytes in it")
                number += 1
                data = json.dumps(plain(record(row, arguments.image)), ensure_ascii=False, default=str).encode()
                label = (lambda index: "") if len(found) == 1 else (lambda index: f"{index}.")
                shards.add([("json", data)] + [(label(i) + ending(one), one) for i, one in enumerate(found)])
    shards.close()
    print(f"{shards.count} samples in {shards.number} shards")


if __name__ == "__main__":
    main()
