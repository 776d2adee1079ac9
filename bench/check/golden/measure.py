"""Golden numbers: metrics of frozen results, and numbers of a short training of every method.

They show whether the *code* still computes the same. The other layers compare only records. A
baseline stores golden numbers, and every check computes them again, in seconds.

The suite measures tolerances when it makes a baseline. It computes all numbers again with the
kernels of other processors. It also trains again with initial weights that differ by 1e-7, and with
another number of threads. The tolerance is three times the largest change.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.check.golden.frozen import frozen_metrics, noting
from bench.check.golden.training import Numbers, settings_of, short_training
from bench.contracts.registry import Registry
from bench.contracts.task import DataSizes, TaskData
from bench.tasks.cache import prepare
from bench.utils.errors import UserError

TASK, POSED = "avatars-glasses-aligned", "avatars-glasses"
"""The task of the golden numbers, for every baseline, and the task whose pixels are watched, too.

Neither needs a download. Methods are trained on aligned faces: on posed ones, a difference in
rounding grows so fast in the first steps that no tolerance holds.
"""
LABEL = "skin"
"""The factor that serves as label, so that the check covers metrics of labelled tasks."""
FLOOR = 1e-3
"""The smallest tolerance of a number of a training, relative to its scale."""
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
"""Environment variables that make libraries round like on other processors.

The last set is for a processor without AVX512.
"""
Rows = Mapping[str, tuple[str, Mapping[str, Any], int]]
"""For each label: the method, its configuration, and the side of its images in pixels."""


def sizes(side: int) -> DataSizes:
    """Return the sizes of the golden task: enough for a Frechet distance in 64 dimensions."""
    return DataSizes(size=side, train=16, probe=160, test=160)


def measure(registry: Registry, rows: Rows, cache: Path) -> dict[str, Any]:
    """Return all golden numbers.

    The key ``raised`` holds the error of each method or family of metrics that failed, and the key
    ``refused`` why a method does not take its configuration any more.
    """
    data, posed = (task_data(registry, 32, cache, name) for name in (TASK, POSED))
    raised: dict[str, str] = {}
    refused: dict[str, str] = {}
    training = {}
    for label, (method, config, side) in rows.items():
        images = task_data(registry, side, cache)
        with noting(label, raised):
            try:
                settings = settings_of(registry, method, config)
            except (TypeError, ValueError) as error:
                refused[label] = str(error)
                continue
            training[label] = short_training(registry, method, settings, images)
    return {
        "pixels": f"{data.pixel_hash} {posed.pixel_hash}",
        "metrics": frozen_metrics(registry, data, raised),
        "training": training,
        "raised": raised,
        "refused": refused,
    }


def with_tolerances(
    registry: Registry, rows: Rows, cache: Path, others: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the golden numbers with the tolerance of each number.

    Args:
        registry: The registry of methods and metrics.
        rows: The methods to train.
        cache: The folder of prepared data.
        others: The golden numbers of other processors, from `elsewhere`.

    Raises:
        UserError: A method or a family of metrics fails.
    """
    found = measure(registry, rows, cache)
    for what, error in (found.pop("raised") | found.pop("refused")).items():
        raise UserError(f"no golden numbers: {what} raises {error}")
    for name, was in found["metrics"].items():
        pairs = [(was, there["metrics"][name]) for there in others]
        was["tolerance"] = {
            key: SPREADS * max((_apart(one[key], other[key]) for one, other in pairs), default=0.0)
            for key in ("value", "lo", "hi", "n")
        }
    for label, (method, config, side) in rows.items():
        data = task_data(registry, side, cache)
        settings = settings_of(registry, method, config)
        again = [
            short_training(registry, method, settings, data, **how)
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
    """Return the golden numbers with the kernels of other processors.

    Libraries choose their kernels when they are loaded, so each set of kernels needs a new process.
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
    """Return the measured tolerance of a number, but at least a share of its tensor's scale."""
    scale = abs(own.get(f"{name.partition(' ')[0]} rms", value))
    moved = max(abs(other[name] - value) for other in others)
    return max(SPREADS * moved, FLOOR * scale, 1e-9)


def task_data(registry: Registry, side: int, cache: Path, name: str = TASK) -> TaskData:
    """Return a golden task with images of `side` x `side` pixels, from the cache."""
    data = prepare(registry.find("task", name).load()(), sizes(side), cache)
    return dataclasses.replace(data, label=LABEL)


def _main() -> None:
    """Read a request of `elsewhere` from standard input and print the golden numbers."""
    asked = json.load(sys.stdin)
    found = measure(Registry(map(Path, asked["plugins"])), asked["rows"], Path(asked["cache"]))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main()
