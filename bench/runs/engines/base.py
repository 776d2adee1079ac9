"""What all engines share: the display they report to, and jobs that are tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.records.store import Store

if TYPE_CHECKING:
    from bench.cell.job import Job, Report

SECONDS_BETWEEN_REPORTS = 0.3
SECONDS_TO_WAIT = 1.0
"""Until a cell is tried again that another run is doing."""
RETRIES = 2
"""How often a worker that was lost is started again."""
WAITING = "another run on this folder is doing it"


class Display(Protocol):
    """Who is told how the cells go."""

    def started(self, job: Job) -> None:
        """A cell has begun."""

    def progressed(self, job: Job, stage: str, report: Report | None) -> None:
        """A cell is in a stage; in training, with how it goes."""

    def ended(self, job: Job, status: str, reason: str, seconds: float) -> None:
        """A cell has its record."""


@dataclass
class Pending:
    """A job and how it fares: how often its worker was lost, and when it may be tried again."""

    job: Job
    losses: int = 0
    not_before: float = 0.0
    shown: bool = False


def next_pending(waiting: list[Pending]) -> Pending | None:
    """Take the first task whose time has come."""
    now = time.perf_counter()
    task = next((task for task in waiting if task.not_before <= now), None)
    if task is not None:
        waiting.remove(task)
    return task


def reason_of(job: Job) -> str:
    """Return why a cell's record is not "ok", or ''."""
    from bench.records.read import Damaged, read_record

    record = read_record(Store(job.results).record_path(job.cell))
    return str(record) if isinstance(record, Damaged) else str(record["reason"])


def seldom(
    show: Callable[[str, Report | None], object],
) -> Callable[[str, Report | None], None]:
    """Return a function that shows every new stage, and of one stage's reports only some."""
    last = 0.0

    def shown(stage: str, report: Report | None) -> None:
        nonlocal last
        now = time.perf_counter()
        if report is None or now - last >= SECONDS_BETWEEN_REPORTS:
            last = now
            show(stage, report)

    return shown
