#!/usr/bin/env python3
"""Makes Tests/TensorCoreTests/Fixtures/operations: every operation in float64, by PyTorch and NumPy.

Usage: make_operation_fixtures.py [FOLDER]      (needs numpy, torch, safetensors)

A case is a safetensors file with in.NAME, out.NAME, gout.NAME (a fixed upstream gradient of that output) and grad.NAME (of the sum of
out * gout with respect to in.NAME), and an entry of index.json: what is computed, its attributes, and the largest distance that
a float32 implementation may have: 1e-5 of the largest value of an output, 3e-5 of that of a gradient. Everything is computed in float64 from
float32 inputs and rounded once at the end.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

TARGET = pathlib.Path(__file__).resolve().parents[2] / "Tests/TensorCoreTests/Fixtures/operations"
cases = {}


def numbers(seed):
    """A function that draws float32 tensors from one seeded stream."""
    generator = np.random.default_rng(seed)

    def draw(*shape, scale=1.0, mean=0.0):
        return torch.from_numpy(np.asarray(generator.standard_normal(shape) * scale + mean, np.float32))

    return draw


def save(folder, name, what, tensors, attributes, tolerances):
    # Contiguous copies: safetensors stores memory as it lies.
    tensors = {key: np.array(value, order="C") for key, value in tensors.items()}
    save_file(tensors, folder / f"{name}.safetensors")
    cases[name] = {"file": f"{name}.safetensors", "doc": what, "attrs": attributes, "tolerances": tolerances}


def tolerance(values, share):
    return {"tol": float(share * np.abs(values).max())} if values.size else {"tol": 0.0}


def differentiate(folder, name, what, function, inputs, attributes=None, unit=False):
    """Runs `function` (dict of tensors to dict of tensors) in float64 and stores values and gradients.

    `unit`: upstream gradients are 1, as for a loss that is the root of its graph.
    """
    wide = {}
    for key, value in inputs.items():
        wide[key] = value.double().requires_grad_(True) if value.is_floating_point() else value
    outputs = function(wide)
    draw = numbers(1000)
    upstream = {key: torch.ones(value.shape) if unit else draw(*value.shape) for key, value in outputs.items()}
    sum((outputs[key] * upstream[key].double()).sum() for key in outputs).backward()
    tensors, tolerances = {}, {}
    for key, value in inputs.items():
        tensors[f"in.{key}"] = value.numpy()
    for key, value in outputs.items():
        exact = value.detach().numpy()
        tensors[f"out.{key}"] = exact.astype(np.float32)
        tensors[f"gout.{key}"] = upstream[key].numpy()
        tolerances[f"out.{key}"] = tolerance(exact, 1e-5)
    for key, value in wide.items():
        if value.is_floating_point() and value.grad is not None:
            tensors[f"grad.{key}"] = value.grad.numpy().astype(np.float32)
            tolerances[f"grad.{key}"] = tolerance(value.grad.numpy(), 3e-5)
    save(folder, name, what, tensors, attributes or {}, tolerances)


def attend(q, k, v, visible):
    """[batch, heads, tokens, width]; query head h reads key-value head h // (heads / kv_heads)."""
    group = q.shape[1] // k.shape[1]
    scores = torch.einsum("bhid,bhjd->bhij", q, k.repeat_interleave(group, 1)) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    return torch.einsum("bhij,bhjd->bhid", weights, v.repeat_interleave(group, 1))


def layers(folder):
    draw = numbers(1)
    x, weight, bias = draw(3, 5, 7), draw(6, 7, scale=0.4), draw(6)
    differentiate(folder, "linear_bias", "x W^T + b", lambda t: {"y": t["x"] @ t["weight"].T + t["bias"]},
                  {"x": x, "weight": weight, "bias": bias})
    differentiate(folder, "linear_nobias", "x W^T", lambda t: {"y": t["x"] @ t["weight"].T}, {"x": x, "weight": weight})
    rows = draw(2, 5, 9, scale=2, mean=0.5)
    gain, shift = draw(9, scale=0.3, mean=1), draw(9)
    differentiate(folder, "layer_norm", "layer norm over the last axis",
                  lambda t: {"y": F.layer_norm(t["x"], (9,), t["weight"], t["bias"], 1e-5)},
                  {"x": rows, "weight": gain, "bias": shift}, {"eps": 1e-5})
    differentiate(folder, "rms_norm", "x / sqrt(mean(x^2) + eps) * weight",
                  lambda t: {"y": t["x"] / (t["x"].square().mean(-1, keepdim=True) + 1e-6).sqrt() * t["weight"]},
                  {"x": rows, "weight": gain}, {"eps": 1e-6})
    differentiate(folder, "normalize_rows", "x / max(|x|, 1e-12)", lambda t: {"y": F.normalize(t["x"], dim=-1)}, {"x": rows})
    wide = torch.cat([draw(25, scale=3), torch.tensor([0.0, 1e-3, -1e-3, 8.0, -8.0, 25.0, -25.0])])
    functions = {
        "gelu_erf": lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))),
        "gelu_tanh": lambda x: x * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
        "quick_gelu": lambda x: x / (1 + torch.exp(-1.702 * x)), "silu": lambda x: x / (1 + torch.exp(-x)),
        "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    }
    for name, function in functions.items():
        differentiate(folder, name, f"{name} by elements", lambda t, f=function: {"y": f(t["x"])}, {"x": wide})
    differentiate(folder, "swiglu_mlp", "down(silu(gate x) * up x)",
                  lambda t: {"y": (F.silu(t["x"] @ t["gate"].T) * (t["x"] @ t["up"].T)) @ t["down"].T},
                  {"x": x, "gate": draw(11, 7, scale=0.4), "up": draw(11, 7, scale=0.4), "down": draw(7, 11, scale=0.3)})
    differentiate(folder, "mean_rows", "mean of the rows of each segment",
                  lambda t: {"y": torch.stack([t["x"][a:b].mean(0) for a, b in ((0, 1), (1, 5), (5, 12))])},
                  {"x": draw(12, 7), "offsets": torch.tensor([0, 1, 5, 12])})


def rows_and_pictures(folder):
    draw = numbers(2)
    table = draw(11, 6)
    ids = torch.tensor([[4, 4, 0, 10], [4, 2, 0, 7]])
    differentiate(folder, "embedding_padding", "rows of a table; row 0 is padding and gets no gradient",
                  lambda t: {"y": F.embedding(t["ids"], t["weight"], padding_idx=0)}, {"ids": ids, "weight": table},
                  {"padding_id": 0})
    differentiate(folder, "tied_lm_head", "tanh(E[ids]) E^T",
                  lambda t: {"logits": torch.tanh(t["weight"][t["ids"]]) @ t["weight"].T}, {"ids": ids, "weight": table})
    places = torch.tensor([[3, 10, 10, 5], [10, 1, 3, 3]])

    def visual(t):
        y = t["weight"][t["ids"]].clone()
        y[t["ids"] == 10] = t["image_features"].reshape(-1, 6)
        return {"y": y}
    differentiate(folder, "masked_scatter", "image tokens replaced by picture features, in order", visual,
                  {"ids": places, "weight": table, "image_features": draw(3, 1, 6)}, {"image_token_id": 10})
    differentiate(folder, "conv_patch_embedding", "convolution whose stride is its kernel",
                  lambda t: {"y": F.conv2d(t["pixels"], t["weight"], t["bias"], stride=3).flatten(2).transpose(1, 2)},
                  {"pixels": draw(2, 2, 6, 9), "weight": draw(5, 2, 3, 3, scale=0.3), "bias": draw(5)}, {"patch": 3})

    def shuffle(t):  # torch's own function puts the channel first inside a token; here it comes last
        y = t["x"].reshape(2, 2, 3, 2, 3, 4).permute(0, 1, 3, 2, 4, 5)
        return {"y": y.reshape(2, 4, 36)}
    differentiate(folder, "pixel_shuffle", "3 x 3 blocks of a 6 x 6 grid of tokens become one token each", shuffle,
                  {"x": draw(2, 36, 4)}, {"grid": 6, "factor": 3})
    positions = draw(1, 16, 3)
    for mode in ("bicubic", "bilinear"):
        for antialias in (False, True):
            for height, width in ((7, 5), (2, 3)):
                def resize(t, mode=mode, antialias=antialias, size=(height, width)):
                    grid = t["pos"].reshape(1, 4, 4, 3).movedim(-1, 1)
                    y = F.interpolate(grid, size=size, mode=mode, align_corners=False, antialias=antialias)
                    return {"y": y.movedim(1, -1).reshape(1, size[0] * size[1], 3)}
                name = f"interpolate_{mode}{'_antialias' if antialias else ''}_{height}x{width}"
                differentiate(folder, name, "4 x 4 positions resized", resize, {"pos": positions},
                              {"from": 4, "to": [height, width], "mode": mode, "antialias": antialias})


def attention(folder):
    draw = numbers(3)
    tokens, width = 7, 6
    q, k, v = draw(2, 4, tokens, width), draw(2, 2, tokens, width), draw(2, 2, tokens, width)
    i, j = torch.arange(tokens)[:, None], torch.arange(tokens)[None]
    causal = (j <= i)[None, None]

    def case(name, what, visible, extra=None):
        differentiate(folder, name, what, lambda t: {"y": attend(t["q"], t["k"], t["v"], visible)},
                      {"q": q, "k": k, "v": v} | (extra or {}))
    case("attention_bidirectional", "every key seen", torch.ones_like(causal))
    case("attention_causal", "keys j <= i seen", causal)
    segment = torch.tensor([[0, 0, 1, 1, 1, 1, 2], [0, 1, 1, 1, 2, 2, 2]])
    same = (segment[:, :, None] == segment[:, None, :])[:, None]
    case("attention_packed", "keys j <= i of the same segment seen", causal & same, {"segment": segment})
    prefix = torch.tensor([4, 2])
    case("attention_prefix_causal", "keys j <= i, and the first prefix keys, seen",
         causal | (j[None, None] < prefix[:, None, None, None]), {"prefix": prefix})
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    case("attention_causal_padding_mask", "keys j <= i with mask 1 seen", causal & mask[:, None, None].bool(),
         {"key_mask": mask})
    keys = tokens + 4
    differentiate(folder, "attention_kv_cache", "queries are the last tokens of the keys",
                  lambda t: {"y": attend(t["q"], t["k"], t["v"], (torch.arange(keys)[None] <= i + 4)[None, None])},
                  {"q": q, "k": draw(2, 2, keys, width), "v": draw(2, 2, keys, width)})

    positions = torch.tensor([[0, 1, 2, 3, 4, 5, 6], [5, 40, 41, 42, 100, 101, 1000]])
    theta = 1e4
    frequency = theta ** (-torch.arange(0, width, 2).double() / width)

    def rope(t):
        # Pairs (i, i + width / 2) as complex numbers, turned by a unit one.
        turn = torch.polar(torch.ones(2, 1, tokens, width // 2).double(), positions[:, None, :, None] * frequency)

        def rotated(x):
            z = torch.complex(x[..., :width // 2], x[..., width // 2:]) * turn
            return torch.cat([z.real, z.imag], -1)
        return {"q": rotated(t["q"]), "k": rotated(t["k"])}
    # Peers compute the angle in float32, which at position 1000 is off by 6e-5 of a radian: so is this, beyond 1e-5.
    differentiate(folder, "rope", "rotary embedding, half-split", rope, {"q": q, "k": k, "position_ids": positions},
                  {"rope_type": "default", "rope_theta": theta})
    for entry in cases["rope"]["tolerances"].values():
        entry["tol"] *= 10


def losses(folder):
    draw = numbers(4)
    logits = draw(2, 5, 9, scale=3)
    labels = torch.tensor([[-100, 3, 8, 0, -100], [1, 1, -100, 5, 2]])
    differentiate(folder, "cross_entropy", "mean and sum of -log softmax over labels that are not -100",
                  lambda t: {"loss": F.cross_entropy(t["logits"].flatten(0, 1), labels.flatten()),
                             "loss_sum": F.cross_entropy(t["logits"].flatten(0, 1), labels.flatten(), reduction="sum")},
                  {"logits": logits, "labels": labels})
    differentiate(folder, "softmax", "softmax and its logarithm",
                  lambda t: {"y": t["x"].softmax(-1), "logy": t["x"].log_softmax(-1)},
                  {"x": torch.cat([draw(3, 6, scale=4), draw(1, 6, scale=4, mean=90)])})

    def contrastive(t):  # Zhai et al. 2023, algorithm 1
        n = t["images"].shape[0]
        z = F.normalize(t["images"]) @ F.normalize(t["texts"]).T * t["log_temperature"].exp() + t["bias"]
        return {"loss": -F.logsigmoid(z * (2 * torch.eye(n).double() - 1)).sum() / n}
    differentiate(folder, "sigmoid_contrastive", "SigLIP's loss over 4 pictures and 4 texts", contrastive,
                  {"images": draw(4, 6), "texts": draw(4, 6), "log_temperature": torch.tensor(1.5),
                   "bias": torch.tensor(-2.0)}, unit=True)


def optimizer(folder):
    draw = numbers(5)
    steps, rate, decay, betas, epsilon = 6, 5e-3, 0.05, (0.9, 0.98), 1e-7
    start = {"w": draw(3, 4), "b": draw(4)}
    gradients = {"w": draw(steps, 3, 4, scale=0.5), "b": draw(steps, 4, scale=5)}
    tensors, tolerances = {}, {}
    for name, value in start.items():
        p, m, v = value.double().numpy().copy(), 0.0, 0.0
        history = []
        for step, g in enumerate(gradients[name].double().numpy(), 1):
            m = betas[0] * m + (1 - betas[0]) * g
            v = betas[1] * v + (1 - betas[1]) * g * g
            p *= 1 - rate * (decay if name == "w" else 0)
            p -= rate * (m / (1 - betas[0] ** step)) / (np.sqrt(v / (1 - betas[1] ** step)) + epsilon)
            history.append(p.copy())
        tensors[f"in.{name}"], tensors[f"in.{name}_grads"] = value.numpy(), gradients[name].numpy()
        for suffix, result in (("steps", np.stack(history)), ("exp_avg", m), ("exp_avg_sq", v)):
            tensors[f"out.{name}_{suffix}"] = result.astype(np.float32)
            tolerances[f"out.{name}_{suffix}"] = tolerance(result, 4e-6)
    save(folder, "adamw", "Loshchilov & Hutter 2019 with PyTorch's epsilon", tensors,
         {"lr": rate, "beta1": betas[0], "beta2": betas[1], "eps": epsilon, "weight_decay": decay, "weight_decay_of_b": 0.0,
          "steps": steps}, tolerances)
    for name, scale in (("clip_grad_norm_above", 2.0), ("clip_grad_norm_below", 0.02)):
        parts = {key: draw(*shape, scale=scale) for key, shape in (("a", (3, 4)), ("b", (5,)), ("c", (2, 2, 2)))}
        norm = math.sqrt(sum(float((x.double() ** 2).sum()) for x in parts.values()))
        factor = min(1.0, 1.0 / (norm + 1e-6))
        results = {key: x.double().numpy() * factor for key, x in parts.items()} | {"total_norm": np.array(norm)}
        save(folder, name, "gradients scaled to a norm of at most 1",
             {f"in.{key}": x.numpy() for key, x in parts.items()} | {f"out.{k}": x.astype(np.float32) for k, x in results.items()},
             {"max_norm": 1.0}, {f"out.{k}": tolerance(x, 4e-6) for k, x in results.items()})


def storage(folder):
    draw = numbers(6)
    x = torch.cat([draw(40), draw(20, scale=1e-6), draw(20, scale=1e5),
                   torch.tensor([0.0, -0.0, 65504.0, 65519.9, 65520.0, 3.4e38, math.inf, -math.inf, 6e-8, 2.9802322e-08,
                                 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -11, 1 + 3 * 2 ** -11])])
    half = x.numpy().astype(np.float16)  # NumPy rounds to nearest even
    bits = x.numpy().view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16) << np.uint64(16)).astype(np.uint32)
    brain = rounded.view(np.float32)
    save(folder, "dtype_cast", "float32 to bfloat16 and float16, to nearest even, and back; bit for bit",
         {"in.x": x.numpy(), "out.float16_back": half.astype(np.float32), "out.bfloat16_back": brain}, {}, {})

    # Blocks of 64 in 8 bits, rounded as GGML's Q8_0, and of 32 in 4 bits, its Q4_0 (ggml-quants.c), in float32 like the original.
    one = np.float32(1)
    rows = np.concatenate([draw(4, 64).numpy(), np.zeros((1, 64), np.float32), draw(1, 64, scale=1e-4).numpy(),
                           np.linspace(-8, 7, 64, dtype=np.float32)[None]])
    stored = {"int8": [], "int4": []}
    values = {"int8": [], "int4": []}
    for block in rows:
        d = np.abs(block).max() / np.float32(127)
        q = block * (one / d if d else np.float32(0))
        q = np.trunc(q + np.copysign(np.float32(0.5), q)).astype(np.int8)  # halves away from zero
        scale = np.float16(d)
        stored["int8"].append(scale.tobytes() + q.tobytes())
        values["int8"].append(np.float32(scale) * q.astype(np.float32))
    for block in rows.reshape(-1, 32):
        d = block[np.abs(block).argmax()] / np.float32(-8)
        q = np.minimum(15, (block * (one / d if d else np.float32(0)) + np.float32(8.5)).astype(np.uint8))
        scale = np.float16(d)
        stored["int4"].append(scale.tobytes() + (q[:16] | q[16:] << 4).astype(np.uint8).tobytes())
        values["int4"].append(np.float32(scale) * (q.astype(np.float32) - 8))
    tensors = {"in.x": rows}
    for name in stored:
        tensors[f"out.{name}"] = np.stack(values[name]).reshape(rows.shape)
        tensors[f"out.{name}_bytes"] = np.frombuffer(b"".join(stored[name]), np.uint8).astype(np.float32)
    save(folder, "block_formats", "blocks of weights under a float16 scale: values and stored bytes, exactly", tensors, {}, {})


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    folder.mkdir(parents=True, exist_ok=True)
    for part in (layers, rows_and_pictures, attention, losses, optimizer, storage):
        part(folder)
    index = json.dumps({"made_by": "Scripts/reference/make_operation_fixtures.py", "cases": cases}, indent=1)
    (folder / "index.json").write_text(index + "\n")
    print(f"{len(cases)} cases, {sum(f.stat().st_size for f in folder.iterdir()) / 1024:.0f} KiB in {folder}")


if __name__ == "__main__":
    main()
