"""Results of made-up methods whose worth is known."""

from __future__ import annotations

import numpy as np
import torch

from bench.cell.untrained.anchors import ground_truth
from bench.contracts.images import of_neighbours
from bench.contracts.metric import IMAGES, Artefacts


def measured(scale: float):
    """Return measurements of a method that needs so many times the least."""
    steady = 1 + 0.01 * np.arange(20)
    return {
        "training": {
            "clock": "cpu",
            "cpu_rates": list(100 / scale * steady),
            "peak_memory_mb": 10.0 * scale,
            "flops_per_step": 7000 * scale,
        },
        "inference": {
            "clock": "cpu",
            "cpu_images_per_s": list(200 / scale * steady),
            "latency_ms": list(3 * scale * steady),
            "latency_cpu_ms": list(3 * scale * steady),
            "params": 1000 * scale,
            "params_infer": 800 * scale,
            "flops": 5000 * scale,
        },
    }


def codes(data, swapped: bool = False, constant: bool = False):
    """Return codes that hold what they should, as maps of one-hot factors and a little noise.

    Swapped, they hold each other's factors and little of their own, z1 in many more dimensions, and
    those of the results of add are a neighbour's.
    """
    made = {}
    for part in ("probe", "test"):
        for at, letter in enumerate("ab"):
            domain = data.domains[part][at]
            generator = torch.Generator().manual_seed(100 * at + len(part))
            held = {False: [], True: []}
            for factor, values in zip(data.factors, domain.factors.T, strict=True):
                one_hot = torch.nn.functional.one_hot(values + 1, len(factor.values) + 1)[:, 1:]
                held[factor.separate].append(2.0 * one_hot)
            for name, own in (("z1", swapped), ("z2", not swapped)):
                code = torch.cat(held[own], 1)
                if swapped:
                    code = torch.cat([code, *(0.3 * part for part in held[not own])], 1)
                if swapped and name == "z1":
                    code = torch.cat([code, torch.zeros(len(code), 300)], 1)
                code = code + 0.2 * torch.randn(code.shape, generator=generator)
                maps = code[:, :, None, None].expand(-1, -1, 2, 2).contiguous()
                made[f"{name}_{part}_{letter}"] = torch.zeros_like(maps) if constant else maps
    for name, letter in (("z1", "a"), ("z2", "b")):
        own = made[f"{name}_test_{letter}"]
        made[f"{name}_add"] = of_neighbours(own) if swapped else own
    return made


def perfect(data):
    a, b = data.test_pairs
    tensors = dict(ground_truth(data).tensors) | {"rec_a": a, "rec_b": b} | codes(data)
    return Artefacts(tensors, measured(1))


def useless(data):
    """Gives back noise, holds everything in the wrong code, and takes its time."""
    a, b = data.test_pairs
    noise = torch.randint(
        0, 256, a.shape, generator=torch.Generator().manual_seed(5), dtype=torch.uint8
    )
    tensors = dict.fromkeys(("rec_a", "rec_b", "cycle_a", "cycle_b"), noise)
    tensors |= {"add": (a // 2) + (noise // 2), "remove": (b // 2) + (noise // 2)}
    tensors |= {"other": tensors["add"]} | codes(data, swapped=True)
    return Artefacts(tensors, measured(3))


def degenerate(data):
    """One gray picture for everything, one constant code."""
    gray = torch.full_like(data.domains["test"][0].images, 128)
    return Artefacts(dict.fromkeys(IMAGES, gray) | codes(data, constant=True), measured(1))


def gaussian(n, dimensions, seed, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(shift, scale, (n, dimensions)))
