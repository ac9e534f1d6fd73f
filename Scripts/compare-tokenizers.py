"""Ids and speed of `vitrail tokenizer encode` beside the `tokenizers` library, one thread each, in one run.

    pip install tokenizers
    python Scripts/compare-tokenizers.py [--vitrail .build/release/vitrail] [--megabytes 10] FOLDER...

Each FOLDER holds a tokenizer.json. The text is made here, from a fixed seed: code and prose of the Python installation,
words in several scripts, emoji with joiners, control characters, any code points, long white space. Every line's ids must
be identical, special tokens in text being ordinary text on both sides. Times are those of encoding alone, medians of
five runs taken in turn.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
SCRIPTS = [(0x41, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x6FF), (0x900, 0x97F), (0xE00, 0xE5B),
           (0x1780, 0x17FF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1F6FF), (0x300, 0x36F), (0xFF00, 0xFFEF)]
JOINED = ["👩‍🚀", "👍🏽", "🏳️‍🌈", "e\u0301", "</s>", "<|im_end|>", "<|endoftext|>", "\r\n", "\u00a0", "\u2003", "\u200b", "don't", "IT'LL", "12345"]


def lines(megabytes, seed=17):
    rng = random.Random(seed)
    sources = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py"))
    code = "".join(p.read_text(errors="replace") for p in sources)
    size, limit = 0, int(megabytes * 1e6)

    def words(low, high):
        return " ".join("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 9))) for _ in range(rng.randint(3, 40)))

    def anything():
        out = []
        while len(out) < 120:
            c = rng.choice([rng.randint(0, 0x7F), rng.randint(0, 0x2FFF), rng.randint(0, 0x10FFFF)])
            if not 0xD800 <= c < 0xE000:
                out.append(chr(c))
        return "".join(out)

    while size < limit:
        kind = rng.random()
        if kind < 0.6:
            start = rng.randrange(len(code))
            text = code[start:start + rng.randint(20, 3000)]
        elif kind < 0.9:
            text = words(*rng.choice(SCRIPTS))
        elif kind < 0.95:
            text = rng.choice([" ", "\n", "\t", " \n", "\u3000"]) * rng.randint(1, 300) + "x" * rng.randint(0, 3)
        elif kind < 0.98:
            text = "".join(rng.choice(JOINED + [" ", "a", "é"]) for _ in range(60))
        else:
            text = anything()
        size += len(text.encode())
        yield text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--vitrail", default=".build/release/vitrail")
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--repeat", type=int, default=5)
    a = parser.parse_args()
    from tokenizers import Tokenizer
    texts = list(lines(a.megabytes))
    bytes_ = sum(len(t.encode()) for t in texts)
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "lines.jsonl"
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        print(f"{len(texts)} lines, {bytes_ / 1e6:.1f} MB\n{'tokenizer':24} {'tokens':>9} {'ids':>10} {'tokenizers':>12} {'vitrail':>12} {'ratio':>6}")
        for folder in a.folders:
            reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
            reference.encode_special_tokens = True
            theirs, ours = [], []
            for _ in range(a.repeat):
                start = time.perf_counter()
                expected = reference.encode_batch_fast(texts, add_special_tokens=False)
                theirs.append(time.perf_counter() - start)
                run = subprocess.run([a.vitrail, "tokenizer", "encode", str(folder), "--input", str(path), "--json", "--time"],
                                     capture_output=True, text=True)
                if run.returncode:
                    sys.exit(run.stderr)
                ours.append(float(run.stderr.split("encoding took ")[1].split()[0]))
            wrong = 0
            for number, (text, e, line) in enumerate(zip(texts, expected, run.stdout.splitlines(), strict=True)):
                if e.ids != json.loads(line)["ids"]:
                    wrong += 1
                    if wrong <= 3:
                        print(f"  line {number + 1} differs: {text[:100]!r}\n    {e.ids[:20]}\n    {json.loads(line)['ids'][:20]}")
            failed |= wrong > 0
            t, o = statistics.median(theirs), statistics.median(ours)
            print(f"{folder.name:24} {sum(len(e.ids) for e in expected):9} {'identical' if not wrong else f'{wrong} differ':>10} "
                  f"{bytes_ / t / 1e6:7.1f} MB/s {bytes_ / o / 1e6:7.1f} MB/s {t / o:6.2f}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
