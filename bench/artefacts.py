"""What metrics see of a trained method: its results, codes and costs on the test images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from string import ascii_lowercase
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench.config import Cell
from bench.contracts import CODES, IMAGES, Artefacts, TaskData
from bench.images import of_neighbours, to_float, to_uint8
from bench.measure import repeat
from bench.method import Method
from bench.training import Training, autocast, in_batches

VERSION = 2
"""Rises when a method leaves more for metrics."""
LATENCY_REPEATS = 50
INFERENCE_BATCH = 32


@torch.inference_mode()
def make_artefacts(method: Method, data: TaskData, training: Training, cell: Cell) -> Artefacts:
    """Return all that metrics see of a trained method."""
    device = torch.device(cell.device)
    tensors, absent = results_of(method, data, device, cell.precision, cell.numbers["eval_batch"])
    a, b = (domain.images for domain in data.domains["test"])
    measured = {
        "version": VERSION,
        "training": dataclasses.asdict(training),
        "inference": _measure_inference(method, a, b, cell),
    }
    return Artefacts(tensors, measured, absent)


@torch.inference_mode()
def results_of(
    method: Method, data: TaskData, device: torch.device, precision: str, size: int
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a method's results and codes, computed in batches of a size, and why others are not.

    See `bench.contracts.Artefacts` for both.
    """
    method.eval()

    def apply(function: Callable[..., Tensor | None], *inputs: Tensor) -> Tensor:
        outputs = []
        for part in in_batches(len(inputs[0]), size):
            batch = [to_float(images[part].to(device)) for images in inputs]
            with autocast(device.type, precision):
                output = function(*batch)
            assert output is not None
            outputs.append(output.float().cpu())
        return torch.cat(outputs)

    a, b = (domain.images for domain in data.domains["test"][:2])
    tensors = {
        "add": to_uint8(apply(method.add, a, b)),
        "other": to_uint8(apply(method.add, a, of_neighbours(b))),
        "remove": to_uint8(apply(method.remove, b)),
        "rec_a": to_uint8(apply(lambda x: method.reconstruct(x, 0), a)),
        "rec_b": to_uint8(apply(lambda x: method.reconstruct(x, 1), b)),
    }
    tensors["cycle_a"] = to_uint8(apply(method.remove, tensors["add"]))
    tensors["cycle_b"] = to_uint8(apply(method.add, tensors["remove"], b))
    encoded = {
        f"{part}_{letter}": (data.domains[part][domain].images, domain)
        for part in ("probe", "test")
        for domain, letter in enumerate(ascii_lowercase[: data.spec.domains])
    } | {"add": (tensors["add"], 1)}
    absent = {}
    for of, (images, domain) in encoded.items():
        tensors[f"z1_{of}"] = apply(
            lambda x, domain=domain: method.encode(x, domain).common, images
        )
        if method.encode(to_float(images[:1].to(device)), domain).separate is None:
            absent[f"z2_{of}"] = "the method has no separate code"
            continue
        tensors[f"z2_{of}"] = apply(
            lambda x, domain=domain: method.encode(x, domain).separate, images
        )
    return tensors, absent


def _measure_inference(method: Method, a: Tensor, b: Tensor, cell: Cell) -> dict[str, Any]:
    """Return times, FLOPs and parameters of one transfer, ``add``: what a user runs."""
    device = torch.device(cell.device)

    def call(n: int) -> Callable[[], Tensor]:
        with torch.inference_mode(False):  # so that a gradient may be asked for
            source, guide = to_float(a[:n].to(device)), to_float(b[:n].to(device))

        def transfer() -> Tensor:
            with autocast(device.type, cell.precision):
                return method.add(source, guide)

        return transfer

    batch = min(INFERENCE_BATCH, len(a))
    with FlopCounterMode(display=False) as counter:
        call(1)()
    many = repeat(call(batch), device, LATENCY_REPEATS)
    one = repeat(call(1), device, LATENCY_REPEATS)
    return {
        "images_per_s": [batch / max(wall, 1e-9) for wall, _ in many],
        "latency_ms": [1000 * wall for wall, _ in one],
        "latency_cpu_ms": [1000 * cpu for _, cpu in one],
        "flops": int(counter.get_total_flops()),
        "params": sum(p.numel() for p in method.parameters()),
        "params_infer": sum(p.numel() for p in _used(method, call(1))),
    }


def _used(method: Method, transfer: Callable[[], Tensor]) -> list[Tensor]:
    """Return the parameters that a result depends on: those that it has a gradient for."""
    parameters = list(method.parameters())
    with torch.inference_mode(False), torch.enable_grad():
        gradients = torch.autograd.grad(transfer().sum(), parameters, allow_unused=True)
    pairs = zip(parameters, gradients, strict=True)
    return [parameter for parameter, gradient in pairs if gradient is not None]


def as_they_are(kept: Artefacts) -> Artefacts:
    """Return artefacts of an earlier version of the suite, with the reason for what they lack."""
    reason = "left by an earlier version of the suite: `python -m bench run --existing fresh`"
    missing: dict[str, str] = dict.fromkeys((*IMAGES, *CODES), reason)
    return dataclasses.replace(kept, absent=missing | dict(kept.absent))
