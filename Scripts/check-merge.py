#!/usr/bin/env python3
"""From a quantised base through an adapter to plain weights that transformers opens, and the same answers all the way.

    python Scripts/check-merge.py [--vitrail PATH]      # torch, transformers

For lora, dora, qlora (NF4, FP4, 8 bits), ia3, vera, intrinsic dimension and norms: tunes the default model for some steps on a few
drawn pictures; scores answers with the base and the adapter apart, with `vitrail adapter merge`, and with the run's finished
model; exports it, opens it in transformers with no missing and no unexpected key, and compares each weight. Prints the largest
difference of −log p a token; exit code 1 where one is above float32's noise (1e-4). A quantised base is rounded, so there its own
finished model, whose weights are those of the codes, is what must agree.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

ROOT = Path(__file__).resolve().parent.parent
METHODS = {
    "lora": "{method: lora, rank: 4}", "dora": "{method: lora, rank: 4, dora: true}",
    "qlora nf4": "{method: qlora, rank: 4}", "qlora fp4": "{method: qlora, rank: 4, base: fp4, double: false}",
    "qlora int8": "{method: qlora, rank: 4, base: int8}", "ia3": "ia3", "vera": "{method: vera, rank: 32}",
    "intrinsic": "{method: intrinsic, dimensions: 100}", "norms": "norms",
}


def place(key: str) -> tuple[str, str]:
    """A weight's part and its name there: transformers nests parts otherwise in files than in memory."""
    part = "vision" if "vision" in key else "projector" if "projector" in key else "text"
    return part, key.split("layers.", 1)[1] if "layers." in key else ".".join(key.split(".")[-2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vitrail", default=str(ROOT / ".build/release/vitrail"))
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()

    def vitrail(*words: str) -> str:
        done = subprocess.run([options.vitrail, *words, "--threads", "1"] if words[0] in ("train", "score") else
                              [options.vitrail, *words], capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            sys.exit(f"{' '.join(words)}\n{done.stderr}")
        return done.stdout

    def losses(model: Path, records: Path, *extra: str) -> torch.Tensor:
        lines = vitrail("score", str(model), "--data", str(records), "--tokens", "--limit", "16", *extra).splitlines()
        return torch.tensor([loss for line in lines[:-1] for loss in json.loads(line)["losses"]])

    failed = False
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        vitrail("synthesize", str(work / "shapes"), "--count", "64", "--seed", "5")
        records = work / "shapes/train/records.jsonl"
        print("| method | adapter to merged | adapter to finished | weights in transformers |\n| --- | --- | --- | --- |")
        for name, tune in METHODS.items():
            run = work / name.replace(" ", "-")
            recipe = run.with_suffix(".yaml")
            recipe.write_text(
                f"model: {ROOT}/Models/pebble\nseed: 1\nstages:\n  - name: tune\n    tune: {{language: {tune}}}\n"
                f"    data: [{records}]\n    learning_rate: 1.0e-2\n    batch_size: 4\n    steps: {options.steps}\n")
            vitrail("train", str(recipe), "--output", str(run))
            adapter = run / "adapters/tune"
            apart = losses(ROOT / "Models/pebble", records, "--adapter", str(adapter))
            finished = losses(run / "final", records)
            vitrail("adapter", "merge", str(adapter), "--model", str(ROOT / "Models/pebble"), "--output", str(run / "merged"))
            merged = losses(run / "merged", records)
            vitrail("export", str(run), str(run / "exported"))
            model, report = AutoModelForImageTextToText.from_pretrained(
                run / "exported", output_loading_info=True, dtype=torch.float32)
            strange = [key for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in report[kind]]
            wanted = {place(key): value for key, value in load_file(run / "final/model.safetensors").items()}
            own = {place(key): value for key, value in model.state_dict().items()}
            shared = wanted.keys() & own.keys()
            found = max((own[key].reshape(-1) - wanted[key].reshape(-1)).abs().max().item() for key in shared)
            first, second = (apart - merged).abs().max().item(), (apart - finished).abs().max().item()
            equal = not strange and found == 0 and len(shared) == len(wanted)
            wrong = first > 1e-4 or second > 1e-4 or not equal
            failed |= wrong
            print(f"| {name} | {first:.1e} | {second:.1e} | {'equal' if equal else strange or found} |"
                  + (" **wrong** |" if wrong else ""), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
