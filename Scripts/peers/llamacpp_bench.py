"""Times llama.cpp on a language model of the smol shape with random weights: a prompt of 256 tokens, or decoding.

    python llamacpp_bench.py --form q8_0 --measure decode [--batch 16]

Prints {"tokens_per_second": …} or {"prompt_tokens_per_second": …}, the median of five. The tools come from the source
package of llama-cpp-python, built once into $VITRAIL_LLAMACPP, by default beside this Python's environment; that takes
some minutes, a C++ compiler, and `cmake`, `ninja` and `gguf`, which are installed into the environment.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "0.3.36"
FOLDER = Path(os.environ.get("VITRAIL_LLAMACPP") or Path(sys.prefix) / "llama.cpp").expanduser()
TOOLS = ["llama-bench", "llama-batched-bench", "llama-quantize"]


def quietly(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)


def tools() -> Path:
    """The folder of the built tools."""
    # llama.cpp puts what it builds there, whatever it is told.
    built = FOLDER / "build/bin"
    if all((built / name).exists() for name in TOOLS):
        return built
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    quietly(*pip, "install", "cmake", "ninja", "gguf")
    quietly(*pip, "download", "--no-deps", "--no-binary", ":all:", "-d", FOLDER, f"llama-cpp-python=={VERSION}")
    with tarfile.open(next(FOLDER.glob("llama_cpp_python-*.tar.gz"))) as archive:
        archive.extractall(FOLDER, filter="data")
    source = next(FOLDER.glob("llama_cpp_python-*/vendor/llama.cpp"))
    cmake = Path(sys.executable).with_name("cmake")
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_SERVER=OFF",
               f"-DCMAKE_MAKE_PROGRAM={cmake.with_name('ninja')}"]
    quietly(cmake, "-S", source, "-B", FOLDER / "build", "-G", "Ninja", *options)
    quietly(cmake, "--build", FOLDER / "build", "--target", *TOOLS)
    return built


def model(form: str, built: Path) -> Path:
    """The smol shape with random weights; speed does not depend on their values."""
    path = FOLDER / f"smol-{form}.gguf"
    if path.exists():
        return path
    if form != "f32":
        source = model("f32", built)
        partial = path.with_suffix(".partial")
        quietly(built / "llama-quantize", source, partial, form)
        partial.rename(path)
        return path
    import gguf
    import numpy

    layers, hidden, inner, heads, shared, vocabulary = 30, 576, 1536, 9, 3, 49152
    width = hidden // heads
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(2048)
    writer.add_block_count(layers)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(shared)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(100_000)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([f"w{index}" for index in range(vocabulary)])
    writer.add_token_types([1] * vocabulary)
    writer.add_token_merges(["w 1"])
    generator = numpy.random.default_rng(0)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, (generator.standard_normal((rows, columns)) / columns**0.5).astype("float32"))

    def norm(name: str) -> None:
        writer.add_tensor(name, numpy.ones(hidden, "float32"))

    matrix("token_embd.weight", vocabulary, hidden)
    norm("output_norm.weight")
    for layer in range(layers):
        for name, rows, columns in [
                ("attn_q", hidden, hidden), ("attn_k", shared * width, hidden), ("attn_v", shared * width, hidden),
                ("attn_output", hidden, hidden), ("ffn_gate", inner, hidden), ("ffn_up", inner, hidden),
                ("ffn_down", hidden, inner)]:
            matrix(f"blk.{layer}.{name}.weight", rows, columns)
        norm(f"blk.{layer}.attn_norm.weight")
        norm(f"blk.{layer}.ffn_norm.weight")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--form", choices=["bf16", "q8_0", "q4_0"], default="bf16")
parser.add_argument("--measure", choices=["decode", "prompt"], default="decode")
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--threads", type=int, default=os.cpu_count())
options = parser.parse_args()

built = tools()
common = ["-m", str(model(options.form, built)), "-t", str(options.threads)]


def lines(*command: str) -> str:
    return subprocess.run([*command], check=True, capture_output=True, text=True).stdout


if options.batch > 1:
    # One line of JSON for each batch size; the speed is that of all sequences together.
    count = str(options.batch)
    out = lines(str(built / "llama-batched-bench"), *common, "-c", "4096", "-npp", "8", "-ntg", "64", "-npl", count,
                "--output-format", "jsonl")
    rate = json.loads(next(line for line in out.splitlines() if line.startswith("{")))["speed_tg"]
    print(json.dumps({"tokens_per_second": rate}))
else:
    size = ["-p", "256", "-n", "0"] if options.measure == "prompt" else ["-p", "0", "-n", "64"]
    out = lines(str(built / "llama-bench"), *common, *size, "-r", "5", "-o", "json")
    rate = statistics.median(json.loads(out)[0]["samples_ts"])
    key = "prompt_tokens_per_second" if options.measure == "prompt" else "tokens_per_second"
    print(json.dumps({key: rate}))
