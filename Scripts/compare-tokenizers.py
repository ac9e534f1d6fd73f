"""Ids, texts and speed of `vitrail tokenizer` beside the `tokenizers` and `sentencepiece` libraries, one thread each, in one run.

    pip install tokenizers sentencepiece
    python Scripts/compare-tokenizers.py [--vitrail .build/release/vitrail] [--megabytes 10] [FOLDER...]

Each FOLDER holds a tokenizer.json, or a tokenizer.model alone. Without one, six small tokenizers are trained by the libraries
first: byte-level BPE, BPE over words with spaces, Unigram, WordPiece, and SentencePiece models of both kinds. The text is made here,
from a fixed seed: code and prose of the Python installation, words in several scripts, emoji with joiners, control characters, any
code points, long white space. Every line's ids must be identical, special tokens in text being ordinary text on both sides, and
so must be what the ids are decoded to. Times are the processor's for encoding alone, medians of runs taken in turn.
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


def folders_of(where, texts):
    """Small tokenizers, trained by the libraries on some of the text."""
    import sentencepiece
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    some, size = [], 0
    for text in texts:
        some.append(text)
        size += len(text.encode())
        if size > 1.5e6:
            break

    def train(name, model, trainer, normalizer=None, pre=None, decoder=None, texts=some):
        tokenizer = Tokenizer(model)
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre:
            tokenizer.pre_tokenizer = pre
        tokenizer.decoder = decoder
        tokenizer.train_from_iterator(texts, trainer)
        (where / name).mkdir()
        tokenizer.save(str(where / name / "tokenizer.json"))
        return where / name

    quiet = dict(vocab_size=8000, show_progress=False)
    # Names that no text holds: the library finds those of Unigram in text even where they are to be text.
    special = ["<unknown-token>", "<end-of-text-token>"]
    yield train("byte-level", models.BPE(), trainers.BpeTrainer(
        **quiet, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
        pre=pre_tokenizers.ByteLevel(add_prefix_space=False), decoder=decoders.ByteLevel())
    yield train("metaspace", models.BPE(unk_token=special[0], fuse_unk=True), trainers.BpeTrainer(
        **quiet, special_tokens=special, limit_alphabet=2000), pre=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace())
    yield train("unigram", models.Unigram(), trainers.UnigramTrainer(
        **quiet, special_tokens=special, unk_token=special[0], max_piece_length=12),
        normalizer=normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
        # Its vocabulary holds every character that it has seen.
        pre=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace(), texts=[t for t in some if max(t) < "\u0900"])
    yield train("wordpiece", models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
        **quiet, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], limit_alphabet=3000),
        normalizer=normalizers.BertNormalizer(lowercase=True), pre=pre_tokenizers.BertPreTokenizer(), decoder=decoders.WordPiece())
    lines = where / "lines.txt"
    lines.write_text("\n".join(t.replace("\n", " ").replace("\0", "") for t in some if len(t.encode()) < 4000))
    for kind in ("bpe", "unigram"):
        folder = where / f"sentencepiece-{kind}"
        folder.mkdir()
        sentencepiece.SentencePieceTrainer.train(
            input=str(lines), model_prefix=str(folder / "tokenizer"), vocab_size=4000, model_type=kind, minloglevel=2,
            byte_fallback=True, character_coverage=0.99, num_threads=1,
            normalization_rule_name="identity" if kind == "bpe" else "nmt_nfkc", remove_extra_whitespaces=kind != "bpe")
        yield folder


class Peer:
    """The library that reads a folder: ids of texts, and texts of ids."""

    def __init__(self, folder):
        self.isSentencePiece = not (folder / "tokenizer.json").exists()
        if self.isSentencePiece:
            import sentencepiece
            self.processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
            self.unknown = self.processor.unk_id()
            return
        from tokenizers import Tokenizer
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.encode_special_tokens = True
        self.unknown = None

    def encode(self, texts):
        if self.isSentencePiece:
            return self.processor.encode(texts, num_threads=1)
        return self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)

    def ids(self, encoded):
        return encoded if self.isSentencePiece else [e.ids for e in encoded]

    def decode(self, ids):
        if self.isSentencePiece:
            return self.processor.decode(ids)
        return self.tokenizer.decode_batch(ids, skip_special_tokens=False)


def run(*command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stderr)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    parser.add_argument("--vitrail", default=".build/release/vitrail")
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    a = parser.parse_args()
    texts = list(lines(a.megabytes))
    bytes_ = sum(len(t.encode()) for t in texts)
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        path, back = pathlib.Path(temporary) / "lines.jsonl", pathlib.Path(temporary) / "ids.jsonl"
        path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
        print(f"{len(texts)} lines, {bytes_ / 1e6:.1f} MB\n{'tokenizer':24} {'tokens':>9} {'ids':>10} {'texts':>10} {'library':>12} "
              f"{'vitrail':>12} {'ratio':>6}", flush=True)
        for folder in a.folders or folders_of(pathlib.Path(temporary), texts):
            peer, theirs, ours = Peer(folder), [], []
            for _ in range(a.repeat):
                start = time.process_time()
                encoded = peer.encode(texts)
                theirs.append(time.process_time() - start)
                result = run(a.vitrail, "tokenizer", "encode", folder, "--input", path, "--json", "--time")
                ours.append(float(result.stderr.split("processor ")[1].split()[0]))
            expected = peer.ids(encoded)
            found = [json.loads(line)["ids"] for line in result.stdout.splitlines()]
            wrong = [n for n, (e, f) in enumerate(zip(expected, found, strict=True)) if e != f]
            for n in wrong[:3]:
                print(f"  line {n + 1} differs: {texts[n][:100]!r}\n    {expected[n][:20]}\n    {found[n][:20]}")
            back.write_text("".join(json.dumps({"ids": ids}) + "\n" for ids in expected))
            made = run(a.vitrail, "tokenizer", "decode", folder, "--input", back, "--json", "--special").stdout.splitlines()
            # SentencePiece writes an unknown token as " ⁇ ", here it keeps its name: lines with one are left out.
            other = [n for n, (e, m) in enumerate(zip(peer.decode(expected), made, strict=True))
                     if e != json.loads(m)["text"] and peer.unknown not in expected[n]]
            for n in other[:3]:
                print(f"  text {n + 1} differs: {texts[n][:100]!r} {json.loads(made[n])['text'][:100]!r}")
            failed |= bool(wrong or other)
            t, o = statistics.median(theirs), statistics.median(ours)
            print(f"{folder.name:24} {sum(map(len, expected)):9} {f'{len(wrong)} differ' if wrong else 'identical':>10} "
                  f"{f'{len(other)} differ' if other else 'identical':>10} {bytes_ / t / 1e6:7.1f} MB/s {bytes_ / o / 1e6:7.1f} MB/s "
                  f"{t / o:6.2f}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
