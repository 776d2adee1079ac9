"""Is there room on the disk? Asked before a run, and of an error that ended something.

Only `needs_of_run` needs torch.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.contracts import IMAGES, DataSizes
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.cell import Job
    from bench.plan import Plan

RESERVE_MB = 256.0
"""What must stay free: for checkpoints, records, pictures, and whoever else writes there."""
WEIGHTS_MB = 50.0
"""The weights of a method of which no record tells."""


def default_cache() -> Path:
    """Return the cache folder: `CONTENTBENCH_CACHE`, or the user's cache folder.

    Raises:
        UserError: the user has no home.
    """
    from platformdirs import user_cache_path

    given = os.environ.get("CONTENTBENCH_CACHE")
    if given:
        return Path(given)
    try:
        found = user_cache_path("contentbench")
    except RuntimeError:
        found = Path("~")  # as older versions of platformdirs say it
    if found.parts[0] == "~":
        raise UserError(
            "no cache folder, since this user has no home: "
            "name one with --cache-dir or CONTENTBENCH_CACHE"
        )
    return found


def default_data_root() -> Path:
    """Return the folder of data sets: `CONTENTBENCH_DATA`, or `data` in the cache folder."""
    given = os.environ.get("CONTENTBENCH_DATA")
    return Path(given) if given else default_cache() / "data"


@dataclass(frozen=True)
class Need:
    """What will be written to a folder, in megabytes, and what that is."""

    folder: Path
    megabytes: float
    what: str


def needs_of_run(plan: Plan, jobs: Sequence[Job]) -> list[Need]:
    """Return what a run will write: run folders by earlier records, and tasks by their sizes."""
    from bench.anchors import ANCHORS
    from bench.data import is_cached
    from bench.plan import forecast, known_records

    trained = [job for job in jobs if job.todo == "run" and job.cell.method not in ANCHORS]
    records = known_records(jobs[0].results) if trained else []
    cells, guessed = 0.0, 0
    for job in trained:
        known = forecast(job, records).megabytes
        guessed += known is None
        sizes = job.cell.sizes
        if known is None:
            sizes = plan.tasks[job.cell.task].available(sizes)
        whole = assumed_megabytes(sizes) if known is None else known
        there = size_of(job.results / "runs" / job.cell.name) / 1e6
        cells += max(0.0, whole - there)
    what = f"{len(trained)} cell{'s' * (len(trained) > 1)} {cells:.0f} MB"
    if guessed:
        what += f", {guessed} of them a guess"
    needs = [Need(jobs[0].results, cells, what)] if trained else []
    used = {(job.cell.task, job.cell.sizes): job.cell for job in jobs if job.todo != "nothing"}
    for (task, sizes), cell in used.items():
        if not is_cached(task, sizes, cell.fingerprint, jobs[0].cache):
            images = task_megabytes(plan.tasks[task].available(sizes))
            needs.append(Need(jobs[0].cache, images, f"images of {task} {images:.0f} MB"))
    return needs


def assumed_megabytes(sizes: DataSizes) -> float:
    """Return what a run folder takes where no record tells.

    Assumed are all images that a method can leave, codes in float32 with as many numbers as an
    image has, and `WEIGHTS_MB`.
    """
    values = 3 * sizes.size**2
    images = len(IMAGES) * sizes.test * values
    codes = (2 * sizes.probe + 3 * sizes.test) * values * 4
    return (images + codes) / 1e6 + WEIGHTS_MB


def task_megabytes(sizes: DataSizes) -> float:
    """Return what a task takes in the cache: two domains, and three true results for each pair."""
    images = 2 * (sizes.train + sizes.probe + sizes.test) + 3 * sizes.test
    return images * 3 * sizes.size**2 / 1e6


def require_space(needs: Sequence[Need], instead: str) -> None:
    """Make sure that there is room for what will be written; folders of one disk share it.

    Raises:
        UserError: there is too little; it ends with what to do instead.
    """
    by_disk: dict[int, list[Need]] = {}
    for need in needs:
        if need.megabytes > 0:
            by_disk.setdefault(_existing(need.folder).stat().st_dev, []).append(need)
    for needed in by_disk.values():
        free = shutil.disk_usage(_existing(needed[0].folder)).free / 1e6
        total = sum(need.megabytes for need in needed) + RESERVE_MB
        if free < total:
            folders = " and ".join(dict.fromkeys(str(need.folder) for need in needed))
            what = ", ".join(need.what for need in needed)
            raise UserError(
                f"too little disk: {folders} has {free:.0f} MB free and needs about {total:.0f} MB "
                f"({what}, {RESERVE_MB:.0f} MB in reserve): {instead}"
            )


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; 0 where there is none."""
    return sum(file.lstat().st_size for file in files_in(path))


def files_in(path: Path) -> Iterator[Path]:
    """Give a file itself, or all files below a folder."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, names in os.walk(path):
            yield from (Path(folder) / name for name in names)
    elif path.is_symlink() or path.exists():
        yield path


def disk_is_full(error: BaseException | None) -> bool:
    """Return whether an error, or the one that it came from, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if f"(os error {errno.ENOSPC})" in str(error):  # safetensors' own error has no number
            return True
        error = error.__cause__ or error.__context__
    return False


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
