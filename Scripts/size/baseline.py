#!/usr/bin/env python3
"""The same work as `vitrail convert llava` with templates, `data filter --pictures` and `data shard`, in Python: json, Pillow, multiprocessing.

    python3 Scripts/size/baseline.py FOLDER/records.jsonl OUT [--processes 4]

Each step prints its seconds. The work is split as people write it: a pool over blocks of lines, results written in order.
"""
import argparse
import collections
import hashlib
import io
import json
import multiprocessing
import os
import random
import re
import tarfile
import time

from PIL import Image

PHRASINGS = ["{}\nAnswer the question using a single word or phrase.", "{} Answer briefly.", "Question: {} Short answer:",
             "{}\nReply with one word if you can.", "Q: {}\nA:", "{} Don't write a sentence, give only the answer.", "In a few words: {}",
             "Picture quiz. {} Your answer in a word or two:", "Look at the image. {} Keep the answer as short as possible.",
             "Fill in the form.\nQuestion: {}\nAnswer (a word or phrase):"]
REFUSALS = ("i'm sorry", "i am sorry", "sorry, i", "sorry, but", "i cannot", "i can't", "as an ai", "as a language model", "unfortunately, i", "i apologize")
WORD = re.compile(r"\w+")


def check(record):
    turns = record["conversations"]
    if not isinstance(turns, list) or not turns or len(turns) % 2:
        raise ValueError("turns")
    for index, turn in enumerate(turns):
        if turn["from"] != ("human", "gpt")[index % 2] or not turn["value"].strip():
            raise ValueError("turn")
        if index % 2 and "<image>" in turn["value"]:
            raise ValueError("marker")
    if sum(turn["value"].count("<image>") for turn in turns) != ("image" in record):
        raise ValueError("markers")


def convert(lines):
    result = []
    for line in lines:
        record = json.loads(line)
        check(record)
        names = []
        for index, turn in enumerate(record["conversations"][::2]):
            rng = random.Random(int.from_bytes(hashlib.sha256(f"{record['id']}#{index}".encode()).digest()[:8], "big"))
            number = rng.randrange(len(PHRASINGS))
            marker = "<image>\n" if "<image>" in turn["value"] else ""
            turn["value"] = marker + PHRASINGS[number].format(turn["value"].replace("<image>\n", ""))
            names.append(f"vqa-short/{number}")
        record["templates"] = names
        result.append(json.dumps(record, ensure_ascii=False))
    return result


def fault(question, answer):
    words = WORD.findall(answer.lower())
    if not 1 <= len(words) <= 400:
        return "length"
    if len(words) >= 8:
        counts = collections.Counter(tuple(words[i : i + 4]) for i in range(len(words) - 3))
        if max(counts.values()) > 3:
            return "repeats"
    if answer.strip().lower().startswith(REFUSALS):
        return "refusal"
    return None


def look(path):
    try:
        with Image.open(path) as image:
            image.convert("RGB").load()
            return min(image.size) >= 64
    except Exception:
        return False


def clean(job):
    lines, root = job
    kept, removed = [], []
    for line in lines:
        record = json.loads(line)
        check(record)
        turns = record["conversations"]
        exchanges = []
        for question, answer in zip(turns[::2], turns[1::2]):
            reason = fault(question["value"], answer["value"])
            if reason:
                removed.append(json.dumps({"id": record["id"], "rule": reason}))
            else:
                exchanges += [question, answer]
        if exchanges:
            if "<image>" not in exchanges[0]["value"]:
                exchanges[0]["value"] = "<image>\n" + exchanges[0]["value"]
            record["conversations"] = exchanges
            kept.append(json.dumps(record, ensure_ascii=False))
    return kept, removed


def shard(job):
    path, lines, root = job
    with tarfile.open(path + ".part", "w") as tar:
        for number, line in enumerate(lines):
            record = json.loads(line)
            image = record.pop("image")
            with open(os.path.join(root, image), "rb") as file:
                picture = file.read()
            for name, data in ((f"{number:09}.json", json.dumps(record, ensure_ascii=False).encode()), (f"{number:09}.jpg", picture)):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    os.rename(path + ".part", path)


def blocks(path, size):
    block = []
    with open(path) as file:
        for line in file:
            block.append(line)
            if len(block) == size:
                yield block
                block = []
    if block:
        yield block


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("records")
    parser.add_argument("output")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    root = os.path.dirname(arguments.records)
    os.makedirs(arguments.output, exist_ok=True)
    with multiprocessing.Pool(arguments.processes) as pool:
        start = time.time()
        with open(arguments.output + "/converted.jsonl", "w") as file:
            for lines in pool.imap(convert, blocks(arguments.records, 1000)):
                file.write("\n".join(lines) + "\n")
        print(f"convert {time.time() - start:.1f} s", flush=True)
        start = time.time()
        names = sorted({json.loads(line)["image"] for block in blocks(arguments.output + "/converted.jsonl", 1000) for line in block})
        good = set(name for name, fine in zip(names, pool.imap(look, [os.path.join(root, name) for name in names], chunksize=256)) if fine)
        kept = 0
        with open(arguments.output + "/clean.jsonl", "w") as file, open(arguments.output + "/removed.jsonl", "w") as side:
            jobs = ((block, root) for block in blocks(arguments.output + "/converted.jsonl", 1000))
            for lines, removed in pool.imap(clean, jobs):
                for line in lines:
                    if json.loads(line)["image"] in good:
                        file.write(line + "\n")
                        kept += 1
                side.writelines(line + "\n" for line in removed)
        print(f"filter {time.time() - start:.1f} s, {kept} kept", flush=True)
        start = time.time()
        jobs = ((f"{arguments.output}/shard-{number:06}.tar", block, root) for number, block in enumerate(blocks(arguments.output + "/clean.jsonl", 10000)))
        for _ in pool.imap_unordered(shard, jobs):
            pass
        print(f"shard {time.time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
