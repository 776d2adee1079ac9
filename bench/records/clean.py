"""Frees disk space: lists the files that can be removed, with their size, and removes a choice.

Records, leaderboards, grids and logs of finished cells are never removed. Files that a run in
progress may need are kept, too: files that changed in the last minute, and all files of a cell that
is locked or has open files. This module needs no torch.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console

from bench.records.read import Damaged, read_record
from bench.utils.errors import UserError
from bench.utils.files.disk import files_in, size_of
from bench.utils.output.console import print_table, say

SECONDS_OF_GRACE = 60.0
PLACES = ("*", "records/*", "grids/*", "pictures/*", "runs/*", "runs/*/*", "locks/*")
"""The places in a results folder that may hold left-over files; no other place is searched."""
CACHED = re.compile(r".+-[0-9a-f]{16}(-\d+)?\.(safetensors|json|txt)")
LEFT_OVER = (".tmp", ".lock")
LOG = "log.txt"


@dataclass
class Waste:
    """Files and folders of one kind, and the option that removes them; '' if none is needed."""

    what: str
    option: str
    paths: list[Path] = field(default_factory=list)


@dataclass
class Survey:
    """The files that can be removed, and those that may be in use."""

    waste: list[Waste]
    left_alone: list[Path]


def clean(
    console: Console,
    results: Path,
    cache: Path,
    chosen: Collection[str],
    now: Callable[[], float],
    agree: Callable[[str], bool],
) -> None:
    """Print what can be removed, ask the user, and remove the chosen files.

    Args:
        console: where to print.
        results: the results folder.
        cache: the folder of cached tasks.
        chosen: the options that choose what to remove besides left-over files.
        now: returns the time; it is called again after the question.
        agree: asks the user a question and returns whether the answer is yes.

    Raises:
        UserError: this is not a results folder, or a file cannot be removed.
    """
    if not any((results / kind).is_dir() for kind in ("records", "runs")):
        raise UserError(f"nothing to clean: {results} is not a results folder (see --results)")
    survey = look(results, cache, now())
    wanted = _wanted(survey, chosen)
    _show(console, survey, chosen)
    if not wanted:
        say(console, "nothing to remove")
        return
    if not agree(f"remove {len(wanted)} files and folders?"):
        say(console, "nothing was removed: repeat the command with --yes to remove it")
        return
    # the answer may have taken a while: keep files that are in use by now
    still = set(_wanted(look(results, cache, now()), chosen))
    gone = [path for path in wanted if path in still]
    freed = _megabytes(gone)
    for path in gone:
        _remove(path)
    say(console, f"removed {len(gone)} files and folders, {freed}")


def look(results: Path, cache: Path, now: float) -> Survey:
    """Return the files that can be removed from a results folder and a cache."""
    leftovers = Waste("left-over temporary files and locks", "")
    unfinished = Waste("run folders without a good record", "--unfinished")
    weights = Waste("weights of finished cells", "--weights")
    artefacts = Waste("artefacts of finished cells", "--artefacts")
    cached = Waste("tasks and statistics of real images", "--cache")
    alone: set[Path] = set()
    places = [path for pattern in PLACES for path in results.glob(pattern)]
    in_cache = list(cache.glob("*")) if cache.is_dir() else []
    held = {path for path in (*places, *in_cache) if path.suffix == ".lock" and _is_held(path)}
    names = {lock.stem for lock in held}
    in_use = held | {path for file in _open_files() for path in (file, *file.parents)}

    def spared(path: Path) -> bool:
        """Return whether a path or its folder may be in use, and remember such a path."""
        if not alone.isdisjoint(path.parents):
            return True
        if path in in_use or path.name in names or _young(path, now):
            alone.add(path)
        return path in alone

    for folder in sorted((results / "runs").glob("*/")):
        if folder.suffix == ".tmp" or spared(folder):
            continue
        status = _status(results / "records" / f"{folder.name}.json")
        files = sorted(path for path in folder.iterdir() if path.suffix not in LEFT_OVER)
        if status == "ok":
            weights.paths += _named(files, "training.json", "weights.", "checkpoint.")
            artefacts.paths += _named(files, "artefacts.json", "artefacts.")
        elif status:
            unfinished.paths += [path for path in files if path.name != LOG]
        else:
            unfinished.paths.append(folder)
    for path in sorted((*places, *in_cache)):
        left_over = path.suffix in LEFT_OVER
        if not (left_over or (path.parent == cache and CACHED.fullmatch(path.name))):
            continue
        if not spared(path):
            (leftovers if left_over else cached).paths.append(path)
    return Survey([leftovers, unfinished, weights, artefacts, cached], sorted(alone))


def _named(files: Sequence[Path], *starts: str) -> list[Path]:
    """Return the files whose names have these prefixes, in the order of the prefixes.

    A file that marks other files as valid comes first, so that it is removed before them.
    """
    return [path for start in starts for path in files if path.name.startswith(start)]


def _wanted(survey: Survey, chosen: Collection[str]) -> list[Path]:
    """Return the paths to remove. A file is left out if its whole folder is removed."""
    found = [p for waste in survey.waste if waste.option in {"", *chosen} for p in waste.paths]
    folders = set(found)
    return [path for path in found if folders.isdisjoint(path.parents)]


def _status(record: Path) -> str:
    """Return the status of a record, 'damaged', or '' if there is no record."""
    if not record.exists():
        return ""
    found = read_record(record)
    return "damaged" if isinstance(found, Damaged) else str(found["status"])


def _young(path: Path, now: float) -> bool:
    """Return whether a file, or a file in a folder, changed in the last minute or in the future."""
    times = []
    for file in (path, *files_in(path)):
        with suppress(FileNotFoundError):
            times.append(file.lstat().st_mtime)
    return now - max(times, default=0) < SECONDS_OF_GRACE


def _is_held(lock: Path) -> bool:
    """Return whether a process holds a lock, without changing the lock file or its times."""
    try:
        import fcntl

        with lock.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # the lock is held, or this system cannot tell
        return True
    return False


def _open_files() -> set[Path]:
    """Return the files that are open in any process that this user may inspect."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            found |= {Path(file.path) for file in process.open_files()}
    return found


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot remove {path} ({error.strerror})") from error


def _show(console: Console, survey: Survey, chosen: Collection[str]) -> None:
    rows = []
    for waste in survey.waste:
        fate = "to remove" if waste.option in {"", *chosen} else f"stays without {waste.option}"
        count = sum(1 for path in waste.paths for _ in files_in(path))
        rows.append((waste.what, str(count), _megabytes(waste.paths), fate))
    print_table(console, ("what", "files", "size", ""), rows)
    if survey.left_alone:
        say(
            console,
            f"left alone, in use or changed in the last minute: {len(survey.left_alone)} files and "
            f"folders such as {survey.left_alone[0]}",
        )
    say(console, f"total to remove: {_megabytes(_wanted(survey, chosen))}")


def _megabytes(paths: Sequence[Path]) -> str:
    return f"{sum(map(size_of, paths)) / 1e6:.1f} MB"
