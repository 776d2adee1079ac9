"""When a method is scored during its training, and how the training stays unchanged by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.cell.checkpoint import random_states, set_random_states
from bench.contracts.method import Method

FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""The fractions of the training at which a method is scored. The finished method is, too."""


def snapshot_steps(steps: int) -> dict[int, float]:
    """Return the numbers of finished steps at which to score a method, and their fractions.

    The number for a fraction is rounded and at least 1. If several fractions have the same number,
    the lowest counts. The end of the training is no snapshot.
    """
    found: dict[int, float] = {}
    for fraction in FRACTIONS:
        found.setdefault(max(1, round(fraction * steps)), fraction)
    return {done: fraction for done, fraction in found.items() if done < steps}


@contextmanager
def unchanged(method: Method) -> Iterator[None]:
    """Restore a method and all random generators after a block, also after an error.

    The mode of each submodule (training or eval) and its buffers are restored in place, and
    buffers that the block replaced are put back. The block must not change parameters.
    """
    modules = list(method.modules())
    modes = [module.training for module in modules]
    buffers = [dict(module._buffers) for module in modules]
    values = [
        {name: buffer.clone() for name, buffer in of_module.items() if buffer is not None}
        for of_module in buffers
    ]
    states = random_states()
    try:
        yield
    finally:
        with torch.no_grad():
            for module, mode, of_module, kept in zip(modules, modes, buffers, values, strict=True):
                module.training = mode
                module._buffers.clear()
                module._buffers.update(of_module)
                for name, value in kept.items():
                    module._buffers[name].copy_(value)  # type: ignore[union-attr]
        set_random_states(states)
