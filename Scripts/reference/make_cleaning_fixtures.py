#!/usr/bin/env python3
"""Pairs of texts and pictures with what rouge-score, datasketch and imagehash say of them.

    python3 -m venv venv && venv/bin/pip install rouge-score datasketch imagehash
    venv/bin/python Scripts/reference/make_cleaning_fixtures.py Tests/InstructionDataTests/Fixtures/cleaning --pairs 40
    venv/bin/python Scripts/reference/make_cleaning_fixtures.py /tmp/cleaning --pairs 1000
    VITRAIL_CLEANING=/tmp/cleaning swift test -c release --filter CleaningReference

The hashes of words and shingles are computed here once more, from their description: FNV-1a of 64 bits over a word's
bytes; over the eight bytes (lowest first) of each of three words; folded to 32 bits by exclusive or of its halves.
"""
import argparse
import io
import json
import pathlib
import random
import re

import datasketch
import imagehash
import numpy
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from rouge_score import rouge_scorer

WORDS = (
    "a the red green blue small large round square cat dog bird house tree river road car bus person table chair under over beside "
    "behind near two three four what is are there how many which colour color stands lies runs holds in on of and with without picture "
    "image shows photo café naïve 12 7 don't it's New-York window door sky cloud bright dark left right top bottom middle").split()
MASK = (1 << 64) - 1


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def shingles(text):
    words = [fnv(word.encode()) for word in re.findall(r"[a-z0-9]+", text.lower())]
    size = min(3, len(words))
    result = set()
    for start in range(len(words) - size + 1) if size else []:
        value = fnv(b"".join(word.to_bytes(8, "little") for word in words[start : start + size]))
        result.add((value ^ (value >> 32)) & 0xFFFFFFFF)
    return sorted(result)


def text_pair(rng, ascii_only):
    words = [word for word in WORDS if word.isascii()] if ascii_only else WORDS
    first = [rng.choice(words) for _ in range(rng.choice([1, 3, 8, 15, 40, 64, 65, 130]))]
    second = list(first)
    for _ in range(rng.randint(0, len(first))):
        place = rng.randrange(len(second)) if second else 0
        kind = rng.random()
        if kind < 0.4 and len(second) > 1:
            del second[place]
        elif kind < 0.8:
            second.insert(place, rng.choice(words))
        else:
            rng.shuffle(second)
    marks = [" ", " ", " ", ", ", ". ", "\n"]
    join = lambda list: "".join(word + rng.choice(marks) for word in list)
    return join(first).capitalize(), join(second)


def picture(rng):
    size = (rng.randint(20, 90), rng.randint(20, 90))
    image = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(2, 7)):
        box = sorted(rng.randrange(size[0]) for _ in range(2)), sorted(rng.randrange(size[1]) for _ in range(2))
        box = [box[0][0], box[1][0], box[0][1] + 1, box[1][1] + 1]
        getattr(draw, rng.choice(["rectangle", "ellipse"]))(box, fill=tuple(rng.randrange(256) for _ in range(3)))
    return image.filter(ImageFilter.GaussianBlur(rng.random() * 2))


def variant(rng, image):
    kind = rng.choice(["resize", "bright", "jpeg", "other"])
    if kind == "resize":
        return image.resize((max(8, int(image.width * rng.uniform(0.5, 2))), max(8, int(image.height * rng.uniform(0.5, 2)))))
    if kind == "bright":
        return ImageEnhance.Brightness(image).enhance(rng.uniform(0.7, 1.3))
    if kind == "jpeg":
        data = io.BytesIO()
        image.save(data, "JPEG", quality=rng.randint(30, 90))
        return Image.open(io.BytesIO(data.getvalue())).convert("RGB")
    return picture(rng)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--pictures", type=int, help="pairs of pictures (default: as many)")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    template = datasketch.MinHash(num_perm=128, scheme="legacy", hashfunc=lambda data: int.from_bytes(data, "little"))
    texts = []
    for index in range(arguments.pairs):
        first, second = text_pair(rng, index % 2 == 0)
        entry = {"first": first, "second": second, "rouge_l": scorer.score(first, second)["rougeL"].fmeasure}
        if index % 2 == 0:
            sets = [shingles(first), shingles(second)]
            hashes = []
            for members in sets:
                mine = datasketch.MinHash(num_perm=128, scheme="legacy", hashfunc=template.hashfunc, permutations=template.permutations)
                for member in members:
                    mine.update(member.to_bytes(4, "little"))
                hashes.append(mine)
            union = set(sets[0]) | set(sets[1])
            entry["jaccard"] = len(set(sets[0]) & set(sets[1])) / len(union) if union else 1
            entry["estimate"] = hashes[0].jaccard(hashes[1])
            entry["signature"] = [int(value) for value in hashes[0].hashvalues[:8]]
        texts.append(entry)
    pictures = []
    for index in range(arguments.pictures or arguments.pairs):
        first = picture(rng)
        pair = [first, variant(rng, first)]
        names = [f"{index}{side}.png" for side in "ab"]
        for image, name in zip(pair, names):
            image.save(folder / name, optimize=True)
        hashes = [imagehash.phash(Image.open(folder / name)) for name in names]
        pictures.append({"names": names, "hashes": [str(value) for value in hashes], "distance": int(hashes[0] - hashes[1])})
    content = {
        "versions": {"datasketch": datasketch.__version__, "imagehash": imagehash.__version__, "numpy": numpy.__version__},
        "multipliers": [str(int(value)) for value in template.permutations[0]],
        "offsets": [str(int(value)) for value in template.permutations[1]],
        "texts": texts,
        "pictures": pictures,
    }
    (folder / "cleaning.json").write_text(json.dumps(content, ensure_ascii=False) + "\n")
    print(len(texts), "pairs of texts,", len(pictures), "pairs of pictures")


if __name__ == "__main__":
    main()
