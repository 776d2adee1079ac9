"""What all engines share: the display, and jobs that wait for their turn."""

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
"""How long to wait before another look at a cell that another run holds."""
RETRIES = 2
"""How often a cell is started again after its worker was lost."""
WAITING = "waiting for another run on this folder that holds this cell"


class Display(Protocol):
    """Receives the progress of all cells."""

    def started(self, job: Job) -> None:
        """Show that a cell has started."""

    def progressed(self, job: Job, stage: str, report: Report | None) -> None:
        """Show the stage of a cell; in training, also its report."""

    def ended(self, job: Job, status: str, reason: str, seconds: float) -> None:
        """Show that a cell has ended and has a record."""


@dataclass
class Pending:
    """A job that waits to be started.

    Attributes:
        job: the job.
        losses: how often its worker was lost.
        not_before: the `time.perf_counter()` before which it is not started.
        shown: whether the display has shown its start.
    """

    job: Job
    losses: int = 0
    not_before: float = 0.0
    shown: bool = False


def next_pending(waiting: list[Pending]) -> Pending | None:
    """Remove and return the first job that may start now; None if there is none."""
    now = time.perf_counter()
    pending = next((pending for pending in waiting if pending.not_before <= now), None)
    if pending is not None:
        waiting.remove(pending)
    return pending


def reason_of(job: Job) -> str:
    """Return the reason in the record of a job that did not succeed, or ''."""
    from bench.records.read import Damaged, read_record

    record = read_record(Store(job.results).record_path(job.cell))
    return str(record) if isinstance(record, Damaged) else str(record["reason"])


def seldom(
    show: Callable[[str, Report | None], object],
) -> Callable[[str, Report | None], None]:
    """Return a function that shows every stage, and a report each `SECONDS_BETWEEN_REPORTS`."""
    last = 0.0

    def shown(stage: str, report: Report | None) -> None:
        nonlocal last
        now = time.perf_counter()
        if report is None or now - last >= SECONDS_BETWEEN_REPORTS:
            last = now
            show(stage, report)

    return shown
