"""Checks free disk space before a run, and whether an error came from a full disk."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.utils.errors import UserError

RESERVE_MB = 256.0
"""The space that must stay free for checkpoints, records, pictures and other programs."""


@dataclass(frozen=True)
class Need:
    """The megabytes that will be written to a folder, and a description of them."""

    folder: Path
    megabytes: float
    what: str


def require_space(needs: Sequence[Need], instead: str) -> None:
    """Check that there is enough disk space; folders on the same disk share it.

    Args:
        needs: what will be written.
        instead: advice for the user if there is too little space; it ends the message.

    Raises:
        UserError: there is too little space.
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
    """Return the size in bytes of a file, or of all files in a folder; 0 if there is none."""
    return sum(file.lstat().st_size for file in files_in(path))


def files_in(path: Path) -> Iterator[Path]:
    """Yield the file itself, or all files below a folder."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, names in os.walk(path):
            yield from (Path(folder) / name for name in names)
    elif path.is_symlink() or path.exists():
        yield path


def disk_is_full(error: BaseException | None) -> bool:
    """Return whether an error, or an error that caused it, means that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if f"(os error {errno.ENOSPC})" in str(error):  # an error of safetensors has no errno
            return True
        error = error.__cause__ or error.__context__
    return False


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
