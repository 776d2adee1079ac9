"""Pairs of a plain step and ours, their times, and the peak of the machine."""

from __future__ import annotations

import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.cell.training import autocast, build, flops_of_step
from bench.contracts.method import Batch, Method
from bench.contracts.registry import Registry
from bench.contracts.task import Spec
from bench.plan.configure import fixed_config
from bench.utils.threads import computing_with

from .content_addition import Autoencoder, ContentAddition
from .d2ae import D2ae
from .drit import Drit
from .plain import PlainStep
from .ufdn import Ufdn

PLAIN: dict[str, type[PlainStep]] = {
    "autoencoder": Autoencoder, "press2019": ContentAddition, "ufdn": Ufdn, "drit": Drit,
    "d2ae": D2ae,
}  # fmt: skip


@dataclass
class Timed:
    """CPU seconds of the steps of each round, and the FLOPs of each step."""

    plain: list[float]
    ours: list[float]
    plain_flops: int
    our_flops: int

    @property
    def ratios(self) -> list[float]:
        """How many times as fast ours was, in each round, in ascending order."""
        return sorted(a / b for a, b in zip(self.plain, self.ours, strict=True))


def pair_of(
    name: str, size: int, dtype: torch.dtype = torch.float32, **changes: object
) -> tuple[PlainStep, Method, Batch]:
    """Return a plain step and our method with the same weights, and a batch of noise for both.

    The configuration is the one that no study changes, with `changes`.
    """
    plugin, spec = Registry().find("method", name), Spec(size)
    config = plugin.load().Config(**fixed_config(plugin) | changes)
    ours = build(plugin.load(), spec, config, 0).to(dtype).train()
    plain = PLAIN[name](spec, config).to(dtype).train()
    with torch.no_grad():
        for a, b in zip(plain.parameters(), ours.parameters(), strict=True):
            a.copy_(b)
    shape = (config.batch_size, spec.channels, size, size)
    torch.manual_seed(0)
    return plain, ours, Batch(torch.rand(shape, dtype=dtype) * 2 - 1 for _ in range(spec.domains))


def timed(name: str, size: int, rounds: int, precision: str = "fp32") -> Timed:
    """Time both steps in turn, one step of each in each round, after one that does not count.

    The plain step is in fp32. Ours is in `precision`, fp32 or bf16.

    Each has a process of its own, because what ours does to the process would help the plain step
    too (see `bench.utils.allocator`).
    """
    context = multiprocessing.get_context("spawn")
    sides = []
    for side in ("plain", "ours"):
        here, there = context.Pipe()
        process = context.Process(
            target=_serve, args=(side, name, size, precision, there), daemon=True
        )
        process.start()
        there.close()
        sides.append(here)
    plain, ours = sides
    found = Timed([], [], plain.recv(), ours.recv())
    for at in range(rounds):
        turns = [(plain, found.plain), (ours, found.ours)]
        for side, seconds in turns if at % 2 else reversed(turns):
            side.send("step")
            seconds.append(side.recv())
    for side in sides:
        side.close()
    return found


def _serve(side: str, name: str, size: int, precision: str, pipe: Connection) -> None:
    """Answer with the FLOPs of a step, then for every message with the CPU seconds of a step."""
    torch.set_num_threads(1)
    with computing_with(1) if side == "ours" else nullcontext():
        plain, ours, batch = pair_of(name, size)

        def step() -> None:
            if side == "plain":
                plain.step(batch)
                return
            with autocast("cpu", precision):
                ours.training_step(batch)

        step()
        pipe.send(flops_of_step(ours) if side == "ours" else flops_of_plain(plain, batch))
        with suppress(EOFError):
            while pipe.recv():
                pipe.send(cpu_seconds(step))


def flops_of_plain(plain: PlainStep, batch: Batch) -> int:
    """Return the floating point operations of a plain step."""
    with FlopCounterMode(display=False) as counter:
        plain.step(batch)
    return int(counter.get_total_flops())


def cpu_seconds(call: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def sgemm_peak(side: int = 1024, rounds: int = 10) -> float:
    """Return the best rate of a float32 matrix product, in GFLOP/s."""
    a, b = torch.rand(side, side), torch.rand(side, side)
    return 2e-9 * side**3 / min(cpu_seconds(lambda: a @ b) for _ in range(rounds))


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Return an interval of the median of ascending values, from the binomial distribution.

    With fewer than six values it is their range, which holds the median less often than `level`.
    """
    n, below, rank = len(values), 0.0, 0
    while rank < n // 2:
        below += math.comb(n, rank) / 2**n
        if 2 * below > 1 - level:
            break
        rank += 1
    at = max(rank - 1, 0)
    return values[at], values[n - 1 - at]


def row(name: str, size: int, found: Timed, peak: float) -> str:
    """Return the row of a pair in the table."""
    low, high = interval(found.ratios)
    plain, ours = statistics.median(found.plain), statistics.median(found.ours)
    rate = found.our_flops / ours / 1e9
    return (
        f"| {name} | {size} | {1000 * plain:.0f} | {1000 * ours:.0f} "
        f"| {statistics.median(found.ratios):.2f} ({low:.2f} to {high:.2f}) "
        f"| {found.our_flops / found.plain_flops:.2f} | {rate:.0f} | {rate / peak:.0%} |"
    )
