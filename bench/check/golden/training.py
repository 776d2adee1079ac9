"""A short training of a method, summarised in numbers, as part of the golden numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bench.cell.artefacts import results_of
from bench.cell.training import Training, build, flops_of_step, train
from bench.contracts.method import Method
from bench.contracts.registry import Registry
from bench.contracts.task import Domain, TaskData
from bench.utils.threads import computing_with

STEPS, BATCH, SHOWN = 2, 8, 16
"""Steps of a short training, images per domain in a step, and images per part for its results.

There are few steps, because a deviation of 1e-7 grows a hundredfold with every second step.
"""
NUDGE = 1e-7
Numbers = dict[str, float]


def settings_of(registry: Registry, name: str, config: Mapping[str, Any]) -> Any:
    """Return the configuration of a method for the short training.

    Raises:
        TypeError, ValueError: The method does not take it: a field is gone, or a value is refused.
    """
    method_class: type[Method] = registry.find("method", name).load()
    return method_class.Config(**{**config, "batch_size": BATCH})


def short_training(
    registry: Registry,
    name: str,
    settings: Any,
    data: TaskData,
    nudge: int = 0,
    threads: int = 1,
) -> Numbers:
    """Train a method for a few steps, and return numbers that identify the training.

    The numbers are the losses, the running mean of the gradients of each optimiser, and how far the
    weights of each network have moved. For each result and code, they are the mean, the root mean
    square and the sum weighted by a wave, which reveals changes of sign or order.

    Args:
        registry: The registry that has the method.
        name: The name of the method.
        settings: The configuration, from `settings_of`.
        data: The task.
        nudge: Which tiny change to apply to the initial weights, or 0 for none.
        threads: The number of threads.
    """
    method_class: type[Method] = registry.find("method", name).load()
    with computing_with(threads):
        method = build(method_class, data.spec, settings, 0)
        if nudge:
            _nudge(method, nudge)
        before = _weights(method)
        flops = flops_of_step(method)
        training = train(method, data, steps=STEPS, flops_per_step=flops, seed=0, precision="fp32")
        found = _fingerprints(before, method)
        tensors, absent = results_of(method, _first(data), torch.device("cpu"), "fp32", SHOWN)
    found |= _facts(training, absent, method)
    for key, tensor in tensors.items():
        found |= _fingerprint(key, tensor)
    return found


def _facts(training: Training, absent: Mapping[str, str], method: Method) -> Numbers:
    return {f"loss:{name}": value for name, value in training.losses.items()} | {
        "count:flops_per_step": float(training.flops_per_step),
        "count:images": float(training.images),
        "count:absent": float(len(absent)),
        "count:parameters": float(sum(p.numel() for p in method.parameters())),
    }


def _first(data: TaskData) -> TaskData:
    """Return the first images of each part."""
    domains = {
        part: [Domain(domain.images[:SHOWN], domain.factors[:SHOWN]) for domain in of_part]
        for part, of_part in data.domains.items()
    }
    return dataclasses.replace(data, domains=domains)


def _nudge(method: Method, which: int) -> None:
    generator = torch.Generator().manual_seed(which)
    with torch.no_grad():
        for parameter in method.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.mul_(1 + NUDGE * noise)


def _weights(method: Method) -> dict[str, Tensor]:
    """Return a copy of the weights of matrices and convolutions.

    Biases are not included. The gradient of a bias before a norm is only rounding error, which Adam
    turns into a full step. So such biases differ between processors.
    """
    return {
        name: value.detach().clone() for name, value in method.named_parameters() if value.dim() > 1
    }


def _fingerprints(before: Mapping[str, Tensor], method: Method) -> Numbers:
    """Return how far the weights of each network have moved, and summaries of the gradients."""
    after = _weights(method)
    moved: dict[str, list[Tensor]] = {}
    for name, value in after.items():
        moved.setdefault(name.partition(".")[0], []).append((value - before[name]).flatten())
    found = {f"moved:{name} rms": _rms(torch.cat(parts)) for name, parts in moved.items()}
    names: dict[Tensor, str] = {p: name for name, p in method.named_parameters()}
    for optimizer in method.optimizers().values():
        means: dict[str, list[Tensor]] = {}
        for parameter, state in optimizer.state.items():
            network = names.get(parameter, "").partition(".")[0]
            if network and parameter.dim() > 1 and "exp_avg" in state:
                means.setdefault(network, []).append(state["exp_avg"].flatten())
        for network, parts in means.items():
            found |= _fingerprint(f"gradient:{network}", torch.cat(parts))
    return found


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())


def _fingerprint(name: str, tensor: Tensor) -> Numbers:
    x = tensor.detach().double().flatten()
    wave = torch.cos(2.4 * torch.arange(len(x), dtype=torch.float64))
    return {
        f"{name} mean": float(x.mean()),
        f"{name} rms": _rms(x),
        f"{name} wave": float((x * wave).sum() / len(x) ** 0.5),
    }
