"""Writes a preset as a model folder of Hugging Face's LLaVA, with random weights and a tokenizer learned from Python's sources.

    python make_model.py FOLDER --preset smol --dtype bfloat16

Both sides of a comparison open it. A folder that is complete is left as it is. Prints {"folder": …, "vocabulary": …}.
"""

import argparse
import json
import pathlib
import sysconfig

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, trainers

import llava

# Characters of Python's sources that the tokenizer is learned from: enough for 49,152 tokens, a few seconds.
CORPUS = 12_000_000


def tokenizer(size: int) -> transformers.PreTrainedTokenizerFast:
    """Byte-level BPE of `size` tokens; the last one stands for a visual token."""
    learned = tokenizers.Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - 1, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))

    def texts():
        total = 0
        for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("**/*.py")):
            if "site-packages" in path.parts:
                continue
            yield path.read_text(errors="replace")
            total += path.stat().st_size
            if total > CORPUS:
                return

    learned.train_from_iterator(texts(), trainer)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=learned, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>",
        padding_side="left", extra_special_tokens={"image_token": "<image>"})
    return wrapped


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--preset", choices=llava.PRESETS, default="smol")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
options = parser.parse_args()

tower, decoder = llava.PRESETS[options.preset]
stamp = options.folder / "complete.json"
if not stamp.exists():
    text = tokenizer(decoder.vocabulary)
    network = llava.model(options.preset).to(getattr(torch, options.dtype))
    network.config.image_token_index = network.config.image_token_id = text.convert_tokens_to_ids("<image>")
    # Chance must not end an answer: both sides generate as many tokens as they are asked for.
    network.generation_config.eos_token_id = None
    network.generation_config.bos_token_id = None
    network.save_pretrained(options.folder)
    text.save_pretrained(options.folder)
    pictures = getattr(transformers, "SiglipImageProcessorPil", None) or transformers.SiglipImageProcessor
    pictures(size={"height": tower.pixels, "width": tower.pixels}).save_pretrained(options.folder)
    stamp.write_text(json.dumps({"folder": str(options.folder), "vocabulary": len(text)}))
print(stamp.read_text())
