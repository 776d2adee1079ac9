"""Scores a cell with one family of metrics, and converts results to entries of a record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import cast

from bench.cell.run_folder import RunFolder
from bench.contracts.metric import Artefacts, Metric, Result, Settings
from bench.contracts.record import MetricEntry
from bench.contracts.task import TaskData
from bench.records.schema import error_in_metric


def score_family(
    family: Metric,
    wanted: Sequence[str],
    artefacts: Artefacts,
    data: TaskData,
    settings: Settings,
    folder: RunFolder,
) -> dict[str, Result]:
    """Return the results of a family. If it crashes, each of its results gives the reason."""
    try:
        results = family.score(wanted, artefacts, data, settings)
        for name in wanted:
            entry = entry_of(family, name, results[name])
            if said := error_in_metric(json.loads(json.dumps(entry, allow_nan=False)), name):
                raise ValueError(said)
        return results
    except (Exception, SystemExit) as error:
        gap = Result(status="failed", reason=folder.log_error(error))
        return dict.fromkeys(wanted, gap)


def entry_of(family: Metric | type[Metric], name: str, result: Result) -> MetricEntry:
    """Return a result as an entry of a record, with the facts about the metric."""
    info = next(info for info in family.numbers if info.id == name)
    found = dataclasses.asdict(result)
    items = [_rounded(item) for item in found.pop("items")]
    entry = (
        found
        | ({"items": items} if items else {})
        | {
            "version": family.version,
            "family": family.name,
            "unit": info.unit,
            "better": info.better,
            "meaning": info.meaning,
        }
    )
    return cast("MetricEntry", entry)


def _rounded(item: float) -> float:
    """Return a number with the digits that a record keeps of an item."""
    return float(f"{item:.3g}")


def is_good(entry: MetricEntry | None, version: int) -> bool:
    """Return whether an entry has a value and comes from this version of its family."""
    return entry is not None and entry["status"] == "ok" and entry["version"] == version
