"""One family of metrics on one cell: its numbers as a record keeps them, or why there are none."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.cell.run_folder import RunFolder
from bench.contracts.metric import Artefacts, Metric, Result, Settings
from bench.contracts.task import TaskData
from bench.records.schema import metric

SCORING = "scoring"
"""The fact that says of each family of metrics what it was computed by and what it took."""


def score_family(
    family: Metric,
    wanted: Sequence[str],
    artefacts: Artefacts,
    data: TaskData,
    settings: Settings,
    folder: RunFolder,
) -> dict[str, Result]:
    """Return the results of a family; one that crashes loses its own numbers and no others."""
    try:
        results = family.score(wanted, artefacts, data, settings)
        for name in wanted:
            entry = entry_of(family, name, results[name])
            if said := metric(json.loads(json.dumps(entry, allow_nan=False)), name):
                raise ValueError(said)
        return results
    except (Exception, SystemExit) as error:
        gap = Result(status="failed", reason=folder.log_error(error))
        return dict.fromkeys(wanted, gap)


def entry_of(family: Metric | type[Metric], name: str, result: Result) -> dict[str, Any]:
    """Return the entry of a record: a result, and what the family says of its number."""
    info = next(info for info in family.numbers if info.id == name)
    return dataclasses.asdict(result) | {
        "version": family.version,
        "family": family.name,
        "unit": info.unit,
        "better": info.better,
        "meaning": info.meaning,
    }


def stands(entry: Mapping[str, Any] | None, version: int) -> bool:
    """Return whether a record has a good value of this version already."""
    return entry is not None and entry["status"] == "ok" and entry["version"] == version
