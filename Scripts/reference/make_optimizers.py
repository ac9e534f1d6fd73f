"""Four steps of each optimizer on one matrix and one vector, for Tests/NeuralNetworkTests/Fixtures/optimizers.json.

    python make_optimizers.py > Tests/NeuralNetworkTests/Fixtures/optimizers.json

Adafactor is torch.optim.Adafactor in float64. Lion is written down from its paper (Chen et al. 2023, algorithm 2), Muon from
torch.optim.Muon with match_rms_adamw, whose Newton-Schulz products are bfloat16 there and float64 here; its vector goes to AdamW.
"dynamic_map" is bitsandbytes' signed map, as its paper's code defines it.
"""
import json

import numpy
import torch

torch.manual_seed(3)
shapes = {"matrix.weight": (6, 5), "wide.weight": (4, 9), "vector.bias": (7,)}
start = {name: torch.randn(shape, dtype=torch.float32).double() for name, shape in shapes.items()}
gradients = [{name: torch.randn(shape, dtype=torch.float32).double() * 0.3 for name, shape in shapes.items()} for _ in range(4)]
RATE, DECAY = 0.02, 0.1


def lion(p, m, g, name):
    sign = torch.sign(0.9 * m + 0.1 * g)
    p = p * (1 - RATE * (DECAY if p.ndim > 1 else 0)) - RATE * sign
    return p, 0.99 * m + 0.01 * g


def newton_schulz(x):
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / max(x.norm().item(), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def muon(p, m, g, name):
    m = 0.95 * m + 0.05 * g
    direction = newton_schulz(0.05 * g + 0.95 * m)
    return p * (1 - RATE * DECAY) - RATE * 0.2 * max(p.shape) ** 0.5 * direction, m


def simple(update, names):
    p = {name: start[name].clone() for name in names}
    m = {name: torch.zeros_like(start[name]) for name in names}
    for step in gradients:
        for name in names:
            p[name], m[name] = update(p[name], m[name], step[name], name)
    return p


def library(make, names):
    p = {name: torch.nn.Parameter(start[name].clone()) for name in names}
    optimizer = make([{"params": [v], "weight_decay": DECAY if v.ndim > 1 else 0} for v in p.values()])
    for step in gradients:
        for name in names:
            p[name].grad = step[name].clone()
        optimizer.step()
    return p


def adamw(groups):
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)


def adafactor(groups):
    return torch.optim.Adafactor(groups, lr=RATE, eps=(float(torch.finfo(torch.float32).eps), 1e-3))


def dynamic_map():
    data = [0.0, 1.0]
    for i in range(7):
        bounds = torch.linspace(0.1, 1, 2 ** i + 1)
        means = (bounds[:-1] + bounds[1:]) / 2.0 * 10.0 ** (i - 6)
        data += means.tolist() + (-means).tolist()
    return sorted(numpy.float32(data).tolist())


names = list(shapes)
results = {"lion": simple(lion, names), "adafactor": library(adafactor, names), "adamw": library(adamw, names)}
results["muon"] = {**simple(muon, names[:2]), **library(adamw, names[2:])}


def flat(tensors):
    return {name: [round(v, 9) for v in tensor.detach().flatten().tolist()] for name, tensor in tensors.items()}


print(json.dumps({
    "shapes": {name: list(shape) for name, shape in shapes.items()}, "rate": RATE, "decay": DECAY, "start": flat(start),
    "gradients": [flat(step) for step in gradients], "results": {name: flat(result) for name, result in results.items()},
    "dynamic_map": dynamic_map()}))
