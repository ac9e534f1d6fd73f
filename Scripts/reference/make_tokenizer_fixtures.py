"""Tests/TokenizationTests/Fixtures: small tokenizers and what the `tokenizers` library makes of texts with them.

    pip install tokenizers==0.23.3
    python make_tokenizer_fixtures.py Tests/TokenizationTests/Fixtures

byte-level/      GPT-2's kind with ChatML markers        byte-fallback/  Llama 2's kind (a space in front of each stretch)
metaspace/       the same with a space in front of the first word only
vectors.json     per tokenizer: text, ids with special tokens recognised (`special`) and as ordinary text (`plain`), and
                 the decoded text
splits.json      per split pattern: text and its pieces
unigram/, word-piece/   T5's and BERT's kind
sentence-piece-bpe/, sentence-piece-unigram/   SentencePiece models trained by its own library (`pip install sentencepiece`)
stages.json      single normalizers, pre-tokenizers and decoders with what they make of texts
trainer.json     the vocabulary and merges that BpeTrainer learns from corpus.txt
"""
import io
import json
import os
import pathlib
import tempfile
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = """A red circle stands left of a small blue square.
How many triangles are in the picture? There are three triangles.
What colour is the largest shape? The largest shape is yellow, isn't it?
USER: Is there a green rectangle above the circle? ASSISTANT: No, there isn't; it's below.
Describe the image. Two pictures: one shows a house, the other 12 trees and 1,345 leaves.
def area(width, height):\n    return width * height  # square units\n
Les élèves ont vu une forêt à l'été 2023; naïve café, größer, über, Äpfel.
Привет, мир! Сколько фигур на картинке? Красный круг и синий квадрат.
図には三つの三角形があります。赤い丸は左にあります。
The quick brown fox jumps over the lazy dog. THE QUICK BROWN FOX! 😀🎉 👩‍🚀
\ttabs\tand   many    spaces \n\n\n new lines\r\n windows\r\n
It's we'll they've I'm you'd don't DON'T IT'S — “quotes” … 50% $3.14 €5 ½ ² ⅷ ٣٤
"""
TEXTS = ["", " ", "  ", "\n", "\n\n", " \n \n", "\t\t x", "Hello world", " Hello  world ", "How many red circles?",
         "it's IT'S don't DON'T we'LL they\u2019re 'ſ 'S x's'", "1 12 123 1234 12345 x1y22", "a\u00a0b\u3000c \u2003 d", "naïve café",
         "Привет мир 12", "図には三つの三角形があります", "😀🎉👩‍🚀👍🏽", "e\u0301 vs é, ﬁ ½ ² ⅷ ٣٤", "</s>", "a</s>b <s> c<unk>d", "<|im_start|>user\nHi<|im_end|>\n",
         "line one\r\nline two\r\n\r\n  three", "....!!!???\n\n--- ,;:", "def f(x):\n    return x  # c\n\n\n", "\u200bzero\u200d\ufeff width",
         "\x00\x01 control \x1b[0m \x7f\x85", "x" * 70, "ab" * 40 + " " + "▁▁ under▁line", "http://example.com/a?b=c&d=%20#e", "क्षेत्र हिन्दी ข้อความ", "   ", "a   b", "\n\n\nx\n", "!\n\n!", "$$$ €€", " 's 't", "<|im_start|><|im_start|> <|im_end|>", "𝔘𝔫𝔦 ⅓ ① Ⓐ", "\ud7a3\uac00 한국어", "مرحبا بالعالم ١٢٣"]
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "gpt4o": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "deepseek": r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "words": r"\w+|[^\w\s]+", "numbers": r"\d{1,3}(?=(?:\d{3})*\b)", "lazy": r"a.*?b|<[^>]++>|(?<!x)b+", "han": r"[一-龥぀-ゟ゠-ヿ]+"}


def byte_level():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([CORPUS] * 2, trainers.BpeTrainer(
        vocab_size=600, show_progress=False, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t, {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>"}


def byte_fallback(metaspace):
    special = ["<unk>", "<s>", "</s>"]
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    t.train_from_iterator(CORPUS.split("\n") * 2, trainers.BpeTrainer(vocab_size=700, show_progress=False,
                          special_tokens=special + [f"<0x{i:02X}>" for i in range(256)]))
    m = json.loads(t.to_str())["model"]
    t = Tokenizer(models.BPE(vocab=m["vocab"], merges=[tuple(x) for x in m["merges"]], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if metaspace:
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in special + ["<image>"]])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(CORPUS.split("\n") * 3, trainers.UnigramTrainer(
        vocab_size=300, show_progress=False, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    m = json.loads(t.to_str())
    m["model"]["vocab"] = [[p, round(s, 6)] for p, s in m["model"]["vocab"]]
    t = Tokenizer.from_str(json.dumps(m))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=40))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS.split("\n") * 3, trainers.WordPieceTrainer(
        vocab_size=400, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t, {"bos_token": "[CLS]", "eos_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}


def sentence_piece(out, kind):
    """A SentencePiece model and its library's ids; a small rule table stands for the large ones of published models."""
    folder = out / f"sentence-piece-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)  # the model remembers the name of the rule file
        rules = pathlib.Path("rules.tsv")
        rules.write_text("".join("\t".join(" ".join(f"{ord(c):X}" for c in side) for side in pair) + "\n" for pair in [
            ("\ufb01", "fi"), ("\u00bd", "1/2"), ("e\u0301", "é"), ("\u3000", " "), ("\t", " "), ("\n", " "), ("\u200b", "")]))
        options = {"normalization_rule_tsv": str(rules)} if kind == "unigram" else {
            "normalization_rule_name": "identity", "remove_extra_whitespaces": False, "byte_fallback": True}
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS.split("\n") * 3), model_writer=model, model_type=kind, vocab_size=300 if kind == "unigram" else 600,
            user_defined_symbols=["<sep>"], minloglevel=2, num_threads=1, hard_vocab_limit=False, **options)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    dump(folder / "tokenizer_config.json", {"legacy": False, "add_bos_token": False, "add_eos_token": False})
    p = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    texts = TEXTS + ["a<sep>b <sep> c", " lead", "trail "]
    return [{"text": x, "plain": p.encode(x), "decoded": p.decode(p.encode(x))} for x in texts]


def stages():
    out = []
    forms = [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents(),
             normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), normalizers.Nmt(), normalizers.Strip(),
             normalizers.Strip(left=False), normalizers.BertNormalizer(), normalizers.BertNormalizer(lowercase=False),
             normalizers.Prepend("▁"), normalizers.Replace(Regex(r"\s+"), " "), normalizers.ByteLevel()]
    texts = TEXTS[::3] + ["Åéîöü ǅ ẛ̣ ﬁ Ⅷ ㎏ ｱﾞ ÀÉ İi Σίσυφος", "각가ᄀ ᅡᆨ 각 q̣̇ ḍ̇ ḍ̇ ਼ா", "中文English 日本", " \u2028\t\x08a\ufeffb\ufffd\u00ad ", "ΑΣ", "  both  "]
    for n in forms:
        out.append({"kind": "normalizer", "spec": json.loads(n.__getstate__()), "texts": [{"text": x, "out": [n.normalize_str(x)] if n.normalize_str(x) else []} for x in texts]})
    pres = [pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(),
            pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation(), pre_tokenizers.Punctuation("merged_with_next"),
            pre_tokenizers.Metaspace(), pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Metaspace(prepend_scheme="never", split=False),
            pre_tokenizers.CharDelimiterSplit(" "), pre_tokenizers.Split("it", "merged_with_previous"), pre_tokenizers.Split(Regex(r"[aeiou]"), "merged_with_next"),
            pre_tokenizers.Split(Regex(r"\w+"), "removed", invert=True),
            pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Metaspace(prepend_scheme="first")]),
            pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Digits()])]
    for n in pres:
        out.append({"kind": "pre_tokenizer", "spec": json.loads(n.__getstate__()), "texts": [{"text": x, "out": [p for p, _ in n.pre_tokenize_str(x)]} for x in TEXTS[::2] + TEXTS[11:15]]})
    tokens = [["▁Hello", "▁wor", "ld", "!"], ["Hello", "##world", ",", "it", "'", "s", "do", "n't", "##."], ["ab</w>", "c", "d</w>"], ["<0xE6>", "<0x97>", "<0xA5>", "a", "<0xFF>", "<0xFE>", "b"],
              ["ĠHello", "Ċ", "æĹ", "¥", "<|x y|>"], [" a", "  b "], [], ["▁"], ["▁▁a"]]
    decs = [decoders.Metaspace(), decoders.Metaspace(prepend_scheme="never"), decoders.WordPiece(), decoders.WordPiece(cleanup=False), decoders.BPEDecoder(),
            decoders.ByteFallback(), decoders.ByteLevel(), decoders.Fuse(), decoders.Strip(" ", 1, 0), decoders.Strip(" ", 1, 1), decoders.Replace("▁", " "),
            decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])]
    for n in decs:
        out.append({"kind": "decoder", "spec": json.loads(n.__getstate__()), "texts": [{"tokens": x, "out": [n.decode(x)]} for x in tokens]})
    return out


def vectors(t):
    out = []
    for text in TEXTS:
        t.encode_special_tokens = False
        special = t.encode(text, add_special_tokens=True).ids
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "special": special, "plain": plain, "decoded": t.decode(plain, skip_special_tokens=False),
                    "decoded_special": t.decode(special, skip_special_tokens=True)})
    return out


def dump(path, value, pretty=False):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text.replace('},{"', '},\n{"') + "\n")


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    result = {}
    for name, (t, config) in {"byte-level": byte_level(), "byte-fallback": byte_fallback(False), "metaspace": byte_fallback(True),
                              "unigram": unigram(), "word-piece": word_piece()}.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        if name in ("unigram", "word-piece") and (out / name / "tokenizer.json").exists():
            t = Tokenizer.from_file(str(out / name / "tokenizer.json"))  # these trainers depend on hash order
        dump(out / name / "tokenizer.json", json.loads(t.to_str()))
        dump(out / name / "tokenizer_config.json", {**config, "clean_up_tokenization_spaces": False})
        result[name] = vectors(t)
    for kind in ("bpe", "unigram"):
        result[f"sentence-piece-{kind}"] = sentence_piece(out, kind)
    dump(out / "vectors.json", result)
    dump(out / "stages.json", stages())
    splits = {}
    for name, pattern in PATTERNS.items():
        for behavior in ["isolated"] + (["removed", "merged_with_previous", "merged_with_next", "contiguous"] if name in ("words", "numbers", "lazy") else []):
            s = pre_tokenizers.Split(Regex(pattern), behavior)
            key = name if behavior == "isolated" else f"{name}/{behavior}"
            splits[key] = {"pattern": pattern, "behavior": json.loads(s.__getstate__())["behavior"],
                           "texts": [{"text": x, "pieces": [p for p, _ in s.pre_tokenize_str(x)]} for x in TEXTS[:14 if '/' in key else None] + ["aab xaaab bb xb <a b> <c", "123456789 1234"]]}
    dump(out / "splits.json", splits)
    (out / "corpus.txt").write_text(CORPUS)
    learned = []
    for splitting, size, frequency in [("gpt2", 500, 2), ("qwen2", 450, 0), ("llama3", 2000, 2)]:
        t = Tokenizer(models.BPE())
        pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
        if splitting != "gpt2":
            pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERNS[splitting]), "isolated"),
                                           pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        t.pre_tokenizer = pre
        t.train([str(out / "corpus.txt")], trainers.BpeTrainer(
            vocab_size=size, min_frequency=frequency, show_progress=False, special_tokens=["<|endoftext|>", "<image>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        m = json.loads(t.to_str())["model"]
        learned.append({"splitting": splitting, "size": size, "frequency": frequency,
                        "tokens": sorted(m["vocab"], key=m["vocab"].get), "merges": m["merges"]})
    dump(out / "trainer.json", learned)


main()
