"""The files that the driver sends to a Ray task, and those that it gets back. Needs no Ray.

The machines of a cluster share no file system, so every file travels as bytes, by its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bench.contracts.source_files import files_beside
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole

if TYPE_CHECKING:
    from bench.cell.job import Job

Files = Mapping[str, bytes]
"""Contents by path. Paths are relative and have slashes on every system."""
IMAGES = "images"
"""The path of the cached images of a task among the shared files."""
INCEPTION = "inception"
"""The path of the weights of Inception among the shared files."""
MOST_MEGABYTES = 2000.0
"""The largest size of a task's images that are sent to other machines."""


def cell_files(job: Job, store: Store) -> dict[str, bytes]:
    """Return the files of a cell that its task needs: its run folder, and its record to score.

    If the cell uses the weights of another cell, they come with it, and that cell's record.
    """
    from bench.cell.run_folder import WEIGHTS

    files: dict[str, bytes] = {}
    if (trainer := job.cell.weights_from) is not None:
        theirs = [store.run_path(trainer) / name for name in WEIGHTS]
        for path in (*theirs, store.record_path(trainer)):
            if path.exists():
                files[path.relative_to(store.root).as_posix()] = path.read_bytes()
    if job.todo == "run" and job.again:
        return files
    files |= files_in(store.run_path(job.cell), store.root)
    record = store.record_path(job.cell)
    if job.todo == "score" and record.exists():
        files[record.relative_to(store.root).as_posix()] = record.read_bytes()
    return files


def shared_files(job: Job) -> dict[str, bytes]:
    """Return the files that many cells need: plug-ins with their helpers, and Inception."""
    files = {}
    for at, path in enumerate(map(Path, job.cell.plugins)):
        for file in files_beside(path):
            files[f"{at}/{file.relative_to(path.parent).as_posix()}"] = file.read_bytes()
    if job.inception is not None:
        files[INCEPTION] = job.inception.read_bytes()
    return files


def image_files(job: Job) -> dict[str, bytes]:
    """Return the cached images of a task if they come from the user's files, else nothing.

    Raises:
        UserError: the images are too large to send.
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


def write_result(job: Job, files: Mapping[str, bytes | None]) -> bool:
    """Write the files that a task returned, the record last; return whether there is a record.

    Args:
        job: the job of the task.
        files: contents by path; None for a file that the task did not change.
    """
    from bench.cell.build_record import write_gap

    store = Store(job.results)
    record = store.record_path(job.cell)
    record_name = record.relative_to(store.root).as_posix()
    if job.todo == "run":
        record.unlink(missing_ok=True)
        if job.again:
            store.forget(job.cell)
    for name in names_in(store.run_path(job.cell), store.root) - set(files):
        (store.root / name).unlink()
    _write_files({name: c for name, c in files.items() if name != record_name}, store)
    if record_name not in files:
        write_gap(job, "failed", "the Ray task returned no record")
        return False
    _write_files({record_name: files[record_name]}, store)
    return True


def _write_files(files: Mapping[str, bytes | None], store: Store) -> None:
    for name, content in files.items():
        if content is not None:
            with written_whole(store.root / PurePosixPath(name)) as temporary:
                temporary.write_bytes(content)


def names_in(folder: Path, root: Path) -> set[str]:
    """Return the paths of all files below a folder, relative to the root.

    Temporary files and locks are left out.
    """
    return {
        path.relative_to(root).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".tmp", ".lock")
    }


def files_in(folder: Path, root: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder (see `names_in`)."""
    return {name: (root / name).read_bytes() for name in sorted(names_in(folder, root))}
