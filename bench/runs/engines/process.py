"""The engine `process` runs each job in its own process.

A process pool breaks when one worker dies. Here a dead worker affects one cell only, and the
leaderboard shows the reason. Workers end when the process that started them ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from bench.records.read import note_unwritten, why_unwritten
from bench.records.store import BUSY, Store
from bench.runs.engines.base import (
    RETRIES,
    SECONDS_TO_WAIT,
    WAITING,
    Display,
    Pending,
    next_pending,
    reason_of,
    seldom,
)
from bench.utils.output.terminal import send_output_to
from bench.utils.parallel import context, end_with_parent, starting

if TYPE_CHECKING:
    from bench.cell.job import Job, Report

TIMED_OUT = "timed out"


@dataclass
class _Worker:
    task: Pending
    slot: int
    process: BaseProcess
    pipe: Connection
    start: float = field(default_factory=time.perf_counter)
    status: str = ""

    @property
    def job(self) -> Job:
        return self.task.job

    @property
    def seconds_left(self) -> float:
        """The seconds until the worker is stopped for its time limit."""
        limit = math.inf if self.job.timeout is None else self.job.timeout
        return self.start + limit - time.perf_counter()


def processes(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run each job in its own process, `workers` at a time; return the status of each.

    A cell whose worker is lost (killed, or crashed below Python) is started again up to `RETRIES`
    times, and its training continues from its checkpoint. A cell that another run holds is tried
    again later.
    """
    start = warm_up()
    waiting = [Pending(job) for job in jobs]
    running: list[_Worker] = []
    statuses: dict[str, str] = {}
    try:
        while waiting or running:
            while len(running) < workers and (task := next_pending(waiting)):
                slot = min(set(range(workers)) - {worker.slot for worker in running})
                running.append(_start(start, task, slot))
                if not task.shown:
                    display.started(task.job)
                    task.shown = True
            handles = [w.pipe for w in running] + [w.process.sentinel for w in running]
            ready = wait(handles, _seconds_to_wait(waiting, running, workers))
            for worker in list(running):
                if worker.pipe in ready or worker.process.sentinel in ready:
                    for stage, report in _messages(worker):
                        display.progressed(worker.job, stage, report)
                if worker.seconds_left <= 0 and not worker.status:
                    worker.process.kill()
                    worker.status = TIMED_OUT
                    worker.process.join()
                elif worker.process.sentinel not in ready:
                    continue
                running.remove(worker)
                if _must_retry(worker, display):
                    waiting.append(worker.task)
                else:
                    statuses[worker.job.cell.id] = _finish(worker, display)
    finally:
        for worker in running:
            worker.process.kill()
            worker.process.join()
    return [statuses[job.cell.id] for job in jobs]


def warm_up() -> BaseContext:
    """Return the context that starts workers; a fork server begins to import torch."""
    return context("bench.runs.engines.preload")


def _seconds_to_wait(
    waiting: Sequence[Pending], running: Sequence[_Worker], workers: int
) -> float | None:
    """Return the seconds until a time limit or a retry is due; None if neither is."""
    moments = [worker.seconds_left for worker in running]
    if len(running) < workers:
        moments += [task.not_before - time.perf_counter() for task in waiting]
    soonest = min(moments, default=math.inf)
    return None if soonest == math.inf else max(0.0, soonest)


def _start(how: BaseContext, task: Pending, slot: int) -> _Worker:
    pipe, theirs = how.Pipe(duplex=False)
    process: BaseProcess = how.Process(  # type: ignore[attr-defined]
        target=_work, args=(task.job, slot, theirs), daemon=True
    )
    with starting():
        process.start()
    theirs.close()
    return _Worker(task, slot, process, pipe)


def _must_retry(worker: _Worker, display: Display) -> bool:
    """Return whether a job must be started again: its worker was lost, or another run holds it."""
    task = worker.task
    if worker.status == BUSY:
        display.progressed(task.job, WAITING, None)
        task.not_before = time.perf_counter() + SECONDS_TO_WAIT
        return True
    if not worker.status and task.losses < RETRIES:
        task.losses += 1
        display.progressed(task.job, f"its worker was lost, try {task.losses + 1}", None)
        return True
    return False


def _messages(worker: _Worker) -> Iterator[tuple[str, Report | None]]:
    try:
        while worker.pipe.poll():
            kind, *content = worker.pipe.recv()
            if kind == "status":
                worker.status, unwritten = content
                if unwritten:
                    store = Store(worker.job.results)
                    note_unwritten(store.record_path(worker.job.cell), unwritten)
            else:
                yield content[0], content[1]
    except (EOFError, OSError):
        return


def _finish(worker: _Worker, display: Display) -> str:
    from bench.cell.build_record import write_gap

    worker.process.join()
    worker.pipe.close()
    if worker.status == TIMED_OUT:
        worker.status = "failed"
        reason = f"timed out after {worker.job.timeout:g} s (--timeout)"
        write_gap(worker.job, "failed", f"{reason}; --existing retry goes on from its checkpoint")
    if not worker.status:
        worker.status = "lost"
        code = worker.process.exitcode
        reason = f"the worker ended with exit code {code} without a record"
        if code is not None and code < 0:
            reason = f"the worker was killed by signal {-code}"
        write_gap(worker.job, "lost", f"{reason}, {RETRIES + 1} times")
    seconds = time.perf_counter() - worker.start
    display.ended(worker.job, worker.status, reason_of(worker.job), seconds)
    return worker.status


def _work(job: Job, slot: int, pipe: Connection) -> None:
    """Run a job in a worker; the number of its slot chooses its GPU."""
    end_with_parent()
    from bench.cell.run_folder import RunFolder

    store = Store(job.results)
    send_output_to(RunFolder(store.run_path(job.cell)).log)
    from bench.cell.run import run

    if job.cell.device == "cuda":
        import torch

        torch.cuda.set_device(slot % torch.cuda.device_count())
    show = seldom(lambda stage, report: pipe.send(("progress", stage, report)))
    status = run(job, show)
    pipe.send(("status", status, why_unwritten(store.record_path(job.cell))))
