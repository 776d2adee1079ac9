"""Builds the record of a finished cell from the results of its stages, or of a failed cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from bench.cell.curve import curve_of
from bench.cell.job import Job
from bench.cell.run_folder import RunFolder
from bench.cell.scoring import entry_of
from bench.cell.stages import Scores
from bench.cell.training import Training
from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import Artefacts, Result
from bench.contracts.record import SCHEMA, Environment, Facts, MetricEntry, Options, Record
from bench.contracts.registry import Plugin, Registry
from bench.contracts.task import TaskData
from bench.records import environment
from bench.records.read import Damaged, note_unwritten, read_record
from bench.records.store import UNAVAILABLE, Store
from bench.utils.files.sealed import write_sealed

_NO_FACTS = ("rates", "cpu_rates", "curve")
"""Fields of `Training` that are no facts of a record."""


def record_of_cell(
    job: Job,
    plugin: Plugin | None,
    data: TaskData,
    artefacts: Artefacts,
    scores: Scores,
    seconds: Mapping[str, float],
    earlier: Record | None,
) -> Record:
    """Return the record of a cell that finished.

    Args:
        job: the job of the cell.
        plugin: the method whose weights were used; None for an anchor without weights, and for
            images that were made elsewhere.
        data: the task.
        artefacts: the artefacts that were scored.
        scores: the numbers that this run computed.
        seconds: the wall time of each stage that this run did.
        earlier: the record whose other numbers are kept; None for a new record.
    """
    record = new_record(job)
    metrics = Registry(map(Path, job.cell.plugins)).all("metric")
    stages = {f"score:{family.name}" for family in metrics}
    if earlier is not None:
        record["environment"] = earlier["environment"]
        record["metrics"] = dict(earlier["metrics"])
        record["sources"] = dict(earlier["sources"])
        record["curve"] = earlier["curve"]
        record["timings"] = {
            stage: taken
            for stage, taken in earlier["timings"].items()
            if stage in stages or not stage.startswith("score:")
        }
    record["metrics"].update(scores.metrics)
    record["timings"].update(seconds)
    record["timings"].update({f"score:{name}": taken for name, taken in scores.seconds.items()})
    if plugin is not None:
        record["sources"][plugin.name] = artefacts.measured["source"]
    if trained_here := artefacts.measured.get("training"):
        found = curve_of(Training(**trained_here), record["metrics"])
        record["curve"] = found or record["curve"]
    record["sources"].update(scores.sources)
    scored = [family for family in metrics if family.name in scores.sources]
    packages = {one.package for one in (plugin, *scored) if one is not None and one.package}
    known = record["environment"].get("versions", {})
    record["environment"]["versions"] = {**known, **dict(packages)}
    record["facts"] = _facts(job, plugin, data, artefacts, scores, earlier)
    return record


def new_record(job: Job) -> Record:
    """Return a record without numbers."""
    cell = job.cell
    described: Environment = {**environment.describe(cell.device), "command": job.command}
    if job.options:
        described["options"] = cast("Options", dict(job.options))
    return {
        "schema": SCHEMA,
        "id": cell.id,
        "label": cell.label,
        "settings": dict(cell.settings),
        "configuration": cell.configuration,
        "study": cell.study,
        "identity": cell.identity,
        "status": "ok",
        "reason": "",
        "metrics": {},
        "facts": {},
        "curve": [],
        "timings": {},
        "environment": described,
        "sources": {},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_gap(job: Job, status: str, reason: str) -> None:
    """Write the record of a cell without numbers. Its leaderboard row gives the reason.

    If the record cannot be written, for example on a full disk, the run reports this and goes on.
    """
    try:
        _write_gap(job, status, reason)
    except OSError as error:
        said = f"it cannot be written ({error.strerror or error}); {reason}"
        note_unwritten(Store(job.results).record_path(job.cell), said)


def _write_gap(job: Job, status: str, reason: str) -> None:
    gap = Result(status="unavailable" if status == UNAVAILABLE else "failed", reason=reason)
    gaps: dict[str, MetricEntry] = {
        name: entry_of(plugin.load(), name, gap)
        for plugin in Registry(map(Path, job.cell.plugins)).giving(job.metrics)
        for name in plugin.load().ids()
        if name in job.metrics
    }
    path = Store(job.results).record_path(job.cell)
    earlier = read_record(path) if job.todo == "score" else None
    if earlier is None or isinstance(earlier, Damaged):
        record = new_record(job)
        record.update({"status": status, "reason": reason, "metrics": gaps})
    else:  # keep its numbers: only the new ones are missing
        record = earlier
        record["metrics"] = gaps | earlier["metrics"]
    write_sealed(path, record)


def _facts(
    job: Job,
    plugin: Plugin | None,
    data: TaskData,
    artefacts: Artefacts,
    scores: Scores,
    earlier: Record | None,
) -> Facts:
    before: Facts = earlier["facts"] if earlier is not None else {}
    facts: Facts = {
        "pixel_hash": data.pixel_hash,
        "scoring": before.get("scoring", {}) | scores.families,
    }
    if of_task := before.get("task") or job.facts or data.facts:
        facts["task"] = dict(of_task)
    if job.cell.method in ANCHORS:
        facts["note"] = artefacts.measured.get("note")
    elif plugin is not None:
        facts["paper"] = plugin.facts.get("paper")
        facts["guided"] = plugin.facts.get("guided")
        facts["note"] = plugin.facts.get("note")
        facts["supervision"] = plugin.facts.get("supervision")
        training = Training(**artefacts.measured["training"])
        cost = dataclasses.asdict(training) | {"flops": training.flops}
        kept = {key: value for key, value in cost.items() if key not in _NO_FACTS}
        facts.update(cast("Facts", kept))
    elif job.cell.imported:
        facts["note"] = "trained elsewhere; scored from its images"
    folder = RunFolder(Store(job.results).run_path(job.cell)).path
    if folder.exists():
        facts["disk_mb"] = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return facts
