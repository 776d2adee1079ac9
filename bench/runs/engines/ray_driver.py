"""Runs jobs as Ray tasks: on this machine, or on the cluster that RAY_ADDRESS names.

Machines share no files. A task gets a parcel with what its cell has so far, its plug-ins and the
weights of Inception; it runs the cell in a folder of its own and sends a parcel back, which the
driver writes under the cell's claim. Where a worker is lost, Ray starts the task again, and where
that is on the same machine, training goes on from its checkpoint.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError

from bench import __version__
from bench.contracts.source_files import files_beside
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
from bench.runs.engines.ray_worker import BEGUN, IMAGES, files_in, names_in, work, work_folder
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole

if TYPE_CHECKING:
    from bench.cell.job import Job

SECONDS_BETWEEN_LOOKS = 0.3
SECONDS_TO_REACH = 10.0
SECONDS_UNTIL_SAID = 20.0
"""Until the console says that a cell waits for room."""
QUEUED = "waiting for room in the Ray cluster"
MOST_MEGABYTES = 2000.0
"""Of the images of a task that are sent to other machines."""


class Mailbox:
    """Where workers leave word; an actor. A letter: token of the task, stage, report."""

    def __init__(self) -> None:
        self._letters: list[tuple[str, str, Any]] = []

    def put(self, token: str, stage: str, report: Any = None) -> None:
        """Leave a letter."""
        self._letters.append((token, stage, report))

    def take(self) -> list[tuple[str, str, Any]]:
        """Return the letters that came since the last time."""
        letters, self._letters = self._letters, []
        return letters


@dataclass
class _Task:
    """A cell that Ray has been asked to do; began is when its present worker has begun."""

    pending: Pending
    job: Job
    """What is left of it."""
    claim: ExitStack
    token: str
    result: Any
    asked: float
    began: float = math.inf
    workers: int = 0
    said: bool = False

    @property
    def overdue(self) -> bool:
        limit = self.job.timeout
        return limit is not None and time.perf_counter() - self.began >= limit

    @property
    def lost(self) -> bool:
        """Whether it had all its tries; Ray counts none that ended for lack of memory."""
        return self.workers > RETRIES + 1


def ray_tasks(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs as Ray tasks; return the status of each.

    On this machine as many at a time as there are workers; on a cluster as many as it has room
    for, and no fewer than workers, so that a cluster that grows on demand does.

    Raises:
        UserError: there is no cluster at RAY_ADDRESS.
    """
    statuses: dict[str, str] = {}
    waiting = [Pending(job) for job in jobs]
    running: list[_Task] = []
    with _cluster(jobs, workers) as elsewhere:
        mailbox = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Mailbox).remote()
        shared: dict[Any, Any] = {}
        try:
            while waiting or running:
                places = max(workers, _places(jobs)) if elsewhere else workers
                while len(running) < places and (pending := next_pending(waiting)):
                    if not pending.shown:
                        display.started(pending.job)
                        pending.shown = True
                    begun = _ask(pending, mailbox, shared, elsewhere)
                    if isinstance(begun, _Task):
                        running.append(begun)
                    elif begun is None:
                        display.progressed(pending.job, WAITING, None)
                        pending.not_before = time.perf_counter() + SECONDS_TO_WAIT
                        waiting.append(pending)
                    else:
                        statuses[pending.job.cell.id] = begun
                        display.ended(pending.job, begun, reason_of(pending.job), 0.0)
                ended = _look(running, mailbox, display)
                for task in ended:
                    running.remove(task)
                    status = statuses[task.job.cell.id] = _finish(task)
                    seconds = time.perf_counter() - min(task.began, time.perf_counter())
                    display.ended(task.job, status, reason_of(task.job), seconds)
        finally:
            for task in running:
                ray.cancel(task.result, force=True)
                task.claim.close()
                _tidy(task)
    return [statuses[job.cell.id] for job in jobs]


@contextmanager
def _cluster(jobs: Sequence[Job], workers: int) -> Iterator[bool]:
    """Join the cluster of RAY_ADDRESS, or start Ray here; give whether it is elsewhere."""
    address = os.environ.get("RAY_ADDRESS", "")
    elsewhere = address not in ("", "local")
    options: dict[str, Any] = {"address": address}
    if not elsewhere:
        gpus = 0
        if any(_wants_gpu(job) for job in jobs):
            import torch

            gpus = torch.cuda.device_count()
        threads = max(job.cell.threads for job in jobs)
        options = {
            "address": "local",
            "num_cpus": workers * threads,
            "num_gpus": gpus,
            "include_dashboard": False,
        }
    try:
        _reach(address)
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, ValueError, RuntimeError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"no Ray cluster at RAY_ADDRESS={address} ({first}): mend it, or unset it to run here"
            if elsewhere
            else f"Ray does not start here ({first}): {_what_to_do(error)}"
        ) from error
    try:
        yield elsewhere
    finally:
        ray.shutdown()


def _what_to_do(error: Exception) -> str:
    if "AF_UNIX" in str(error):
        return "name a folder with a shorter path with RAY_TMPDIR"
    return "mend it, or use --engine process"


def _reach(address: str) -> None:
    """Raise OSError if nothing answers at an address: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("/")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_REACH).close()


def _places(jobs: Sequence[Job]) -> int:
    """Return how many cells a cluster has room for; all are taken to be like the hungriest one."""
    there = ray.cluster_resources()
    places = there.get("CPU", 0) / max(job.cell.threads for job in jobs)
    if any(_wants_gpu(job) for job in jobs):
        places = min(places, there.get("GPU", 0) * jobs[0].cells_per_gpu)
    return int(places)


def _wants_gpu(job: Job) -> bool:
    return job.cell.device == "cuda" and job.may_train


# --- one cell -------------------------------------------------------------------------------------


def _ask(
    pending: Pending, mailbox: Any, shared: dict[Any, Any], elsewhere: bool
) -> _Task | str | None:
    """Ask Ray to do a cell; None if another run does it, its status if that has done it.

    shared: what is in Ray's store already, by the files that it is of. elsewhere: whether it may be
    done on a machine that has none of the user's images.
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
                images = _images(job) if elsewhere else {}
                shared[key] = ray.put(_shared_files(job) | images)
            files = _files_so_far(left, store)
            token = f"{job.cell.name}-{uuid.uuid4().hex}"
            # a process for each cell: what its plug-in does to Python dies with it
            options: dict[str, Any] = {"max_retries": RETRIES, "max_calls": 1}
            options |= {"num_cpus": job.cell.threads, "name": job.cell.name}
            if _wants_gpu(job):
                options["num_gpus"] = 1 / job.cells_per_gpu
            task = ray.remote(**options)(work)
            result = task.remote(left, files, shared[key], __version__, token, mailbox)
            return _Task(pending, left, claim.pop_all(), token, result, time.perf_counter())
    except OSError as error:  # not even a lock can be written
        write_gap(job, "failed", RunFolder(store.run_path(job.cell)).log_error(error))
        return "failed"


def _files_so_far(job: Job, store: Store) -> dict[str, bytes]:
    """Return what a cell has that a worker needs: its run folder, and to score its record."""
    if job.todo == "run" and job.again:
        return {}
    files = files_in(store.run_path(job.cell), store.root)
    record = store.record_path(job.cell)
    if job.todo == "score" and record.exists():
        files[record.relative_to(store.root).as_posix()] = record.read_bytes()
    return files


def _shared_files(job: Job) -> dict[str, bytes]:
    """Return plug-ins with all that they are made of, and the weights of Inception."""
    files = {}
    for at, path in enumerate(map(Path, job.cell.plugins)):
        for file in files_beside(path):
            files[f"{at}/{file.relative_to(path.parent).as_posix()}"] = file.read_bytes()
    if job.inception is not None:
        files["inception"] = job.inception.read_bytes()
    return files


def _images(job: Job) -> dict[str, bytes]:
    """Return the cached images of a task that is made of the user's files.

    Raises:
        UserError: they are too large to be sent.
    """
    from bench.contracts.registry import Registry
    from bench.tasks.cache import path_of

    cell = job.cell
    if not Registry(map(Path, cell.plugins)).find("task", cell.task).facts.get("needs"):
        return {}
    path = path_of(cell.task, cell.sizes, cell.fingerprint, job.cache)
    if (megabytes := path.stat().st_size / 1e6) > MOST_MEGABYTES:
        raise UserError(
            f"the images of task {cell.task} take {megabytes:.0f} MB, and at most "
            f"{MOST_MEGABYTES:.0f} MB are sent to machines that lack them: use --engine process, "
            "or a smaller profile"
        )
    return {IMAGES: path.read_bytes()}


def _look(running: Sequence[_Task], mailbox: Any, display: Display) -> list[_Task]:
    """Wait a moment, show what workers have said, and return the tasks that are at an end."""
    results = [task.result for task in running]
    ready = set()
    if results:
        ready = set(
            ray.wait(results, num_returns=1, timeout=SECONDS_BETWEEN_LOOKS, fetch_local=False)[0]
        )
    else:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    by_token = {task.token: task for task in running}
    for token, stage, report in ray.get(mailbox.take.remote()):
        task = by_token.get(token)
        if task is None:
            continue
        if stage == BEGUN:
            task.began = time.perf_counter()
            task.workers += 1
            if 1 < task.workers <= RETRIES + 1:
                line = f"its worker was lost, try {task.workers}"
                display.progressed(task.job, line, None)
        else:
            display.progressed(task.job, stage, report)
    for task in running:
        late = time.perf_counter() - task.asked > SECONDS_UNTIL_SAID
        if task.began == math.inf and late and not task.said:
            display.progressed(task.job, QUEUED, None)
            task.said = True
    return [task for task in running if task.result in ready or task.overdue or task.lost]


def _finish(task: _Task) -> str:
    """Write what came of a task, and give its cell free; return the status."""
    from bench.cell.build_record import write_gap
    from bench.cell.run_folder import RunFolder

    job = task.job
    with task.claim:
        try:
            if ray.wait([task.result], timeout=0, fetch_local=False)[0]:
                status, files = ray.get(task.result)
                return status if _unpack_result(job, files) else "failed"
            ray.cancel(task.result, force=True)
            if task.overdue:
                reason = f"timed out after {job.timeout:g} s (--timeout)"
                write_gap(job, "failed", f"{reason}; --existing retry tries again")
                return "failed"
            write_gap(job, "lost", f"the worker was lost, {RETRIES + 1} times")
        except RayTaskError as error:
            write_gap(job, "failed", _in_a_line(error.cause or error))
            return "failed"
        except RayError as error:
            reason = f"the worker was lost ({type(error).__name__}), {RETRIES + 1} times"
            write_gap(job, "lost", reason)
        except OSError as error:
            folder = RunFolder(Store(job.results).run_path(job.cell))
            write_gap(job, "failed", folder.log_error(error))
            return "failed"
        finally:
            _tidy(task)
    return "lost"


def _tidy(task: _Task) -> None:
    """Remove what a stopped worker has left, if it was on this machine."""
    shutil.rmtree(work_folder(task.token), ignore_errors=True)


def _in_a_line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return f"on its machine: {type(error).__name__}: {said[0] if said else ''}"


def _unpack_result(job: Job, files: Mapping[str, bytes | None]) -> bool:
    """Write what a worker has left, the record last; return whether there is a record.

    A content of None is a file that is as it was sent.
    """
    from bench.cell.build_record import write_gap

    store = Store(job.results)
    record = store.record_path(job.cell)
    if job.todo == "run":
        record.unlink(missing_ok=True)
        if job.again:
            store.forget(job.cell)
    for name in names_in(store.run_path(job.cell), store.root) - set(files):
        (store.root / name).unlink()
    _write_files({name: c for name, c in files.items() if name != _name_of(record, store)}, store)
    if _name_of(record, store) not in files:
        write_gap(job, "failed", "it left no record")
        return False
    _write_files({_name_of(record, store): files[_name_of(record, store)]}, store)
    return True


def _name_of(path: Path, store: Store) -> str:
    return path.relative_to(store.root).as_posix()


def _write_files(files: Mapping[str, bytes | None], store: Store) -> None:
    for name, content in files.items():
        if content is not None:
            with written_whole(store.root / PurePosixPath(name)) as temporary:
                temporary.write_bytes(content)
