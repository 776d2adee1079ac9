"""A method as the checks see it: small batches, new copies, and everything that it returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from bench.cell.training import build
from bench.contracts.method import Batch, Method
from bench.contracts.outputs import checked_codes, checked_images
from bench.contracts.plugins.plugin import Plugin
from bench.contracts.task import Spec, TaskData
from bench.plan.configure import fixed_config

SIZE, IMAGES, KINDS = 32, 6, 3
"""The side of the images in pixels, their number in a batch, and the kinds of separate content."""
Outputs = dict[str, Tensor]


def random_batch(size: int = SIZE, n: int = IMAGES, seed: int = 0) -> Batch:
    """Return n random images of each of two domains, with their kinds of separate content."""
    generator = torch.Generator().manual_seed(seed)
    images = [torch.rand(n, 3, size, size, generator=generator) * 2 - 1 for _ in range(2)]
    return Batch(images, [torch.zeros(n, dtype=torch.int64), 1 + torch.arange(n) % KINDS])


@dataclass(frozen=True)
class MethodCase:
    """A method that is checked.

    faces: returns the small task that the check `learns` trains on. seconds: the CPU time that this
    may take.
    """

    plugin: Plugin
    faces: Callable[[], TaskData]
    seconds: float = math.inf

    @cached_property
    def kind(self) -> type[Method]:
        """The class."""
        found: type[Method] = self.plugin.load()
        return found

    def build(
        self, size: int = SIZE, seed: int = 0, spec: Spec | None = None, **changes: Any
    ) -> Method:
        """Return a new method with its start values and small batches.

        Args:
            size: the side of its images in pixels.
            seed: the seed of its initial values.
            spec: what it knows about the images; None for two domains of this size.
            changes: other values of its configuration.
        """
        config = fixed_config(self.plugin) | {"batch_size": IMAGES} | changes
        return build(self.kind, spec or Spec(size, kinds=KINDS), self.kind.Config(**config), seed)

    def batch(self, size: int = SIZE, n: int = IMAGES, seed: int = 0) -> Batch:
        """Return a random batch as a training gives it to this method."""
        found = random_batch(size, n, seed)
        return found if self.kind.supervision == "kind" else Batch(found)

    def stepped(self, steps: int = 2) -> Method:
        """Return a method after a few training steps."""
        method = self.build().train()
        torch.manual_seed(1)
        method.prepare(steps)
        for step in range(steps):
            method.training_step(self.batch(seed=step))
        return method

    def stages(self) -> Iterator[tuple[str, Method]]:
        """Yield a new method, and the same after two training steps, each with its description."""
        yield "untrained", self.build()
        yield "after two training steps", self.stepped()


@torch.inference_mode()
def outputs(method: Method, a: Tensor, b: Tensor) -> Outputs:
    """Return everything that a method gives in eval mode, by name: images and codes.

    Args:
        method: a method, which is set to eval mode.
        a: images of A, (N, 3, S, S).
        b: images of B, (N, 3, S, S).
    """
    method.eval()
    codes_a, codes_b = method.encode(a, 0), method.encode(b, 1)
    made = {
        "add": method.add(a, b),
        "remove": method.remove(b),
        "reconstruct of A": method.reconstruct(a, 0),
        "reconstruct of B": method.reconstruct(b, 1),
        "decode": method.decode(codes_b, 1),
        "common code of A": codes_a.common,
        "common code of B": codes_b.common,
    }
    if codes_b.separate is not None:
        made["separate code of B"] = codes_b.separate
    return made


@torch.inference_mode()
def checked_outputs(method: Method, a: Tensor, b: Tensor) -> Outputs:
    """Return the `outputs` of a method.

    Raises:
        OutputError: one of them has another type, shape or range than the contract says.
    """
    made = outputs(method, a, b)
    for x, domain in ((a, 0), (b, 1)):
        checked_codes(method.encode(x, domain), x)
    for name, like in (("add", a), ("remove", b), ("decode", b)):
        made[name] = checked_images(name, made[name], like)
    for name, like in (("reconstruct of A", a), ("reconstruct of B", b)):
        made[name] = checked_images(name, made[name], like)
    return made


def states(method: Method) -> dict[str, Tensor]:
    """Return a copy of the state of a method."""
    return {name: value.clone() for name, value in method.state_dict().items()}


def largest(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of two tensors."""
    return float((one.float() - other.float()).abs().max())
