"""How weights and inputs are made from seeds, and outputs compared with what was recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(os.environ.get("BENCH_GOLDEN_DIR") or Path(__file__).parent / "golden")


EXACT = 1e-9
"""Relative deviation that float64 traces may have: 300 times the spread between CPU kernels."""


def golden(name: str) -> dict:
    """Return a file of numbers, `METHOD` or `METHOD_float64`, or {} if there is none."""
    path = GOLDEN / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def drawn(seed: int, shape, dtype=torch.float32):
    values = np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32)
    return torch.from_numpy(values).to(dtype)


def fill(net: torch.nn.Module, seed_base: int) -> None:
    """Set the k-th parameter from the seed base + k, by the scheme that all files share.

    Weights N(0, 1/fan_in), scales of norms 1 + 0.05 N(0, 1), everything else 0.05 N(0, 1).
    """
    transposed, scales = set(), set()
    for module in net.modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, torch.nn.ConvTranspose2d):
            transposed.add(id(weight))
        elif "Norm" in type(module).__name__ and weight is not None:
            scales.add(id(weight))
    with torch.no_grad():
        for k, parameter in enumerate(net.parameters()):
            shape = tuple(parameter.shape)
            values = np.random.RandomState(seed_base + k).standard_normal(shape)
            if id(parameter) in scales:
                values = 1 + 0.05 * values
            elif len(shape) > 1 and shape[1:] != (1, 1):
                outputs = shape[1] if id(parameter) in transposed else shape[0]
                values = values * np.sqrt(outputs / np.prod(shape))
            else:
                values = 0.05 * values
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def deviation(tensor: torch.Tensor, expected: dict) -> float:
    """Return how far a tensor is from the recorded shape, mean, deviation and first values."""
    values = tensor.detach().double().numpy()
    assert list(values.shape) == expected["shape"]
    first = expected["first8"]
    return max(
        abs(values.mean() - expected["mean"]),
        abs(values.std() - expected["std"]),
        float(np.abs(values.ravel()[: len(first)] - first).max()),
    )


def normal(seed: int, shape, dtype=torch.float32) -> torch.Tensor:
    """Return draws of N(0, 1), rounded to float32 in any dtype."""
    values = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values).to(dtype)


def relative(value: float, expected: float) -> float:
    return abs(value - expected) / max(abs(expected), 1e-3)


Pairs = dict[str, tuple[float, float]]
"""What was found and what was recorded, for each named quantity."""


def pairs_of(name: str, tensor: torch.Tensor, expected: dict) -> Pairs:
    """Return the mean, deviation and first values of a tensor beside those recorded."""
    values = tensor.detach().double().numpy()
    assert list(values.shape) == expected.get("shape", list(values.shape)), name
    found = {
        f"{name} mean": (values.mean(), expected["mean"]),
        f"{name} std": (values.std(), expected["std"]),
    }
    first = expected.get("first8", [])
    for at, pair in enumerate(zip(values.ravel(), first, strict=False)):
        found[f"{name} [{at}]"] = pair
    return {key: (float(a), float(b)) for key, (a, b) in found.items()}


def relatives(pairs: Pairs) -> dict[str, float]:
    return {name: relative(*pair) for name, pair in pairs.items()}


def assert_close(pairs: Pairs, tolerance: float) -> None:
    """Require that no quantity deviates by more, relative to what was recorded."""
    assert pairs
    wrong = {name: off for name, off in relatives(pairs).items() if not off < tolerance}
    assert not wrong, wrong


def gradient_norm(parameters) -> float:
    squares = [p.grad.double().square().sum() for p in parameters if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt())


def on_step(optimizer: torch.optim.Optimizer, record) -> None:
    """Call record(norm of the gradients) just before each step of an optimiser."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.register_step_pre_hook(lambda *_: record(gradient_norm(parameters)))
