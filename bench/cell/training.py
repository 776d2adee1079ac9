"""Trains any method, with the same budget, order of images and clock for all methods."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench.cell.checkpoint import Checkpoint, seed_generators
from bench.cell.determinism import nondeterministic_operations
from bench.cell.job import Report
from bench.cell.measure import PeakMemory, clock_of, synchronize
from bench.cell.snapshots import snapshot_steps, unchanged
from bench.contracts.images import to_float
from bench.contracts.method import BaseConfig, Batch, Method
from bench.contracts.outputs import checked_losses
from bench.contracts.record import CurvePoint, CurveValue
from bench.contracts.task import Spec, TaskData
from bench.utils.seeds import derive

WARM_UP_STEPS = 5
SECONDS_A_BLOCK = 0.5  # throughput is the median over blocks of steps of about this length


@dataclass(frozen=True)
class Training:
    """The cost of a training and its last losses. The record stores everything except the rates.

    images: loaded images of all domains. seconds, cpu_seconds: wall-clock time and CPU time.
    peak_memory_mb: MiB. losses: the last ones. rates, cpu_rates: images per second in each block of
    steps, by wall clock and by CPU time. clock: which of the two measures the speed.
    not_deterministic: operations without a deterministic kernel (none on a CPU). curve: the points
    before the end of the training.
    """

    steps: int
    images: int
    flops_per_step: int
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float | None
    losses: dict[str, float]
    rates: list[float] = field(default_factory=list)
    cpu_rates: list[float] = field(default_factory=list)
    clock: Literal["cpu", "wall"] | None = None  # None: not stored by early versions
    not_deterministic: list[str] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def flops(self) -> int:
        """Floating point operations of the whole training."""
        return self.steps * self.flops_per_step


def build(method: type[Method], spec: Spec, config: BaseConfig, seed: int) -> Method:
    """Return a new method. Its initial values depend on the seed and the word "init"."""
    seed_generators(seed, "init")
    return method(spec, config)


def autocast(device: str, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which a method runs at a precision, "fp32" or "bf16".

    The cache of autocast must be off. It would keep the bf16 copy of a weight after an update, so
    the second pass of a training step would run with old weights.
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device, torch.bfloat16, cache_enabled=False)


def flops_of_step(method: Method) -> int:
    """Return the floating point operations of one training step; a multiply-add counts as 2.

    The count follows from the shapes of all convolutions and matrix products, so it is exact and
    equal on every machine. Norms, activations and optimisers do not count. The step runs on a copy
    of the method.
    """
    probe = copy.deepcopy(method).train()
    spec = method.spec
    n, device = method.config.batch_size, _device(method)
    images = [
        torch.zeros(n, spec.channels, spec.size, spec.size, device=device)
        for _ in range(spec.domains)
    ]
    batch = Batch(images, [torch.zeros(n, dtype=torch.int64, device=device) for _ in images])
    with torch.random.fork_rng(devices=[]), FlopCounterMode(display=False) as counter:
        probe.training_step(batch)
    return int(counter.get_total_flops())


def steps_for(budget_flops: float, flops_per_step: int) -> int:
    """Return the number of steps that a budget of training FLOPs pays for, at least one.

    Raises:
        ValueError: a step has no FLOPs, so no budget would ever be used up.
    """
    if flops_per_step <= 0:
        raise ValueError("a training step without convolutions or matrix products has no FLOPs")
    return max(1, math.floor(budget_flops / flops_per_step))


class ImageOrder:
    """The order in which all methods see the images of each domain.

    Each epoch shuffles the images of a domain again, by the seed and the word "data". This gives
    one stream, from which each method cuts batches of its own size. The batch of a step does not
    depend on earlier steps.
    """

    def __init__(self, counts: list[int], seed: int) -> None:
        self.counts = counts
        self.seed = seed
        self._epoch = lru_cache(maxsize=4 * len(counts))(self._shuffled)

    def _shuffled(self, domain: int, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self.seed, "data", domain, epoch))
        return torch.randperm(self.counts[domain], generator=generator)

    def indices(self, domain: int, step: int, batch: int) -> Tensor:
        """Return the indices, (batch,), of a domain's images at a step. The first step is 0."""
        at, end = step * batch, (step + 1) * batch
        pieces = []
        while at < end:
            epoch, within = divmod(at, self.counts[domain])
            piece = self._epoch(domain, epoch)[within : within + end - at]
            pieces.append(piece)
            at += len(piece)
        return torch.cat(pieces)


def train(
    method: Method,
    data: TaskData,
    *,
    steps: int,
    flops_per_step: int,
    seed: int,
    precision: str,
    show: Callable[[Report], None] = lambda _: None,
    checkpoint: Checkpoint | None = None,
    score: Callable[[Method], dict[str, CurveValue]] | None = None,
) -> Training:
    """Train a method in place. If there is a checkpoint, continue from it.

    score: returns the values of a method at a snapshot (see `bench.cell.snapshots`); None for no
    snapshots. Snapshots change neither the training nor its measured time and memory.

    Raises:
        DivergedError: a loss is not finite.
        OutputError: a training step returns no losses.
    """
    device = _device(method)
    domains = [domain.images.to(device) for domain in data.domains["train"]]
    with_kinds = range(len(domains)) if method.supervision == "kind" else ()
    kinds = [data.kinds("train", at).to(device) for at in with_kinds]
    order = ImageOrder([len(images) for images in domains], seed)
    batch_size = method.config.batch_size
    snapshots = snapshot_steps(steps) if score else {}
    seed_generators(seed, "train")
    method.prepare(steps)
    method.train()
    first, progress = (checkpoint and checkpoint.restore(method)) or (0, {})
    clock = _Clock(batch_size * len(domains), device, first, progress.get("clock", {}))
    losses: dict[str, float] = progress.get("losses", {})
    curve: list[CurvePoint] = progress.get("curve", [])
    with PeakMemory(device) as memory, nondeterministic_operations() as not_deterministic:
        not_deterministic |= set(progress.get("not_deterministic", ()))
        for step in range(first, steps):
            wanted = [order.indices(at, step, batch_size).to(device) for at in range(len(domains))]
            batch = Batch(
                [to_float(images[at]) for images, at in zip(domains, wanted, strict=True)],
                [of_images[at] for of_images, at in zip(kinds, wanted, strict=False)],
            )
            with autocast(device.type, precision):
                logs = method.training_step(batch)
            if clock.tick(step) or step == steps - 1:
                losses = checked_losses(logs, step + 1)
                left = clock.seconds_a_step(step + 1) * (steps - step - 1)
                show(Report(step + 1, steps, clock.images_per_s, left, losses))
            if score and step + 1 in snapshots:
                point: CurvePoint = {
                    "budget": snapshots[step + 1],
                    "steps": step + 1,
                    "images": (step + 1) * batch_size * len(domains),
                    "flops": (step + 1) * flops_per_step,
                    "cpu_seconds": clock.state()["cpu_seconds"],
                    "metrics": {},
                }
                with (
                    clock.paused(),
                    memory.paused(),
                    unchanged(method),
                    nondeterministic_operations(),  # those of scoring are none of the training
                ):
                    point["metrics"] = score(method)
                curve.append(point)
            if checkpoint and checkpoint.due() and step + 1 < steps:
                so_far = {
                    "curve": curve,
                    "clock": clock.state(),
                    "losses": losses,
                    "not_deterministic": sorted(not_deterministic),
                }
                checkpoint.save(method, step + 1, so_far)
        clock.stop(steps)
    return Training(
        steps=steps,
        images=steps * batch_size * len(domains),
        flops_per_step=flops_per_step,
        seconds=clock.seconds,
        cpu_seconds=clock.cpu_seconds,
        peak_memory_mb=memory.megabytes,
        losses=losses,
        rates=clock.rates,
        cpu_rates=clock.cpu_rates,
        clock=clock_of(device),
        not_deterministic=sorted(not_deterministic),
        curve=curve,
    )


class _Clock:
    """Divides a training into blocks of about `SECONDS_A_BLOCK` and stores the rate of each block.

    first: the first step. earlier: the `state` of the clock in the interrupted run, {} for none.
    """

    def __init__(
        self, images_a_step: int, device: torch.device, first: int, earlier: Mapping[str, Any]
    ) -> None:
        self._images = images_a_step
        self._device = device
        self._start = self._block = (time.perf_counter(), time.process_time())
        self._first = self._block_step = first
        self.rates: list[float] = list(earlier.get("rates", ()))
        self.cpu_rates: list[float] = list(earlier.get("cpu_rates", ()))
        self.seconds: float = earlier.get("seconds", 0.0)
        self.cpu_seconds: float = earlier.get("cpu_seconds", 0.0)

    def state(self) -> dict[str, Any]:
        """Return the measurements so far, as JSON."""
        now = time.perf_counter(), time.process_time()
        return {
            "rates": self.rates,
            "cpu_rates": self.cpu_rates,
            "seconds": self.seconds + now[0] - self._start[0],
            "cpu_seconds": self.cpu_seconds + now[1] - self._start[1],
        }

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave a block out of all measurements."""
        synchronize(self._device)
        before = time.perf_counter(), time.process_time()
        yield
        synchronize(self._device)
        wall, cpu = time.perf_counter() - before[0], time.process_time() - before[1]
        self._start = self._start[0] + wall, self._start[1] + cpu
        self._block = self._block[0] + wall, self._block[1] + cpu

    @property
    def images_per_s(self) -> float:
        """Images per second in the last block, 0 before the first block ends."""
        return self.rates[-1] if self.rates else 0.0

    def seconds_a_step(self, done: int) -> float:
        """Return the mean time of a step so far."""
        return (time.perf_counter() - self._start[0]) / (done - self._first)

    def tick(self, step: int) -> bool:
        """Record the end of a step; return whether it also ends a block."""
        done = step + 1
        if done - self._first <= WARM_UP_STEPS:
            self._begin(done)
            return False
        if time.perf_counter() - self._block[0] < SECONDS_A_BLOCK:
            return False
        self._end(done)
        return True

    def stop(self, steps: int) -> None:
        """End the last block of a training of this number of steps."""
        if not self.rates:
            if steps == self._block_step:  # there was only warm-up: use its rough rate
                self._block, self._block_step = self._start, self._first
            self._end(steps)
        synchronize(self._device)
        whole = self.state()
        self.seconds, self.cpu_seconds = whole["seconds"], whole["cpu_seconds"]

    def _begin(self, done: int) -> None:
        synchronize(self._device)
        self._block, self._block_step = (time.perf_counter(), time.process_time()), done

    def _end(self, done: int) -> None:
        synchronize(self._device)
        now = time.perf_counter(), time.process_time()
        images = self._images * (done - self._block_step)
        self.rates.append(images / max(now[0] - self._block[0], 1e-9))
        self.cpu_rates.append(images / max(now[1] - self._block[1], 1e-9))
        self._block, self._block_step = now, done


def _device(method: Method) -> torch.device:
    return next(method.parameters()).device


def in_batches(count: int, size: int) -> Iterator[slice]:
    """Yield slices that cut a number of items into batches of a size."""
    for at in range(0, count, size):
        yield slice(at, min(at + size, count))
