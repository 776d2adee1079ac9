"""What a Ray task does with a cell, on whatever machine it is: the far side of `bench.runs.engines.ray_driver`.

It needs no Ray itself: letters go through the mailbox that it is given.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.records.read import why_unwritten
from bench.records.store import Store
from bench.runs.engines.base import seldom
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.output.terminal import send_output_to
from bench.utils.version import __version__

if TYPE_CHECKING:
    from bench.cell.job import Job
    from bench.contracts.cell import Cell

Files = Mapping[str, bytes]
"""Contents by path, with slashes."""
WORK = "contentbench-ray"
"""The folder for temporary files that a machine's cells are in while they run."""
BEGUN = "begun"
"""The stage of the first letter of each worker of a task."""
IMAGES = "images"
"""The file of a parcel that is a cached task."""


def work(
    job: Job, sent: Files, shared: Files, version: str, token: str, mailbox: Any
) -> tuple[str, dict[str, bytes | None]]:
    """Do a job on whatever machine this is; return its status and the files that it left.

    sent: files of the results folder. shared: files of all cells. version: that of the driver.
    token: the name of the folder that it is done in.
    """
    mailbox.put.remote(token, BEGUN)
    if __version__ != version:
        raise UserError(f"contentbench is {__version__} here and {version} where the run started")
    folder = work_folder(token)
    if not folder.exists():  # else it is from a worker that was lost
        fresh = Path(tempfile.mkdtemp(dir=_made(folder.parent), prefix=f"{token}."))
        contents = {f"results/{name}": content for name, content in sent.items()}
        contents |= {f"shared/{name}": content for name, content in shared.items()}
        for name, content in contents.items():
            _made((fresh / name).parent)
            (fresh / name).write_bytes(content)
        fresh.rename(folder)
    show = seldom(lambda stage, report: mailbox.put.remote(token, stage, report))
    try:
        here = _moved(job, folder)
        _redirect_output(here)
        _prepare(here.cell, here.cache, folder / "shared" / IMAGES)
        from bench.cell.run import run

        status = run(here, show)
        if reason := why_unwritten(Store(here.results).record_path(here.cell)):
            raise UserError(f"its record is not there: {reason}")
        left = _left_behind(here, job.results)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return status, {n: None if sent.get(n) == content else content for n, content in left.items()}


def work_folder(token: str) -> Path:
    """Return the folder that a task is done in, on each machine that does it."""
    return Path(tempfile.gettempdir()) / WORK / token


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _moved(job: Job, folder: Path) -> Job:
    """Return a job with the paths of this machine."""
    from bench.utils.files.paths import default_cache

    plugins = [
        str(folder / "shared" / str(at) / Path(path).name)
        for at, path in enumerate(job.cell.plugins)
    ]
    cell = replace(job.cell, plugins=tuple(plugins))
    store = Store(_made(folder / "results"))
    return replace(
        job,
        cell=cell,
        results=store.root,
        cache=job.cache if job.cache.is_dir() else default_cache().resolve(),
        inception=None if job.inception is None else folder / "shared" / "inception",
        again=job.again and job.todo == "score",  # to run: nothing was sent that could be forgotten
        seen=store.state(cell),
    )


def _redirect_output(job: Job) -> None:
    """Let all that is printed go to the cell's log."""
    from bench.cell.run_folder import RunFolder

    send_output_to(RunFolder(Store(job.results).run_path(job.cell)).log)


def _prepare(cell: Cell, cache: Path, sent: Path) -> None:
    """Make sure that the cache has the task.

    sent: the file with its images, which is there where no other machine could make them.

    Raises:
        UserError: it comes out as another one here.
    """
    from bench.contracts.registry import Registry
    from bench.tasks.cache import fingerprint, path_of, prepare, require_cached

    kind = Registry(map(Path, cell.plugins)).find("task", cell.task)
    if kind.facts.get("needs"):
        path = path_of(cell.task, cell.sizes, cell.fingerprint, cache)
        if sent.exists() and not path.exists():
            with written_whole(path) as temporary:
                shutil.copyfile(sent, temporary)
        instead = "remove its file there, the next run sends it again"
        require_cached(cell.task, cell.sizes, cell.fingerprint, cache, instead)
        return
    task = kind.load()()
    if fingerprint(task, cell.sizes) != cell.fingerprint:
        raise UserError(f"the images of task {cell.task} are others here: other versions?")
    prepare(task, cell.sizes, cache)


def _left_behind(job: Job, results: Path) -> dict[str, bytes]:
    """Return the files of a cell; its record speaks of the results folder of the driver."""
    store = Store(job.results)
    record = store.record_path(job.cell)
    if record.exists():
        here, there = (json.dumps(str(path))[1:-1] for path in (store.root, results))
        text = json.dumps(read_sealed(record))
        write_sealed(record, json.loads(text.replace(here, there)))
    return files_in(store.root, store.root)


def names_in(folder: Path, root: Path) -> set[str]:
    """Return the files of a folder, as they are called from the root; nothing half-written."""
    return {
        path.relative_to(root).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".tmp", ".lock")
    }


def files_in(folder: Path, root: Path) -> dict[str, bytes]:
    """Return the contents of the files of a folder, by `names_in`."""
    return {name: (root / name).read_bytes() for name in sorted(names_in(folder, root))}
