"""Golden numbers: metrics of frozen results, a short training of every method, the timer.

They are made with the baseline and again with every check, in seconds, and tell whether the *code*
still computes what it did; the other layers look at records alone. Tolerances are measured when the
baseline is made: all is computed again with the kernels of other processors, and trained again from
weights that are 1e-7 off and with another number of threads; three times what that moves is
allowed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from bench.cell.measure import repeat
from bench.check.golden.frozen import frozen_metrics, noting
from bench.check.golden.training import Numbers, short_training
from bench.contracts.registry import Registry
from bench.contracts.task import DataSizes, TaskData
from bench.tasks.cache import prepare
from bench.utils.errors import UserError

TASK = "avatars-glasses"
"""The task that golden numbers are made with, whatever the baseline's own: it is always there."""
LABEL = "skin"
"""The factor that stands for the label, so that metrics of labelled tasks are watched as well."""
FLOOR = 1e-3
"""The least tolerance of a trained number, relative to its scale."""
FROZEN_TOLERANCE = 1e-4
SPREADS = 3.0
OTHER_KERNELS = (
    {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
)
"""What makes libraries compute as on processors of other kinds; these round differently.

The last stands for a processor without AVX512, where a baseline was made on one that has it.
"""
TIMER_SECONDS = 0.02
Rows = Mapping[str, tuple[str, Mapping[str, Any], int]]
"""Of each label the method, its configuration and the side of its images."""


def sizes(side: int) -> DataSizes:
    """Return how much of the task it takes: enough for a Frechet distance in 64 dimensions."""
    return DataSizes(size=side, train=16, probe=160, test=160)


def measure(registry: Registry, rows: Rows, cache: Path) -> dict[str, Any]:
    """Return all golden numbers, those of trainings with their scale.

    ``raised`` says of each method or family of metrics that could not be computed what it raised.
    """
    data = task_data(registry, 32, cache)
    raised: dict[str, str] = {}
    training = {}
    for label, (method, config, side) in rows.items():
        images = task_data(registry, side, cache)
        with noting(label, raised):
            training[label] = short_training(registry, method, config, images)
    return {
        "pixels": data.pixel_hash,
        "metrics": frozen_metrics(registry, data, raised),
        "training": training,
        "timer": timer(),
        "raised": raised,
    }


def with_tolerances(
    registry: Registry, rows: Rows, cache: Path, others: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return what `measure` does, with each number's measured tolerance beside it.

    others: what `elsewhere` gives.

    Raises:
        UserError: a method or a family of metrics raises.
    """
    found = measure(registry, rows, cache)
    for what, error in found.pop("raised").items():
        raise UserError(f"no golden numbers: {what} raises {error}")
    for name, was in found["metrics"].items():
        pairs = [(was, there["metrics"][name]) for there in others]
        was["tolerance"] = {
            key: SPREADS * max((_apart(one[key], other[key]) for one, other in pairs), default=0.0)
            for key in ("value", "lo", "hi", "n")
        }
    for label, (method, config, side) in rows.items():
        data = task_data(registry, side, cache)
        again = [
            short_training(registry, method, config, data, **how)
            for how in ({"nudge": 1}, {"nudge": 2}, {"threads": 2})
        ]
        again += [there["training"][label] for there in others]
        found["training"][label] = {
            name: {
                "value": value,
                "tolerance": _tolerance(name, value, found["training"][label], again),
            }
            for name, value in found["training"][label].items()
        }
    return found


def _apart(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)


def elsewhere(plugins: Sequence[Path], rows: Rows, cache: Path) -> list[dict[str, Any]]:
    """Return what `measure` gives on processors of other kinds, which other kernels stand for.

    Kernels are chosen when libraries are loaded, so each kind is a process of its own.
    """
    asked = {"plugins": [str(path) for path in plugins], "rows": rows, "cache": str(cache)}
    return [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.check.golden.measure"],
                input=json.dumps(asked),
                env=os.environ | kernels,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
        )
        for kernels in OTHER_KERNELS
    ]


def _tolerance(name: str, value: float, own: Numbers, others: Sequence[Numbers]) -> float:
    """Return what a number may be off: a share of its tensor's scale, or what was measured."""
    scale = abs(own.get(f"{name.partition(' ')[0]} rms", value))
    moved = max(abs(other[name] - value) for other in others)
    return max(SPREADS * moved, FLOOR * scale, 1e-9)


def task_data(registry: Registry, side: int, cache: Path) -> TaskData:
    """Return the golden task at a side, from the cache."""
    data = prepare(registry.find("task", TASK).load()(), sizes(side), cache)
    return dataclasses.replace(data, label=LABEL)


def timer() -> float:
    """Return the least wall seconds that the timer saw of work that a pretended GPU put off.

    A call returns at once and its work is done when somebody waits for it, as on a GPU. A timer
    that does not wait measures nothing: then this is far below `TIMER_SECONDS`.
    """
    put_off: list[None] = []

    def wait(*_: object) -> None:
        if put_off:
            put_off.clear()
            time.sleep(TIMER_SECONDS)

    with mock.patch.object(torch.cuda, "synchronize", wait):
        return min(
            wall
            for wall, _ in repeat(lambda: put_off.append(None), torch.device("cuda"), 3, warm_up=1)
        )


def _main() -> None:
    """Measure what is asked on standard input, for `elsewhere`."""
    asked = json.load(sys.stdin)
    found = measure(Registry(map(Path, asked["plugins"])), asked["rows"], Path(asked["cache"]))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main()
