"""How long a run will take and how much disk it needs, estimated from earlier records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.cell.job import Job
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell
from bench.contracts.metric import IMAGES
from bench.contracts.record import Record
from bench.contracts.task import DataSizes
from bench.records.store import Store
from bench.utils.files.disk import Need, size_of
from bench.utils.files.paths import COMMITTED

if TYPE_CHECKING:
    from bench.cell.job import Job
    from bench.plan.plan import Plan


@dataclass(frozen=True)
class Forecast:
    """What a job will take, or None where no earlier record tells."""

    seconds: float | None
    megabytes: float | None


def forecast(job: Job, records: Sequence[Record]) -> Forecast:
    """Return what a job will take, going by the last record of the same method and sizes."""
    if job.todo == "nothing":
        return Forecast(0.0, 0.0)
    last = latest_alike(job.cell, records, ("method", "task", "numbers", "device"))
    if last is None:
        return Forecast(None, None)
    parts = last["timings"].items()
    seconds = sum(s for stage, s in parts if job.todo == "run" or stage.startswith("score"))
    return Forecast(seconds, last["facts"].get("disk_mb"))


Part = Literal["method", "task", "numbers", "device"]
"""A part of an identity."""


def latest_alike(cell: Cell, records: Sequence[Record], same: Sequence[Part]) -> Record | None:
    """Return the last good record that has the same as a cell in these parts of its identity."""
    alike = [
        record
        for record in records
        if record["status"] == "ok"
        and all(record["identity"][key] == getattr(cell, key) for key in same)
    ]
    return max(alike, key=lambda record: record["finished"], default=None)


def known_records(results: Path) -> list[Record]:
    """Return the records of a results folder and those that come with the suite."""
    return Store(results).records()[0] + Store(COMMITTED).records()[0]


WEIGHTS_MB = 50.0
"""The weights of a method of which no record tells."""


def needs_of_run(plan: Plan, jobs: Sequence[Job]) -> list[Need]:
    """Return what a run will write: run folders by earlier records, and tasks by their sizes."""
    from bench.tasks.cache import is_cached

    trained = [job for job in jobs if job.todo == "run" and job.cell.method not in ANCHORS]
    records = known_records(jobs[0].results) if trained else []
    cells, guessed = 0.0, 0
    for job in trained:
        known = forecast(job, records).megabytes
        guessed += known is None
        sizes = job.cell.sizes
        if known is None:
            sizes = plan.tasks[job.cell.task].available(sizes)
        whole = assumed_megabytes(sizes) if known is None else known
        there = size_of(job.results / "runs" / job.cell.name) / 1e6
        cells += max(0.0, whole - there)
    what = f"{len(trained)} cell{'s' * (len(trained) > 1)} {cells:.0f} MB"
    if guessed:
        what += f", {guessed} of them a guess"
    needs = [Need(jobs[0].results, cells, what)] if trained else []
    used = {(job.cell.task, job.cell.sizes): job.cell for job in jobs if job.todo != "nothing"}
    for (task, sizes), cell in used.items():
        if not is_cached(task, sizes, cell.fingerprint, jobs[0].cache):
            images = task_megabytes(plan.tasks[task].available(sizes))
            needs.append(Need(jobs[0].cache, images, f"images of {task} {images:.0f} MB"))
    return needs


def assumed_megabytes(sizes: DataSizes) -> float:
    """Return what a run folder takes where no record tells.

    Assumed are all images that a method can leave, codes in float32 with as many numbers as an
    image has, and `WEIGHTS_MB`.
    """
    values = 3 * sizes.size**2
    images = len(IMAGES) * sizes.test * values
    codes = (2 * sizes.probe + 3 * sizes.test) * values * 4
    return (images + codes) / 1e6 + WEIGHTS_MB


def task_megabytes(sizes: DataSizes) -> float:
    """Return what a task takes in the cache: two domains, and three true results for each pair."""
    images = 2 * (sizes.train + sizes.probe + sizes.test) + 3 * sizes.test
    return images * 3 * sizes.size**2 / 1e6
