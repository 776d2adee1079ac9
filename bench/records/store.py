"""The results folder. Its files are the only state and determine what is left to do.

records/NAME.json      the record of a cell that finished or failed, with all its numbers
runs/NAME/             output of the stages of a cell: weights, training, artefacts, log
grids/NAME.png         source, guide, result and truth side by side
pictures/NAME.png      some pairs with truth and results, for the report (see `bench.html.sprites`)
locks/NAME.lock        locked while a run works on the cell
leaderboard.csv, .md   tables with the numbers of all records
comparisons.csv        every pair of methods, compared in each main metric
pairs-TASK-PROFILE/    test pairs for images that are made elsewhere (see `bench.tasks.pairs`)
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from bench.contracts.cell import Cell
from bench.contracts.record import Record
from bench.records.read import Damaged, is_scored, read_record
from bench.utils.errors import UserError
from bench.utils.files.sealed import write_sealed
from bench.utils.hashing import hash_of

UNAVAILABLE = "unavailable"
"""The status of a cell that waits for what another cell leaves. Every run tries it again."""
Existing = Literal["resume", "retry", "fresh"]
Todo = Literal["nothing", "score", "run"]
BUSY = "busy"
"""The status of a cell that another run on the same folder is working on."""


class Store:
    """A results folder. It caches what it reads, so do not modify a record that it returns."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, tuple[tuple[int, ...], Record | Damaged]] = {}

    def open_for_writing(self) -> None:
        """Create the folder if it is missing.

        Raises:
            UserError: it is a file, or it is not writable.
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
        """Return the path of the record of a cell, whether it exists or not."""
        return self.root / "records" / f"{cell.name}.json"

    def grid_path(self, cell: Cell) -> Path:
        """Return the path of the image grid of a cell, whether it exists or not."""
        return self.root / "grids" / f"{cell.name}.png"

    def picture_path(self, cell: Cell) -> Path:
        """Return the path of the pictures of a cell for the report, whether it exists or not."""
        return self.root / "pictures" / f"{cell.name}.png"

    def record(self, path: Path) -> Record | Damaged:
        """Return a record, or why it cannot be used. Read the file again only if it has changed."""
        try:
            facts = path.stat()
        except OSError:
            return read_record(path)
        stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = stamp, read_record(path)
        return known[1]

    def records(self) -> tuple[list[Record], list[Damaged]]:
        """Return the usable records in the order of their file names, and the damaged ones.

        If a cell has several records, for example copies of a file, only the newest counts.
        """
        good: dict[Path, Record] = {}
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
        """Check that the folder of records exists.

        Raises:
            UserError: it does not exist.
        """
        if not (self.root / "records").is_dir():
            raise UserError(
                f"no records in {self.root}: run `python -m bench run` first, or --results"
            )

    def todo(self, cell: Cell, versions: Mapping[str, int], existing: Existing) -> Todo:
        """Return what is left to do for a cell.

        versions: the version of each metric that its record must have, by id.
        """
        if existing == "fresh":
            return "run"
        record = self.record(self.record_path(cell))
        if isinstance(record, Damaged) or record["id"] != cell.id:
            return "run"
        if record["status"] != "ok":
            again = existing == "retry" or record["status"] == UNAVAILABLE
            return "run" if again else "nothing"
        scored = record["metrics"]
        done = all(
            is_scored(scored.get(name), version, retry=existing == "retry")
            for name, version in versions.items()
        )
        return "nothing" if done else "score"

    def state(self, cell: Cell) -> str:
        """Return a hash of the record file of a cell, or '' if there is none."""
        try:
            return hashlib.blake2b(self.record_path(cell).read_bytes(), digest_size=8).hexdigest()
        except OSError:
            return ""

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[bool]:
        """Lock a cell in a block; yield False if another run on this folder holds the lock.

        The operating system releases the lock when the process dies.
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

    def renew_origin(self, cell: Cell) -> bool:
        """Write where the configuration of a cell comes from into its good record, if it changed.

        A later study can choose a configuration that was run before. No number changes. Return
        whether the record was written.
        """

        def outdated() -> Record | None:
            record = self.record(self.record_path(cell))
            if isinstance(record, Damaged) or record["id"] != cell.id:
                return None
            same = (record["configuration"], record["study"]) == (cell.configuration, cell.study)
            return None if same else record

        if outdated() is None:
            return False
        with self.claim(cell) as mine:
            record = outdated() if mine else None
            if record is not None:
                changed = {"configuration": cell.configuration, "study": cell.study}
                write_sealed(self.record_path(cell), {**record, **changed})
            return record is not None

    def forget(self, cell: Cell) -> None:
        """Remove the record, the pictures and the run folder of a cell."""
        self.record_path(cell).unlink(missing_ok=True)
        self.grid_path(cell).unlink(missing_ok=True)
        self.picture_path(cell).unlink(missing_ok=True)
        shutil.rmtree(self.run_path(cell), ignore_errors=True)
