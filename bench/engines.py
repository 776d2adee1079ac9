"""Runs jobs: each in a process of its own (default), inline in this one (for debugging), or in Ray.

A process pool would not do: one dead worker ruins it. Here a worker that dies takes one cell with
it, which becomes a row that says so; workers end when the process that started them does.
"""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Protocol

from bench.errors import UserError
from bench.interrupts import held
from bench.parallel import context, end_with_parent
from bench.store import BUSY, Store, note_unwritten, why_unwritten
from bench.terminal import send_output_to

if TYPE_CHECKING:
    from bench.cell import Job
    from bench.training import Report

SECONDS_BETWEEN_REPORTS = 0.3
SECONDS_TO_WAIT = 1.0
"""Until a cell is tried again that another run is doing."""
RETRIES = 2
"""How often a worker that was lost is started again."""
TIMED_OUT = "timed out"
WAITING = "another run on this folder is doing it"


class Display(Protocol):
    """Who is told how the cells go."""

    def started(self, job: Job) -> None:
        """A cell has begun."""

    def progressed(self, job: Job, stage: str, report: Report | None) -> None:
        """A cell is in a stage; in training, with how it goes."""

    def ended(self, job: Job, status: str, reason: str, seconds: float) -> None:
        """A cell has its record."""


def inline(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs one after another in this process; return the status of each."""
    from bench.cell import run

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


@dataclass
class Pending:
    """A job and how it fares: how often its worker was lost, and when it may be tried again."""

    job: Job
    losses: int = 0
    not_before: float = 0.0
    shown: bool = False


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
        """Until it is stopped."""
        limit = math.inf if self.job.timeout is None else self.job.timeout
        return self.start + limit - time.perf_counter()


def processes(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs in processes of their own, so many at a time; return the status of each.

    A worker that is lost (killed, crashed below Python) is started again, `RETRIES` times; its
    training goes on from its checkpoint. A cell that another run is doing is tried again later.
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
                if _put_back(worker, display):
                    waiting.append(worker.task)
                else:
                    statuses[worker.job.cell.id] = _finish(worker, display)
    finally:
        for worker in running:
            worker.process.kill()
            worker.process.join()
    return [statuses[job.cell.id] for job in jobs]


def warm_up() -> BaseContext:
    """Return the context of workers; where they are forked, their server begins to import torch."""
    return context("bench.preload")


def require_ray() -> None:
    """Make sure that Ray is installed; it is not imported for that.

    Raises:
        UserError: it is not.
    """
    found = importlib.util.find_spec("ray")
    if found is None or found.origin is None:  # without an origin: a folder that is called so
        raise UserError("--engine ray needs Ray: pip install 'contentbench[ray]'")


def in_ray(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs as tasks of Ray (see `bench.ray_engine`); return the status of each."""
    require_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    from bench.ray_engine import ray_tasks

    return ray_tasks(jobs, workers, display)


ENGINES: Mapping[str, Callable[[Sequence[Job], int, Display], list[str]]] = {
    "process": processes,
    "inline": inline,
    "ray": in_ray,
}


def next_pending(waiting: list[Pending]) -> Pending | None:
    """Take the first task whose time has come."""
    now = time.perf_counter()
    task = next((task for task in waiting if task.not_before <= now), None)
    if task is not None:
        waiting.remove(task)
    return task


def _seconds_to_wait(
    waiting: Sequence[Pending], running: Sequence[_Worker], workers: int
) -> float | None:
    """Return after how long there is something to do even if no worker says anything."""
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
    with held():
        process.start()
    theirs.close()
    return _Worker(task, slot, process, pipe)


def _put_back(worker: _Worker, display: Display) -> bool:
    """Return whether a worker's task is to be tried again: it was lost, or is being done."""
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
    from bench.cell import write_gap

    worker.process.join()
    worker.pipe.close()
    if worker.status == TIMED_OUT:
        worker.status = "failed"
        reason = f"timed out after {worker.job.timeout:g} s (--timeout)"
        write_gap(worker.job, "failed", f"{reason}; --existing retry goes on from its checkpoint")
    if not worker.status:
        worker.status = "lost"
        code = worker.process.exitcode
        reason = f"the worker ended with exit code {code} and left no record"
        if code is not None and code < 0:
            reason = f"the worker was killed by signal {-code}"
        write_gap(worker.job, "lost", f"{reason}, {RETRIES + 1} times")
    seconds = time.perf_counter() - worker.start
    display.ended(worker.job, worker.status, reason_of(worker.job), seconds)
    return worker.status


def reason_of(job: Job) -> str:
    """Return why a cell's record is not "ok", or ''."""
    from bench.store import Damaged, read_record

    record = read_record(Store(job.results).record_path(job.cell))
    return str(record) if isinstance(record, Damaged) else str(record["reason"])


def _work(job: Job, slot: int, pipe: Connection) -> None:
    """The main function of a worker; its slot chooses its GPU."""
    end_with_parent()
    from bench.folder import RunFolder

    store = Store(job.results)
    send_output_to(RunFolder(store.run_path(job.cell)).log)
    from bench.cell import run

    if job.cell.device == "cuda":
        import torch

        torch.cuda.set_device(slot % torch.cuda.device_count())
    show = seldom(lambda stage, report: pipe.send(("progress", stage, report)))
    status = run(job, show)
    pipe.send(("status", status, why_unwritten(store.record_path(job.cell))))


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
