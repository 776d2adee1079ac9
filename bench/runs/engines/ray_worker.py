"""Runs one cell inside a Ray task, possibly on another machine than the driver.

`bench.runs.engines.ray_driver` submits `run_task`. This module does not import Ray: it sends its
progress messages through the actor handle that it gets.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.records.read import why_unwritten
from bench.records.store import Store
from bench.runs.engines.base import seldom
from bench.runs.engines.ray_files import IMAGES, INCEPTION, Files, files_in
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.output.terminal import send_output_to
from bench.utils.version import __version__

if TYPE_CHECKING:
    from bench.cell.job import Job
    from bench.contracts.cell import Cell

TASKS_FOLDER = "contentbench-ray"
"""The folder with the folders of all tasks, in the machine's folder for temporary files."""
STARTED = "started"
"""The stage of the first message of each worker that starts a task."""


def run_task(
    job: Job, sent: Files, shared: Files, version: str, token: str, actor: Any
) -> tuple[str, dict[str, bytes | None]]:
    """Do a job on this machine; return its status and the files of its cell.

    Args:
        job: what to do. Its paths are those of the driver's machine.
        sent: the files of the cell so far, by their path in the results folder.
        shared: the files that many cells need (see `bench.runs.engines.ray_files`).
        version: the version of the suite of the driver.
        token: the name of the task, and of its temporary folder.
        actor: the handle of the actor that takes progress messages.

    Returns:
        The status, and contents by path in the results folder; None for an unchanged file.

    Raises:
        UserError: this machine cannot do the job.
    """
    actor.put.remote(token, STARTED)
    if __version__ != version:
        raise UserError(
            f"contentbench is {__version__} on this machine and {version} on that of the driver: "
            "install the same version on both"
        )
    folder = task_folder(token)
    if not folder.exists():  # if it exists, a lost worker of this task has left it
        fresh = Path(tempfile.mkdtemp(dir=_existing(folder.parent), prefix=f"{token}."))
        contents = {f"results/{name}": content for name, content in sent.items()}
        contents |= {f"shared/{name}": content for name, content in shared.items()}
        for name, content in contents.items():
            _existing((fresh / name).parent)
            (fresh / name).write_bytes(content)
        fresh.rename(folder)
    show = seldom(lambda stage, report: actor.put.remote(token, stage, report))
    try:
        here = _with_local_paths(job, folder)
        _redirect_output(here)
        _prepare(here.cell, here.cache, folder / "shared" / IMAGES)
        from bench.cell.run import run

        status = run(here, show)
        if reason := why_unwritten(Store(here.results).record_path(here.cell)):
            raise UserError(f"its record could not be written: {reason}")
        left = _cell_files(here, job.results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return status, {n: None if sent.get(n) == content else content for n, content in left.items()}


def task_folder(token: str) -> Path:
    """Return the temporary folder of a task, which has the same path for each of its workers."""
    return Path(tempfile.gettempdir()) / TASKS_FOLDER / token


def _existing(folder: Path) -> Path:
    """Return a folder, which is made first if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _with_local_paths(job: Job, folder: Path) -> Job:
    """Return a job with the paths of this machine, all within the folder of the task."""
    from bench.utils.files.paths import default_cache

    plugins = [
        str(folder / "shared" / str(at) / Path(path).name)
        for at, path in enumerate(job.cell.plugins)
    ]
    cell = replace(job.cell, plugins=tuple(plugins))
    store = Store(_existing(folder / "results"))
    return replace(
        job,
        cell=cell,
        results=store.root,
        cache=job.cache if job.cache.is_dir() else default_cache().resolve(),
        inception=None if job.inception is None else folder / "shared" / INCEPTION,
        again=job.again and job.todo == "score",  # for a run, no old files were sent
        seen=store.state(cell),
    )


def _redirect_output(job: Job) -> None:
    """Send everything that this process prints to the log of the cell."""
    from bench.cell.run_folder import RunFolder

    send_output_to(RunFolder(Store(job.results).run_path(job.cell)).log)


def _prepare(cell: Cell, cache: Path, sent: Path) -> None:
    """Make sure that the cache holds the images of the task.

    Args:
        cell: the cell.
        cache: the cache folder of this machine.
        sent: the file with the images; it exists if the images come from the user's files.

    Raises:
        UserError: the images are unlike those of the driver.
    """
    from bench.contracts.registry import Registry
    from bench.tasks.cache import fingerprint, path_of, prepare, require_cached

    kind = Registry(map(Path, cell.plugins)).find("task", cell.task)
    if kind.facts.get("needs"):
        path = path_of(cell.task, cell.sizes, cell.fingerprint, cache)
        if sent.exists() and not path.exists():
            with written_whole(path) as temporary:
                shutil.copyfile(sent, temporary)
        instead = "remove its file there, and the next run sends it again"
        require_cached(cell.task, cell.sizes, cell.fingerprint, cache, instead)
        return
    task = kind.load()()
    if fingerprint(task, cell.sizes) != cell.fingerprint:
        raise UserError(
            f"this machine renders other images of task {cell.task} than the driver: "
            "install the same package versions on both"
        )
    prepare(task, cell.sizes, cache)


def _cell_files(job: Job, results: Path) -> dict[str, bytes]:
    """Return the files of a cell; paths in its record become those of the driver's `results`."""
    store = Store(job.results)
    record = store.record_path(job.cell)
    if record.exists():
        here, there = (json.dumps(str(path))[1:-1] for path in (store.root, results))
        text = json.dumps(read_sealed(record))
        write_sealed(record, json.loads(text.replace(here, there)))
    return files_in(store.root, store.root)
