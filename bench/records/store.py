"""The results folder. Disk is the only state: what is done follows from the files, each atomic.

records/NAME.json      one finished cell, or one that failed, with all its numbers
runs/NAME/             what its stages left: weights, training, artefacts, log
grids/NAME.png         source, guide, result and truth
locks/NAME.lock        held by the run that is doing a cell
leaderboard.csv, .md   views on the records
pairs-TASK-PROFILE/    test pairs for images that are made elsewhere (see `bench.tasks.pairs`)
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from bench.contracts.cell import Cell
from bench.records.read import Damaged, is_scored, read_record
from bench.utils.errors import UserError
from bench.utils.hashing import hash_of

Existing = Literal["resume", "retry", "fresh"]
Todo = Literal["nothing", "score", "run"]
BUSY = "busy"
"""The status of a cell that another run on the same folder is doing."""


class Store:
    """A results folder. It reads a record once: nobody changes what `record` gives out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, tuple[tuple[int, ...], dict[str, Any] | Damaged]] = {}

    def open_for_writing(self) -> None:
        """Make the folder.

        Raises:
            UserError: it is a file, or cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.root):
                pass
        except (FileExistsError, NotADirectoryError):
            raise UserError(
                f"results folder {self.root} is a file: name a folder with --results"
            ) from None
        except OSError as error:
            raise UserError(
                f"cannot write the results folder {self.root} ({error.strerror}): "
                "name another with --results"
            ) from error

    def run_path(self, cell: Cell) -> Path:
        """Return the folder that the stages of a cell write to (see `bench.cell.run_folder`)."""
        return self.root / "runs" / cell.name

    def record_path(self, cell: Cell) -> Path:
        """Return where the record of a cell is, or will be."""
        return self.root / "records" / f"{cell.name}.json"

    def grid_path(self, cell: Cell) -> Path:
        """Return where the picture grid of a cell is, or will be."""
        return self.root / "grids" / f"{cell.name}.png"

    def record(self, path: Path) -> dict[str, Any] | Damaged:
        """Return a record, or why it cannot be used; a file that is as it was is read no more."""
        try:
            facts = path.stat()
        except OSError:
            return read_record(path)
        stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = stamp, read_record(path)
        return known[1]

    def records(self) -> tuple[list[dict[str, Any]], list[Damaged]]:
        """Return all records, in the order of their file names, and those that are left out.

        Of a cell that has several, as a copy of a file makes them, the newest counts, and once.
        """
        good: dict[Path, dict[str, Any]] = {}
        damaged: list[Damaged] = []
        newest: dict[str, Path] = {}
        for path in sorted((self.root / "records").glob("*.json")):
            record = self.record(path)
            if isinstance(record, Damaged):
                damaged.append(record)
                continue
            good[path] = record
            cell = hash_of(record["identity"])
            other = newest.setdefault(cell, path)
            if other != path:
                older = other if good[other]["finished"] < record["finished"] else path
                newest[cell] = path if older == other else other
                good.pop(older)
                damaged.append(Damaged(older, f"{newest[cell].name} is of the same cell"))
        return list(good.values()), damaged

    def require_records(self) -> None:
        """Make sure that there is something to read.

        Raises:
            UserError: the folder has no records.
        """
        if not (self.root / "records").is_dir():
            raise UserError(
                f"no records in {self.root}: run `python -m bench run` first, or --results"
            )

    def todo(self, cell: Cell, versions: Mapping[str, int], existing: Existing) -> Todo:
        """Return what is left to do for a cell, so that it has these metrics in these versions."""
        if existing == "fresh":
            return "run"
        record = self.record(self.record_path(cell))
        if not isinstance(record, dict) or record["id"] != cell.id:
            return "run"
        if record["status"] != "ok":
            return "run" if existing == "retry" else "nothing"
        scored = record["metrics"]
        done = all(
            is_scored(scored.get(name), version, again=existing == "retry")
            for name, version in versions.items()
        )
        return "nothing" if done else "score"

    def state(self, cell: Cell) -> str:
        """Return what tells one state of a cell's record from another, '' where there is none."""
        try:
            return hashlib.blake2b(self.record_path(cell).read_bytes(), digest_size=8).hexdigest()
        except OSError:
            return ""

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[bool]:
        """Hold a cell against all other runs on this folder; false where one of them holds it.

        The claim of a process that dies ends with it.
        """
        path = self.root / "locks" / f"{cell.name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def forget(self, cell: Cell) -> None:
        """Remove all that a cell left."""
        self.record_path(cell).unlink(missing_ok=True)
        self.grid_path(cell).unlink(missing_ok=True)
        shutil.rmtree(self.run_path(cell), ignore_errors=True)
