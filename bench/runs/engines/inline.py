"""The engine `inline` runs jobs one after another in this process, for debugging."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from bench.records.store import BUSY
from bench.runs.engines.base import SECONDS_TO_WAIT, WAITING, Display, reason_of

if TYPE_CHECKING:
    from bench.cell.job import Job


def inline(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs one after another in this process; return the status of each."""
    from bench.cell.run import run

    statuses = []
    for job in jobs:
        display.started(job)
        start = time.perf_counter()
        while (status := run(job, partial(display.progressed, job))) == BUSY:
            display.progressed(job, WAITING, None)
            time.sleep(SECONDS_TO_WAIT)
        display.ended(job, status, reason_of(job), time.perf_counter() - start)
        statuses.append(status)
    return statuses
