"""The results folder. Disk is the only state: what is done follows from the files, each atomic.

records/NAME.json      one finished cell, or one that failed, with all its numbers
runs/NAME/             what its stages left: weights, training, artefacts, log
grids/NAME.png         source, guide, result and truth
locks/NAME.lock        held by the run that is doing a cell
leaderboard.csv, .md   views on the records
pairs-TASK-PROFILE/    test pairs for images that are made elsewhere (see `bench.pairs`)
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from bench.atomic import written_whole
from bench.config import Cell, hash_of
from bench.errors import UserError
from bench.forms import IDENTITY_KEYS, RECORD
from bench.terminal import ERRORS

SCHEMA = 1
Existing = Literal["resume", "retry", "fresh"]
Todo = Literal["nothing", "score", "run"]
BUSY = "busy"
"""The status of a cell that another run on the same folder is doing."""


@dataclass(frozen=True)
class Damaged:
    """A record that cannot be read, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"record {self.path} is left out: {self.reason}"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all, also after a power loss.

    What UTF-8 has no bytes for, as in the name of a file that is not UTF-8, becomes backslashes.
    """
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8", ERRORS)


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, keys sorted, with a hash of its content, so that harm is noticed."""
    plain = json.loads(json.dumps(value, allow_nan=False))
    text = json.dumps(plain | {SEAL: hash_of(plain)}, indent=1, sort_keys=True)
    write_atomically(path, text + "\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Return what `write_sealed` has written; an object without a seal passes as it is.

    Raises:
        OSError: there is no such file.
        ValueError: it is no JSON object, or not what was written.
    """
    text = path.read_text("utf-8")
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("lists in lists without end") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    seal = value.pop(SEAL, None)
    if seal is not None and seal != hash_of(value):
        raise ValueError("its content is not what was written")
    return value


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _whole(text: str) -> int:
    number = int(text)
    return number if abs(number) <= sys.float_info.max else int(_refused(f"{text[:20]}..."))


SEAL = "seal"
"""The key of the hash of all the others."""


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
        """Return the folder that the stages of a cell write to (see `bench.folder`)."""
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


def cell_of(record: Mapping[str, Any], plugins: tuple[str, ...] = ()) -> Cell:
    """Return the cell that a record is of; its id differs if the record has another identity."""
    kept = {key: record["identity"][key] for key in IDENTITY_KEYS}
    return Cell(label=record["label"], plugins=plugins, **kept)


def is_scored(entry: Mapping[str, Any] | None, version: int, again: bool = True) -> bool:
    """Return whether a record's entry of a metric stands, with again also one that failed not."""
    if entry is None or entry["version"] != version:
        return False
    return not (again and entry["status"] == "failed")


def read_record(path: Path) -> dict[str, Any] | Damaged:
    """Return a record, or why it cannot be used."""
    try:
        record = read_sealed(path)
    except FileNotFoundError:
        return Damaged(path, _unwritten.get(path, "it is not there"))
    except OSError as error:
        return Damaged(path, f"it cannot be read ({error.strerror or error})")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return Damaged(path, f"not valid JSON ({error})")
    except ValueError as error:
        return Damaged(path, str(error))
    schema = record.get("schema", SCHEMA)
    if schema != SCHEMA:
        return Damaged(path, f"of schema {schema}, this version reads {SCHEMA}")
    said = RECORD(record, "")
    return Damaged(path, said) if said else record


_unwritten: dict[Path, str] = {}
"""What this process knows of records that are not there."""


def note_unwritten(path: Path, reason: str) -> None:
    """Let `read_record` say why a record is not there."""
    _unwritten[path] = reason


def why_unwritten(path: Path) -> str:
    """Return why this process could not write a record, or ''."""
    return _unwritten.get(path, "")
