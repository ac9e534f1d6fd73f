#!/usr/bin/env python3
"""How much memory opening a checkpoint takes: the model plus one tensor, whatever its size and number of shards?

    python Scripts/loading-memory.py [--vitrail PATH] [--megabytes 1200] [--dtype float32|bfloat16|float16] [--shards 3]

Needs nothing but Python. Writes a Llama of that size with noise for weights, has vitrail score one text with it, and watches the
process: the most anonymous memory (what it allocated) and the most resident memory (with pages of the mapped files). Exit
code 1 when the first is more than the weights in float32, the largest tensor twice, and 100 MB for everything else.
"""
import argparse
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = {"float32": ("F32", 4), "bfloat16": ("BF16", 2), "float16": ("F16", 2)}


def tensors(hidden, inner, layers, words):
    yield "model.embed_tokens.weight", [words, hidden]
    for n in range(layers):
        at = f"model.layers.{n}."
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield at + f"self_attn.{name}.weight", [hidden, hidden]
        yield at + "mlp.gate_proj.weight", [inner, hidden]
        yield at + "mlp.up_proj.weight", [inner, hidden]
        yield at + "mlp.down_proj.weight", [hidden, inner]
        yield at + "input_layernorm.weight", [hidden]
        yield at + "post_attention_layernorm.weight", [hidden]
    yield "model.norm.weight", [hidden]


def count(shape):
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


def write(folder, options):
    hidden, inner, words = 1024, 2816, 32000
    per_layer = 4 * hidden * hidden + 3 * hidden * inner
    layers = max(1, int((options.megabytes * 1e6 / 4 - words * hidden) / per_layer))
    everything = list(tensors(hidden, inner, layers, words))
    kind, size = SIZES[options.dtype]
    # Numbers near 0.01 of alternating sign, in each type.
    block = {"F32": struct.pack("<ff", 0.01, -0.01), "F16": struct.pack("<ee", 0.01, -0.01),
             "BF16": struct.pack("<ff", 0.01, -0.01)[2:4] + struct.pack("<f", -0.01)[2:4]}[kind] * 500_000
    index = {}
    share = -(-len(everything) // options.shards)
    for number in range(options.shards):
        part = everything[number * share:(number + 1) * share]
        name = f"model-{number + 1:05}-of-{options.shards:05}.safetensors"
        header, offset = {}, 0
        for key, shape in part:
            header[key] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + count(shape) * size]}
            offset += count(shape) * size
            index[key] = name
        text = json.dumps(header).encode()
        with open(folder / name, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            while offset > 0:
                file.write(block[:min(offset, len(block))])
                offset -= len(block)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": 16, "num_key_value_heads": 16, "vocab_size": words,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "torch_dtype": options.dtype}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(ROOT / "Models/pebble" / name, folder / name)
    return sum(count(shape) for _, shape in everything), max(count(shape) for _, shape in everything)


def watch(command):
    """The most anonymous and resident bytes of a command."""
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    most = {"RssAnon": 0, "VmHWM": 0}
    while process.poll() is None:
        try:
            for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                key, _, value = line.partition(":")
                if key in most:
                    most[key] = max(most[key], int(value.split()[0]) * 1024)
        except (OSError, IndexError):
            pass
        time.sleep(0.002)
    if process.returncode:
        sys.exit(process.stderr.read().decode())
    return most["RssAnon"], most["VmHWM"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vitrail", default=ROOT / ".build/release/vitrail")
    parser.add_argument("--megabytes", type=float, default=1200, help="weights in memory, in float32")
    parser.add_argument("--dtype", choices=SIZES, default="bfloat16")
    parser.add_argument("--shards", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = pathlib.Path(name)
        weights, largest = write(folder, options)
        (folder / "one.jsonl").write_text(json.dumps({"id": "0", "conversations": [
            {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]}) + "\n")
        anonymous, resident = watch([options.vitrail, "score", folder, "--data", folder / "one.jsonl"])
    allowed = 4 * weights + 2 * 4 * largest + 100e6
    print(f"weights {4 * weights / 1e6:.0f} MB in float32 ({options.dtype} in {options.shards} files), largest tensor "
          f"{4 * largest / 1e6:.0f} MB: at most {anonymous / 1e6:.0f} MB allocated, {resident / 1e6:.0f} MB resident with "
          f"mapped files, {(anonymous / 4 - weights) / largest:+.2f} tensors over the weights")
    sys.exit(anonymous > allowed)


main()
