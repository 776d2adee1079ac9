"""Runs each job as a Ray task: on this machine, or on the cluster that RAY_ADDRESS names.

The driver is the process that the user started. It sends a task all files that its cell needs (see
`bench.runs.engines.ray_files`). The task runs the cell in a temporary folder of its machine, sends
progress messages to an actor, and returns the files of the cell. The driver writes them to the
results folder while it holds the lock of the cell.

If a worker process dies, Ray starts its task again. On the same machine, training continues from
its checkpoint.
"""

from __future__ import annotations

import math
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError

from bench.records.store import Store
from bench.runs.engines.base import (
    RETRIES,
    SECONDS_TO_WAIT,
    WAITING,
    Display,
    Pending,
    next_pending,
    reason_of,
)
from bench.runs.engines.ray_cluster import connected, needs_gpu, num_slots
from bench.runs.engines.ray_files import cell_files, image_files, shared_files, write_result
from bench.runs.engines.ray_worker import STARTED, run_task, task_folder
from bench.utils.version import __version__

if TYPE_CHECKING:
    from bench.cell.job import Job

POLL_SECONDS = 0.3
"""How long one look at the running tasks waits for a task to end."""
QUEUED_SECONDS = 20.0
"""How long a task waits for a worker before the console says so."""
QUEUED = "waiting for a free worker of the Ray cluster"


class ProgressActor:
    """A Ray actor that holds the progress messages of all tasks until the driver takes them.

    A message is the token of a task, its stage, and the report of its training or None.
    """

    def __init__(self) -> None:
        self._messages: list[tuple[str, str, Any]] = []

    def put(self, token: str, stage: str, report: Any = None) -> None:
        """Add a message; called by tasks."""
        self._messages.append((token, stage, report))

    def take(self) -> list[tuple[str, str, Any]]:
        """Return and remove all messages; called by the driver."""
        messages, self._messages = self._messages, []
        return messages


@dataclass
class _Task:
    """A cell that was submitted to Ray.

    Attributes:
        pending: the job as the user asked for it.
        job: what is left to do of it.
        claim: holds the lock of the cell.
        token: the name of the task in messages, and of its temporary folder.
        result: the Ray object that will hold the result.
        submitted: when it was submitted.
        started: when its current worker started; infinite before the first one does.
        workers: how many workers have started it.
        shown_as_queued: whether the console has said that it waits.
    """

    pending: Pending
    job: Job
    claim: ExitStack
    token: str
    result: Any
    submitted: float
    started: float = math.inf
    workers: int = 0
    shown_as_queued: bool = False

    @property
    def is_overdue(self) -> bool:
        limit = self.job.timeout
        return limit is not None and time.perf_counter() - self.started >= limit

    @property
    def is_lost(self) -> bool:
        """Whether all retries are used up. Ray itself does not count workers out of memory."""
        return self.workers > RETRIES + 1


def ray_tasks(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs as Ray tasks; return the status of each.

    On this machine, `workers` tasks run at a time. A cluster gets as many as it has room for, but
    at least `workers`, so that a cluster that grows on demand does grow.

    Raises:
        UserError: there is no cluster at RAY_ADDRESS, or Ray does not start.
    """
    statuses: dict[str, str] = {}
    waiting = [Pending(job) for job in jobs]
    running: list[_Task] = []
    with connected(jobs, workers) as is_cluster:
        restarted = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
        actor = restarted(ProgressActor).remote()
        shared: dict[Any, Any] = {}
        try:
            while waiting or running:
                slots = max(workers, num_slots(jobs)) if is_cluster else workers
                while len(running) < slots and (pending := next_pending(waiting)):
                    if not pending.shown:
                        display.started(pending.job)
                        pending.shown = True
                    submitted = _submit(pending, actor, shared, is_cluster)
                    if isinstance(submitted, _Task):
                        running.append(submitted)
                    elif submitted is None:
                        display.progressed(pending.job, WAITING, None)
                        pending.not_before = time.perf_counter() + SECONDS_TO_WAIT
                        waiting.append(pending)
                    else:
                        statuses[pending.job.cell.id] = submitted
                        display.ended(pending.job, submitted, reason_of(pending.job), 0.0)
                for task in _poll(running, actor, display):
                    running.remove(task)
                    status = statuses[task.job.cell.id] = _finish(task)
                    seconds = time.perf_counter() - min(task.started, time.perf_counter())
                    display.ended(task.job, status, reason_of(task.job), seconds)
        finally:
            for task in running:
                ray.cancel(task.result, force=True)
                task.claim.close()
                _remove_task_folder(task)
    return [statuses[job.cell.id] for job in jobs]


def _submit(
    pending: Pending, actor: Any, shared: dict[Any, Any], is_cluster: bool
) -> _Task | str | None:
    """Submit a cell to Ray.

    Args:
        pending: the job.
        actor: the handle of the `ProgressActor`.
        shared: the shared files that are in Ray's object store already; new ones are added.
        is_cluster: whether the task may run on a machine that lacks the user's images.

    Returns:
        The task; or the status of the cell, if nothing is left to do or it cannot be submitted; or
        None, if another run holds the lock of the cell.
    """
    from bench.cell.build_record import write_gap
    from bench.cell.run import what_is_left
    from bench.cell.run_folder import RunFolder

    job = pending.job
    store = Store(job.results)
    try:
        with ExitStack() as claim:
            if not claim.enter_context(store.claim(job.cell)):
                return None
            left = what_is_left(job, store)
            if isinstance(left, str):
                return left
            key = (job.cell.plugins, job.inception, job.cell.fingerprint)
            if key not in shared:
                images = image_files(job) if is_cluster else {}
                shared[key] = ray.put(shared_files(job) | images)
            files = cell_files(left, store)
            token = f"{job.cell.name}-{uuid.uuid4().hex}"
            # max_calls=1: a new process for each cell, so that no plug-in affects another cell
            options: dict[str, Any] = {"max_retries": RETRIES, "max_calls": 1}
            options |= {"num_cpus": job.cell.threads, "name": job.cell.name}
            if needs_gpu(job):
                options["num_gpus"] = 1 / job.cells_per_gpu
            task = ray.remote(**options)(run_task)
            result = task.remote(left, files, shared[key], __version__, token, actor)
            return _Task(pending, left, claim.pop_all(), token, result, time.perf_counter())
    except OSError as error:  # the lock or a file of the cell cannot be used
        write_gap(job, "failed", RunFolder(store.run_path(job.cell)).log_error(error))
        return "failed"


def _poll(running: Sequence[_Task], actor: Any, display: Display) -> list[_Task]:
    """Wait a moment, show new messages, and return the tasks that ended, failed or ran too long."""
    results = [task.result for task in running]
    ready = set()
    if results:
        ready = set(ray.wait(results, num_returns=1, timeout=POLL_SECONDS, fetch_local=False)[0])
    else:
        time.sleep(POLL_SECONDS)
    by_token = {task.token: task for task in running}
    for token, stage, report in ray.get(actor.take.remote()):
        task = by_token.get(token)
        if task is None:
            continue
        if stage == STARTED:
            task.started = time.perf_counter()
            task.workers += 1
            if 1 < task.workers <= RETRIES + 1:
                line = f"its worker was lost, try {task.workers}"
                display.progressed(task.job, line, None)
        else:
            display.progressed(task.job, stage, report)
    for task in running:
        waits_long = time.perf_counter() - task.submitted > QUEUED_SECONDS
        if task.started == math.inf and waits_long and not task.shown_as_queued:
            display.progressed(task.job, QUEUED, None)
            task.shown_as_queued = True
    return [task for task in running if task.result in ready or task.is_overdue or task.is_lost]


def _finish(task: _Task) -> str:
    """Write the result of a task and release its cell; return the status."""
    from bench.cell.build_record import write_gap
    from bench.cell.run_folder import RunFolder

    job = task.job
    with task.claim:
        try:
            if ray.wait([task.result], timeout=0, fetch_local=False)[0]:
                status, files = ray.get(task.result)
                return status if write_result(job, files) else "failed"
            ray.cancel(task.result, force=True)
            if task.is_overdue:
                reason = f"timed out after {job.timeout:g} s (--timeout)"
                write_gap(job, "failed", f"{reason}; --existing retry tries again")
                return "failed"
            write_gap(job, "lost", f"the worker was lost, {RETRIES + 1} times")
        except RayTaskError as error:
            write_gap(job, "failed", _error_line(error.cause or error))
            return "failed"
        except RayError as error:
            reason = f"the worker was lost ({type(error).__name__}), {RETRIES + 1} times"
            write_gap(job, "lost", reason)
        except OSError as error:
            folder = RunFolder(Store(job.results).run_path(job.cell))
            write_gap(job, "failed", folder.log_error(error))
            return "failed"
        finally:
            _remove_task_folder(task)
    return "lost"


def _remove_task_folder(task: _Task) -> None:
    """Remove the temporary folder of a task, if its worker ran on this machine."""
    shutil.rmtree(task_folder(task.token), ignore_errors=True)


def _error_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"error of the Ray task: {type(error).__name__}: {lines[0] if lines else ''}"
