"""Times the `tokenizers` library encoding lines of text on one thread.

    python tokenizers_encode.py MODEL --input lines.jsonl

Prints {"bytes_per_second": …, "tokens": …}: the median of the timed passes, after one that is not timed.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--input", type=Path, required=True)
parser.add_argument("--passes", type=int, default=5)
options = parser.parse_args()

tokenizer = tokenizers.Tokenizer.from_file(str(options.folder / "tokenizer.json"))
tokenizer.encode_special_tokens = True
texts = [json.loads(line)["text"] for line in options.input.read_text().splitlines()]


def encode() -> tuple[float, int]:
    start = time.perf_counter()
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return time.perf_counter() - start, sum(len(line.ids) for line in encoded)


tokens = encode()[1]
seconds = statistics.median(encode()[0] for _ in range(options.passes))
print(json.dumps({"bytes_per_second": sum(len(text.encode()) for text in texts) / seconds, "tokens": tokens,
                  "tokenizers": tokenizers.__version__}))
