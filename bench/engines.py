"""Runs jobs: each in a process of its own (default), or inline in this one (for debugging).

A process pool would not do: one dead worker ruins it. Here a worker that dies takes one cell with
it, which becomes a row that says so; workers end when the process that started them does.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Protocol

from bench.store import Store

if TYPE_CHECKING:
    from bench.cell import Job
    from bench.training import Report

SECONDS_BETWEEN_REPORTS = 0.3


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
        status = run(job, partial(display.progressed, job))
        display.ended(job, status, reason_of(job), time.perf_counter() - start)
        statuses.append(status)
    return statuses


@dataclass
class _Worker:
    job: Job
    process: BaseProcess
    pipe: Connection
    start: float = field(default_factory=time.perf_counter)
    status: str = ""


def processes(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs in processes of their own, so many at a time; return the status of each."""
    context = warm_up()
    waiting = list(jobs)
    running: list[_Worker] = []
    statuses: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_start(context, waiting.pop(0)))
                display.started(running[-1].job)
            ready = wait([w.pipe for w in running] + [w.process.sentinel for w in running])
            for worker in list(running):
                if worker.pipe in ready or worker.process.sentinel in ready:
                    for stage, report in _messages(worker):
                        display.progressed(worker.job, stage, report)
                if worker.process.sentinel in ready:
                    running.remove(worker)
                    statuses[worker.job.cell.id] = _finish(worker, display)
    finally:
        for worker in running:
            worker.process.kill()
            worker.process.join()
    return [statuses[job.cell.id] for job in jobs]


def warm_up() -> Any:
    """Return the context of workers; where they are forked, their server begins to import torch."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.preload"])
    forkserver.ensure_running()
    return context


ENGINES: Mapping[str, Callable[[Sequence[Job], int, Display], list[str]]] = {
    "process": processes,
    "inline": inline,
}


def _start(context: Any, job: Job) -> _Worker:
    pipe, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(job, process, pipe)


def _messages(worker: _Worker) -> Iterator[tuple[str, Report | None]]:
    try:
        while worker.pipe.poll():
            kind, *content = worker.pipe.recv()
            if kind == "status":
                worker.status = content[0]
            else:
                yield content[0], content[1]
    except (EOFError, OSError):
        return


def _finish(worker: _Worker, display: Display) -> str:
    from bench.cell import write_gap

    worker.process.join()
    worker.pipe.close()
    if not worker.status:
        worker.status = "lost"
        code = worker.process.exitcode
        reason = f"the worker ended with exit code {code} and left no record"
        if code is not None and code < 0:
            reason = f"the worker was killed by signal {-code}"
        write_gap(worker.job, "lost", reason)
    seconds = time.perf_counter() - worker.start
    display.ended(worker.job, worker.status, reason_of(worker.job), seconds)
    return worker.status


def reason_of(job: Job) -> str:
    """Return why a cell's record is not "ok", or ''."""
    from bench.store import Damaged, read_record

    record = read_record(Store(job.results).record_path(job.cell))
    return str(record) if isinstance(record, Damaged) else str(record["reason"])


def _work(job: Job, pipe: Connection) -> None:
    """The main function of a worker."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    from bench.folder import RunFolder

    log = RunFolder(Store(job.results).run_path(job.cell)).log
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    from bench.cell import run

    last = 0.0

    def show(stage: str, report: Report | None) -> None:
        nonlocal last
        now = time.perf_counter()
        if report is None or now - last >= SECONDS_BETWEEN_REPORTS:
            last = now
            pipe.send(("progress", stage, report))

    pipe.send(("status", run(job, show)))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
