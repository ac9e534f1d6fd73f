"""Times one step of a tuning method in PyTorch with peft: forward, backward, clipping at 1, fused AdamW.

    python torch_tune.py --method lora --preset smol --batch 4 --text 60

full     every weight of the model
lomo     every weight, plain descent inside the backward pass, as LOMO's authors do it
lora     peft's LoRA of rank 8 on all maps of the decoder's blocks; tower, projector and the rest frozen
qlora    the same over bitsandbytes' NF4 blocks of 64 with double quantisation
prompt   20 learned rows in front of every sequence, as peft's PromptEmbedding; everything else frozen

Prints {"step_s": …, "tokens_per_second": …, "peak_rss_gb": …}: the median of the timed steps, after those that are not timed.
"""

import argparse
import statistics
import time

import peft
import torch

import llava

MAPS = r".*language_model\.layers\..*\.(q|k|v|o|gate|up|down)_proj"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--method", choices=["full", "lomo", "lora", "qlora", "prompt"], required=True)
parser.add_argument("--preset", choices=llava.PRESETS, default="smol")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--batch", type=int, default=4, help="samples a step")
parser.add_argument("--text", type=int, default=60, help="text tokens a sample, after the visual ones")
parser.add_argument("--warmup", type=int, default=1, help="steps before those")
parser.add_argument("--steps", type=int, default=3, help="timed steps")
options = parser.parse_args()


def quantised(module: torch.nn.Module) -> None:
    """Replaces the maps of the decoder's blocks by bitsandbytes' NF4 ones, one after the other."""
    import bitsandbytes

    for child_name, child in list(module.named_children()):
        if isinstance(child, torch.nn.Linear):
            map = bitsandbytes.nn.Linear4bit(
                child.in_features, child.out_features, bias=child.bias is not None, compute_dtype=torch.float32,
                compress_statistics=True, quant_type="nf4")
            map.weight = bitsandbytes.nn.Params4bit(
                child.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True)
            setattr(module, child_name, map.to("cpu"))
        else:
            quantised(child)


class Prompted(torch.nn.Module):
    """Learned rows in front of the embedded sequence."""

    def __init__(self, network: torch.nn.Module, tokens: int = 20) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        embedding = network.get_input_embeddings().weight
        chosen = torch.randint(embedding.shape[0], (tokens,))
        self.rows = torch.nn.Parameter(embedding[chosen].detach().clone())

    def forward(self, input_ids, attention_mask, pixel_values, labels):
        inner = self.network.model
        with torch.no_grad():
            embedded = self.network.get_input_embeddings()(input_ids)
            features = inner.get_image_features(pixel_values=pixel_values)
            features = getattr(features, "pooler_output", features)
            features = torch.cat(list(features), dim=0) if isinstance(features, (list, tuple)) else features
            places = (input_ids == self.network.config.image_token_id).unsqueeze(-1).expand_as(embedded)
            embedded = embedded.masked_scatter(places, features.to(embedded.dtype).reshape(-1, embedded.shape[-1]))
        count = input_ids.shape[0]
        rows = self.rows.expand(count, -1, -1)
        states = inner.language_model(inputs_embeds=torch.cat([rows, embedded], dim=1)).last_hidden_state
        logits = self.network.lm_head(states)
        front = torch.full((count, rows.shape[1]), -100)
        loss = self.network.loss_function(
            logits, torch.cat([front, labels], dim=1), vocab_size=self.network.config.text_config.vocab_size)
        return type("Output", (), {"loss": loss})


network = llava.model(options.preset)
inputs = llava.batch(options.preset, options.batch, options.text)
optimizer = None
if options.method in ("lora", "qlora"):
    if options.method == "qlora":
        quantised(network.model.language_model.layers)
    network = peft.get_peft_model(
        network, peft.LoraConfig(r=8, lora_alpha=8, target_modules=MAPS, task_type=None))
elif options.method == "prompt":
    network = Prompted(network)
weights = [weight for weight in network.parameters() if weight.requires_grad]
if options.method == "lomo":
    def descend(weight: torch.Tensor) -> None:
        weight.data.add_(weight.grad, alpha=-1e-4)
        weight.grad = None

    for weight in weights:
        weight.register_post_accumulate_grad_hook(descend)
else:
    optimizer = torch.optim.AdamW(weights, lr=1e-4, fused=True)


def step() -> float:
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16"):
        loss = network(**inputs).loss
    loss.backward()
    if optimizer:
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - start


for _ in range(options.warmup):
    step()
seconds = statistics.median(step() for _ in range(options.steps))
tokens = inputs["input_ids"].numel()
llava.report(step_s=seconds, tokens_per_second=tokens / seconds, tokens=tokens,
             parameters=sum(weight.numel() for weight in network.parameters()),
             trained_parameters=sum(weight.numel() for weight in weights), peft=peft.__version__)
