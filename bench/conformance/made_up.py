"""Results of made-up methods whose worth is known, and tasks that know less."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.cell.untrained.anchors import ground_truth
from bench.contracts.images import of_neighbours
from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.task import Companion, Domain, TaskData


def measured(scale: float) -> dict[str, Any]:
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


def codes(data: TaskData, swapped: bool = False, constant: bool = False) -> dict[str, Tensor]:
    """Return codes that hold what they should, as maps of one-hot factors and a little noise.

    Swapped, they hold each other's factors and little of their own, z1 in many more dimensions, and
    those of the results of add are a neighbour's.
    """
    made = {}
    for part in ("probe", "test"):
        for at, letter in enumerate("ab"):
            domain = data.domains[part][at]
            generator = torch.Generator().manual_seed(100 * at + len(part))
            held: dict[bool, list[Tensor]] = {False: [], True: []}
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
        tested = made[f"{name}_test_{letter}"]
        made[f"{name}_add"] = of_neighbours(tested) if swapped else tested
    return made


def perfect(data: TaskData) -> Artefacts:
    """Return the true results, and codes that hold what they should."""
    a, b = data.test_pairs
    tensors = dict(ground_truth(data).tensors) | {"rec_a": a, "rec_b": b} | codes(data)
    return Artefacts(tensors, measured(1))


def useless(data: TaskData) -> Artefacts:
    """Return noise, everything in the wrong code, and a cost of three times the least."""
    a, b = data.test_pairs
    noise = torch.randint(
        0, 256, a.shape, generator=torch.Generator().manual_seed(5), dtype=torch.uint8
    )
    tensors = dict.fromkeys(("rec_a", "rec_b", "cycle_a", "cycle_b"), noise)
    tensors |= {"add": (a // 2) + (noise // 2), "remove": (b // 2) + (noise // 2)}
    tensors |= {"other": tensors["add"]} | codes(data, swapped=True)
    return Artefacts(tensors, measured(3))


def degenerate(data: TaskData) -> Artefacts:
    """Return one gray picture for everything, and one constant code."""
    gray = torch.full_like(data.domains["test"][0].images, 128)
    return Artefacts(dict.fromkeys(IMAGES, gray) | codes(data, constant=True), measured(1))


def with_more_to_say(data: TaskData) -> TaskData:
    """Return the drawn faces with a label and a companion, so that every metric has a value."""
    of = {factor.name: factor for factor in data.factors}
    companion = Companion("glasses", of["glasses"].values[:4], "beard", of["beard"].values[1:])
    return dataclasses.replace(data, label="skin", companion=companion)


def without(data: TaskData, *lacking: str) -> TaskData:
    """Return a task that lacks some of: truth, separate factors, factors, most images."""
    kept = [
        at
        for at, factor in enumerate(data.factors)
        if not ("factors" in lacking or ("separate" in lacking and factor.separate))
    ]
    counts = {"probe": (40, 40), "test": (32, 32)}
    if "images" in lacking:
        counts |= {"probe": (12, 9), "test": (6, 6)}
    domains = {
        part: [
            Domain(of.images[:count], of.factors[:count, kept])
            for of, count in zip(both, counts.get(part, (len(both[0].images),) * 2), strict=True)
        ]
        for part, both in data.domains.items()
    }
    return dataclasses.replace(
        data,
        domains=domains,
        factors=tuple(data.factors[at] for at in kept),
        truth=None if "truth" in lacking else data.truth,
        label="" if "factors" in lacking else data.label,
    )


def any_results(data: TaskData) -> Artefacts:
    """Return images of a task as its results, random codes, and the least cost."""
    a, b = data.test_pairs
    made = {"add": b, "other": of_neighbours(b), "remove": a, "rec_a": a, "rec_b": b,
            "cycle_a": a, "cycle_b": b}  # fmt: skip
    for name in CODES:
        _, part, *letter = name.split("_")
        domain = data.domains["test" if part == "add" else part]["ab".index((letter or ["a"])[0])]
        generator = torch.Generator().manual_seed(len(made))
        made[name] = torch.randn(len(domain.images), 12, generator=generator)
    return Artefacts(made, measured(1))


def with_other_order(data: TaskData, made: Artefacts) -> tuple[TaskData, Artefacts]:
    """Return a task and results with the test pairs in another order.

    Neighbours move together, since they lend each other their guides.
    """
    assert data.truth is not None
    n = len(data.domains["test"][0].images)
    couples = torch.randperm(n // 2, generator=torch.Generator().manual_seed(0))
    order = torch.stack([2 * couples, 2 * couples + 1], 1).flatten()

    def moved(items: Tensor) -> Tensor:
        return items[order] if len(items) == n else items

    test = [Domain(moved(of.images), moved(of.factors)) for of in data.domains["test"]]
    truth = type(data.truth)(*(moved(images) for images in vars(data.truth).values()))
    tensors = {
        name: value if "probe" in name else moved(value) for name, value in made.tensors.items()
    }
    return (
        dataclasses.replace(data, domains={**data.domains, "test": test}, truth=truth),
        Artefacts(tensors, made.measured),
    )
