"""The curve of a cell: its quick numbers at fractions of the training and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.cell.artefacts import SECOND_PASS, results_of
from bench.cell.job import Job
from bench.cell.measure import Stopwatch
from bench.cell.run_folder import RunFolder
from bench.cell.scoring import score_family
from bench.cell.training import Training
from bench.contracts.method import Method
from bench.contracts.metric import Artefacts, Metric, Settings
from bench.contracts.record import CurvePoint, CurveValue, MetricEntry
from bench.contracts.registry import Registry
from bench.contracts.task import TaskData

_QUICK_PROBES = ("logistic",)
"""The probes of the domain accuracy in a snapshot. The others take longer than the training."""


class CurveScorer:
    """Scores a method during its training with the numbers that are ``in_curve``.

    seconds: the wall time of all calls so far.
    """

    def __init__(
        self, job: Job, data: TaskData, folder: RunFolder, wanted: Mapping[type[Metric], list[str]]
    ) -> None:
        self._cell, self._data, self._folder, self._wanted = job.cell, data, folder, wanted
        self._settings = Settings(_QUICK_PROBES, job.inception, job.cache, intervals=False)
        infos = [i for family, names in wanted.items() for i in family.numbers if i.id in names]
        self._second_pass = any(need in SECOND_PASS for info in infos for need in info.needs)
        self.seconds = 0.0

    def __call__(self, method: Method) -> dict[str, CurveValue]:
        """Return the value of each wanted number, None for one that cannot be computed.

        The method is in eval mode afterwards, see `bench.cell.snapshots.unchanged`.
        """
        with Stopwatch() as watch:
            found = self._values(method)
        self.seconds += watch.seconds
        return found

    def _values(self, method: Method) -> dict[str, CurveValue]:
        cell = self._cell
        device, size = torch.device(cell.device), cell.numbers["eval_batch"]
        try:
            tensors, absent = results_of(
                method, self._data, device, cell.precision, size, self._second_pass
            )
        except Exception as error:  # the training goes on, and its end may have artefacts
            self._folder.log_error(error)
            tensors, absent = {}, {}
        artefacts = Artefacts(tensors, absent=absent)
        found: dict[str, CurveValue] = {}
        for family, names in self._wanted.items():
            results = score_family(
                family(), names, artefacts, self._data, self._settings, self._folder
            )
            for name, result in results.items():
                value = result.value if result.status == "ok" else None
                found[name] = _curve_value(value, family.version, result.detail)
        return found


def curve_scorer(job: Job, data: TaskData, folder: RunFolder) -> CurveScorer | None:
    """Return what scores the snapshots of a cell, or None if it takes no snapshots.

    A trial of a tuning study takes none, because only its end counts. Neither does a cell whose
    record needs no number that is ``in_curve``.
    """
    if job.cell.numbers.get("part") == "val":
        return None
    families: list[type[Metric]] = [
        plugin.load() for plugin in Registry(map(Path, job.cell.plugins)).giving(job.metrics)
    ]
    wanted = {
        family: names
        for family in families
        if (names := [i.id for i in family.numbers if i.in_curve and i.id in job.metrics])
    }
    return CurveScorer(job, data, folder, wanted) if wanted else None


def curve_of(training: Training, metrics: Mapping[str, MetricEntry]) -> list[CurvePoint]:
    """Return the snapshots of a training and the point at its end; [] if there are no snapshots.

    metrics: the entries of the record. The last point has those that the snapshots have.
    """
    if not training.curve:
        return []
    names = dict.fromkeys(name for point in training.curve for name in point["metrics"])
    last: CurvePoint = {
        "budget": 1.0,
        "steps": training.steps,
        "images": training.images,
        "flops": training.flops,
        "cpu_seconds": training.cpu_seconds,
        "metrics": {
            name: _curve_value(entry["value"], entry["version"], entry.get("detail", {}))
            for name in names
            if (entry := metrics.get(name)) is not None
        },
    }
    return [*training.curve, last]


def _curve_value(value: float | None, version: int, detail: Mapping[str, Any]) -> CurveValue:
    found: CurveValue = {"value": value, "version": version}
    if value is not None and "parts" in detail:
        found["parts"] = dict(detail["parts"])
    return found
