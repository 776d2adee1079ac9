"""The cost of a method: speed, latency, memory and size.

Times are measured while the method trains and runs. This file only summarises them. Rates count CPU
time, so that other work on the machine does not matter; on a GPU they count wall-clock time. They
can be compared only between machines of one kind. Parameters and FLOPs are equal everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData

FEWEST = 6
"""The smallest sample in which two order statistics enclose the median with 95 %."""


def quantile(items: Sequence[float], q: float) -> Result:
    """Return a quantile. With enough items, it has an order-statistic 95 % interval."""
    ordered = np.sort(np.asarray(items, dtype=np.float64))
    n = len(ordered)
    value = float(np.quantile(ordered, q))
    if n < FEWEST:
        return Result(value, n=n)
    lo, hi = (int(stats.binom.ppf(p, n, q)) for p in (0.025, 0.975))
    return Result(value, float(ordered[max(lo - 1, 0)]), float(ordered[min(hi, n - 1)]), n)


def rate(measured: Mapping[str, Any], name: str) -> Result:
    """Return the median rate, by the clock that suits the device.

    Measurements of earlier versions of the suite do not name a clock, and then there is no rate:
    the wall-clock rate on a busy machine depends on the other work.
    """
    clock = measured.get("clock")
    if clock is None:
        return Result(status="unavailable", reason="measured by an earlier version of the suite")
    result = quantile(measured[f"cpu_{name}" if clock == "cpu" else name], 0.5)
    result.detail["clock"] = clock
    return result


COUNTS = {
    "params": "params",
    "params_infer": "params_infer",
    "flops_infer": "flops",
    "flops_train_step": "flops_per_step",
}
"""The numbers that are counted: exact, and equal on every machine."""
_NOT_COUNTED = "not counted by the version of the suite that trained it"


class Cost(Metric):
    """Throughput, latency, memory, parameters and FLOPs."""

    name = "cost"
    summary = "training and inference speed, latency, memory, parameters, FLOPs"
    version = 2
    position = 80
    numbers = (
        MetricInfo(
            id="train_images_per_s",
            unit="images/s",
            better="higher",
            meaning="images trained on in a CPU second (GPU: a second), median over blocks",
            label="train img/s",
            group="Cost",
            bounds=(0.0, None),
            scale="log",
            digits=0,
            kind="clocked",
            needs=("training",),
        ),
        MetricInfo(
            id="infer_images_per_s",
            unit="images/s",
            better="higher",
            meaning="results of add in a CPU second (GPU: a second), batches of 32, median",
            label="infer img/s",
            group="Cost",
            bounds=(0.0, None),
            main=True,
            scale="log",
            digits=0,
            kind="clocked",
            needs=("inference",),
        ),
        MetricInfo(
            id="latency_ms_p50",
            unit="ms",
            better="lower",
            meaning="time for one result of add, median",
            label="latency p50",
            group="Cost",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            kind="clocked",
            needs=("inference",),
        ),
        MetricInfo(
            id="latency_ms_p95",
            unit="ms",
            better="lower",
            meaning="time for one result of add, 95th percentile",
            label="latency p95",
            group="Cost",
            bounds=(0.0, None),
            scale="log",
            digits=2,
            kind="clocked",
            needs=("inference",),
        ),
        MetricInfo(
            id="peak_memory_mb",
            unit="MiB",
            better="lower",
            meaning="memory that training took beyond what the process held before",
            label="peak memory",
            group="Cost",
            bounds=(0.0, None),
            scale="log",
            digits=0,
            kind="clocked",
            needs=("training",),
        ),
        MetricInfo(
            id="params",
            unit="",
            better="lower",
            meaning="parameters of all networks",
            label="params",
            group="Cost",
            bounds=(0.0, None),
            kind="counted",
            needs=("inference",),
        ),
        MetricInfo(
            id="params_infer",
            unit="",
            better="lower",
            meaning="parameters that a result of add depends on: critics and the like are not",
            label="params infer",
            group="Cost",
            bounds=(0.0, None),
            kind="counted",
            needs=("inference",),
        ),
        MetricInfo(
            id="flops_infer",
            unit="FLOPs",
            better="lower",
            meaning="floating point operations of one result of add, 2 for a multiply-add",
            label="FLOPs infer",
            group="Cost",
            bounds=(0.0, None),
            kind="counted",
            needs=("inference",),
        ),
        MetricInfo(
            id="flops_train_step",
            unit="FLOPs",
            better="lower",
            meaning="floating point operations of a training step, 2 for a multiply-add",
            label="FLOPs step",
            group="Cost",
            bounds=(0.0, None),
            kind="counted",
            needs=("training",),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers."""
        results = {}
        for info in wanted:
            measured: dict[str, Any] = artefacts.measured[info.needs[0]]
            match info.id:
                case "train_images_per_s":
                    result = rate(measured, "rates")
                case "infer_images_per_s":
                    result = rate(measured, "images_per_s")
                case "latency_ms_p50" | "latency_ms_p95":
                    q = int(info.id[-2:]) / 100
                    result = quantile(measured["latency_ms"], q)
                    result.detail["cpu_ms"] = float(np.quantile(measured["latency_cpu_ms"], q))
                case "peak_memory_mb":
                    peak = measured["peak_memory_mb"]
                    result = Result(peak, n=1)
                    if peak is None:
                        result = Result(status="unavailable", reason="not measured on this system")
                case _:
                    count = measured.get(COUNTS[info.id])
                    result = Result(status="unavailable", reason=_NOT_COUNTED)
                    if count is not None:
                        result = Result(float(count), n=1)
            results[info.id] = result
        return results
