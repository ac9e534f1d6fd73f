"""The peers' model: a LLaVA built by Hugging Face transformers, random weights, in the shapes that the project times.

Each preset pairs a SigLIP tower with a Llama-shaped decoder through LLaVA's two-layer GELU projector:

    smol  SigLIP-B/16-224 (86 M) and SmolLM2-135M (135 M), 196 visual tokens
    tiny  a 4x128 tower of 8-pixel patches over 64 pixels and a 6x192 decoder, 64 visual tokens
"""

import json
import resource
import sys
from dataclasses import dataclass

import torch
import transformers


@dataclass(frozen=True)
class Tower:
    width: int
    depth: int
    heads: int
    feed_forward: int
    pixels: int
    patch: int

    @property
    def tokens(self) -> int:
        return (self.pixels // self.patch) ** 2

    def config(self) -> transformers.SiglipVisionConfig:
        return transformers.SiglipVisionConfig(
            hidden_size=self.width, num_hidden_layers=self.depth, num_attention_heads=self.heads,
            intermediate_size=self.feed_forward, image_size=self.pixels, patch_size=self.patch,
            vision_use_head=False)


@dataclass(frozen=True)
class Decoder:
    width: int
    depth: int
    heads: int
    key_value_heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    rope_theta: float

    def config(self) -> transformers.LlamaConfig:
        return transformers.LlamaConfig(
            hidden_size=self.width, num_hidden_layers=self.depth, num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads, intermediate_size=self.feed_forward,
            vocab_size=self.vocabulary, max_position_embeddings=self.positions, rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta}, tie_word_embeddings=True)


PRESETS = {
    "smol": (Tower(768, 12, 12, 3072, 224, 16), Decoder(576, 30, 9, 3, 1536, 49152, 2048, 100_000.0)),
    "tiny": (Tower(128, 4, 4, 512, 64, 8), Decoder(192, 6, 6, 2, 512, 1024, 512, 10_000.0)),
}


def model(preset: str) -> transformers.LlavaForConditionalGeneration:
    """The preset with random weights. The last id of the vocabulary stands for a visual token."""
    tower, decoder = PRESETS[preset]
    config = transformers.LlavaConfig(
        vision_config=tower.config(), text_config=decoder.config(), image_token_index=decoder.vocabulary - 1,
        image_seq_length=tower.tokens, vision_feature_layer=-1, vision_feature_select_strategy="full",
        projector_hidden_act="gelu", tie_word_embeddings=True)
    torch.manual_seed(17)
    return transformers.LlavaForConditionalGeneration(config)


def batch(preset: str, pictures: int, text_tokens: int) -> dict:
    """One picture a sample, its visual tokens first, then text whose second half carries the loss."""
    tower, decoder = PRESETS[preset]
    generator = torch.Generator().manual_seed(17)
    visual = torch.full((pictures, tower.tokens), decoder.vocabulary - 1)
    text = torch.randint(decoder.vocabulary - 1, (pictures, text_tokens), generator=generator)
    ids = torch.cat([visual, text], dim=1)
    labels = ids.clone()
    labels[:, : tower.tokens + text_tokens // 2] = -100
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": torch.randn(pictures, 3, tower.pixels, tower.pixels, generator=generator),
        "labels": labels,
    }


def report(**figures) -> None:
    """Prints the figures with what they were taken with, as one JSON line."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures |= {
        "peak_rss_gb": peak * (1 if sys.platform == "darwin" else 1024) / 1e9,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(json.dumps(figures))
