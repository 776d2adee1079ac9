"""Estimates from earlier records how long a run takes and how much disk it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from bench.cell.job import Job
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.cell import PUBLISHED, Cell
from bench.contracts.metric import IMAGES
from bench.contracts.protocol import protocol_of
from bench.contracts.record import Record
from bench.contracts.task import DataSizes
from bench.records.store import Store
from bench.utils.files.disk import Need, size_of
from bench.utils.files.paths import COMMITTED

if TYPE_CHECKING:
    from bench.cell.job import Job
    from bench.plan.plan import Plan

BUDGET: Final = "budget_tflops"


@dataclass(frozen=True)
class Forecast:
    """The time and the disk space that a job will take; None if there is no similar record.

    Attributes:
        seconds: the time of all stages of the cell.
        megabytes: the size of its run folder.
        scaled: whether the time comes from a record of another budget.
    """

    seconds: float | None
    megabytes: float | None
    scaled: bool = False


def forecast(job: Job, records: Sequence[Record]) -> Forecast:
    """Return the forecast of a job from the newest record of the same method, task and profile.

    A record of the same configuration is preferred. If there is none of any configuration, a record
    that differs only in its training budget is used, and the time of training is scaled with it.
    """
    if job.todo == "nothing":
        return Forecast(0.0, 0.0)
    last = latest_alike(job.cell, records, (*_SAME, "config")) or latest_alike(
        job.cell, records, _SAME
    )
    factor = 1.0
    if scaled := last is None:
        last = _latest_of_another_budget(job.cell, records)
        if last is None:
            return Forecast(None, None)
        factor = job.cell.numbers[BUDGET] / last["identity"]["numbers"][BUDGET]
    seconds = sum(
        taken * (factor if stage == "train" else 1.0)
        for stage, taken in last["timings"].items()
        if job.todo == "run" or stage.startswith("score")
    )
    return Forecast(seconds, last["facts"].get("disk_mb"), scaled)


def _latest_of_another_budget(cell: Cell, records: Sequence[Record]) -> Record | None:
    """Return the newest good record that differs from a cell only in the number of FLOPs."""
    if cell.numbers[BUDGET] == PUBLISHED:
        return None
    same = {BUDGET: cell.numbers[BUDGET], "part": ""}  # *val* takes no longer to score than *test*
    others = [
        record
        for record in records
        if record["identity"]["numbers"].get(BUDGET, PUBLISHED) != PUBLISHED
        and record["identity"]["numbers"] | same == cell.numbers | same
    ]
    return latest_alike(cell, others, ("method", "task", "device"))


Part = Literal["method", "task", "numbers", "device", "config"]
"""A key of an identity."""


_SAME: tuple[Part, ...] = ("method", "task", "numbers", "device")


def latest_alike(cell: Cell, records: Sequence[Record], same: Sequence[Part]) -> Record | None:
    """Return the newest good record whose identity has the same values as a cell for these keys.

    A record of another version of the protocol is never alike.
    """
    alike = [
        record
        for record in records
        if record["status"] == "ok"
        and protocol_of(record["identity"]) == cell.protocol
        and all(record["identity"][key] == getattr(cell, key) for key in same)
    ]
    return max(alike, key=lambda record: record["finished"], default=None)


def known_records(results: Path) -> list[Record]:
    """Return the records of a results folder and the committed records of the suite."""
    return Store(results).records()[0] + Store(COMMITTED).records()[0]


WEIGHTS_MB = 50.0
"""The assumed size of the weights of a method that has no record."""


def needs_of_run(plan: Plan, jobs: Sequence[Job]) -> list[Need]:
    """Return the disk that a run needs: for its run folders, and for tasks that are not cached.

    The size of a run folder comes from an earlier record if there is one.
    """
    from bench.tasks.cache import is_cached

    kept = [job for job in jobs if job.todo == "run" and job.cell.method not in WITHOUT_SEED]
    records = known_records(jobs[0].results) if kept else []
    cells, guessed = 0.0, 0
    for job in kept:
        known = forecast(job, records).megabytes
        guessed += known is None
        sizes = job.cell.sizes
        if known is None:
            sizes = plan.tasks[job.cell.task].available(sizes)
        if known is None and job.cell.weights_from is not None:
            known = images_megabytes(sizes)
        whole = assumed_megabytes(sizes) if known is None else known
        there = size_of(job.results / "runs" / job.cell.name) / 1e6
        cells += max(0.0, whole - there)
    what = f"{len(kept)} cell{'s' * (len(kept) > 1)} {cells:.0f} MB"
    if guessed:
        what += f", {guessed} of them a guess"
    needs = [Need(jobs[0].results, cells, what)] if kept else []
    used = {(job.cell.task, job.cell.sizes): job.cell for job in jobs if job.todo != "nothing"}
    for (task, sizes), cell in used.items():
        if not is_cached(task, sizes, cell.fingerprint, jobs[0].cache):
            images = task_megabytes(plan.tasks[task].available(sizes))
            needs.append(Need(jobs[0].cache, images, f"images of {task} {images:.0f} MB"))
    return needs


def assumed_megabytes(sizes: DataSizes) -> float:
    """Return the assumed size of a run folder if there is no record.

    It holds all images that a method can write, float32 codes with as many values as an image,
    and `WEIGHTS_MB` of weights.
    """
    codes = (2 * sizes.probe + 3 * sizes.test) * 3 * sizes.size**2 * 4
    return images_megabytes(sizes) + codes / 1e6 + WEIGHTS_MB


def images_megabytes(sizes: DataSizes) -> float:
    """Return the size of all images that a cell can write."""
    return len(IMAGES) * sizes.test * 3 * sizes.size**2 / 1e6


def task_megabytes(sizes: DataSizes) -> float:
    """Return the size of a task in the cache: two domains, and three true images per test pair."""
    images = 2 * (sizes.train + sizes.probe + sizes.test) + 3 * sizes.test
    return images * 3 * sizes.size**2 / 1e6
