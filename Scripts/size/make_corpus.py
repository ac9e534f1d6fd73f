#!/usr/bin/env python3
"""A corpus as large as real ones: LLaVA records with pictures, deterministic.

    python3 Scripts/size/make_corpus.py FOLDER --records 1000000 --pictures 200000

Writes FOLDER/records.jsonl and FOLDER/images/NNN/NNNNNN.jpg: photographs-like noise and shapes, 4,000 different ones, each under many
names. One record in fifty refuses its answer, one in fifty repeats itself, one in a hundred is a copy of the record before.
"""
import argparse
import json
import multiprocessing
import os
import random

from PIL import Image, ImageDraw, ImageFilter

WORDS = ("the a red blue green small large cat dog man woman child house tree car bus street table chair window river sits stands holds runs near "
         "behind under over beside and with two three many bright dark wooden old young happy quiet round long picture shows there is are of in on").split()


def picture(job):
    folder, number, side = job
    rng = random.Random(number)
    image = Image.new("RGB", (side, side), tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.randrange(side), rng.randrange(side)
        draw.ellipse([x, y, x + rng.randrange(8, side), y + rng.randrange(8, side)], fill=tuple(rng.randrange(256) for _ in range(3)))
    image.filter(ImageFilter.GaussianBlur(1)).save(f"{folder}/base{number}.jpg", quality=85)


def sentence(rng, low, high):
    return " ".join(rng.choices(WORDS, k=rng.randint(low, high))).capitalize() + "."


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--different", type=int, default=4_000)
    parser.add_argument("--side", type=int, default=224)
    arguments = parser.parse_args()
    images = os.path.join(arguments.folder, "images")
    os.makedirs(images, exist_ok=True)
    different = min(arguments.different, arguments.pictures)
    with multiprocessing.Pool() as pool:
        pool.map(picture, [(images, number, arguments.side) for number in range(different)], chunksize=32)
    for number in range(arguments.pictures):
        folder = f"{images}/{number // 1000:03}"
        if number % 1000 == 0:
            os.makedirs(folder, exist_ok=True)
        target = f"{folder}/{number:06}.jpg"
        if not os.path.exists(target):
            os.link(f"{images}/base{number % different}.jpg", target)
    rng = random.Random(7)
    previous = None
    with open(os.path.join(arguments.folder, "records.jsonl"), "w") as file:
        for number in range(arguments.records):
            if previous is not None and number % 100 == 99:
                turns, image = previous
            else:
                place = number % arguments.pictures
                image = f"images/{place // 1000:03}/{place:06}.jpg"
                turns = []
                for turn in range(rng.choice([1, 1, 2, 3])):
                    question = sentence(rng, 4, 12)[:-1] + "?"
                    answer = sentence(rng, 1, 40)
                    if number % 50 == 7:
                        answer = "I'm sorry, but I cannot " + answer
                    if number % 50 == 23:
                        answer = " ".join([sentence(rng, 4, 5)] * 9)
                    turns += [{"from": "human", "value": ("<image>\n" if turn == 0 else "") + question}, {"from": "gpt", "value": answer}]
                previous = turns, image
            file.write(json.dumps({"id": f"r{number}", "image": image, "conversations": turns}) + "\n")


if __name__ == "__main__":
    main()
