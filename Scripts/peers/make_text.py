"""Writes mixed text as JSON lines: code, prose, many scripts, emoji, as in Scripts/compare-tokenizers.py.

    python make_text.py FILE --megabytes 5

Prints {"bytes": …}.
"""

import argparse
import json
import runpy
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file", type=Path)
parser.add_argument("--megabytes", type=float, default=5)
options = parser.parse_args()

lines = runpy.run_path(str(Path(__file__).resolve().parent.parent / "compare-tokenizers.py"))["lines"]
total = 0
with options.file.open("w") as out:
    for text in lines(options.megabytes):
        total += len(text.encode())
        out.write(json.dumps({"text": text}) + "\n")
print(json.dumps({"bytes": total}))
