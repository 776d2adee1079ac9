"""Folders: the cache, data sets, and results, by default and as the user names them."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.utils.errors import UserError

COMMITTED = Path(__file__).resolve().parents[3] / "results"
"""The results folder with the records of the suite itself."""


def default_cache() -> Path:
    """Return the cache folder: `CONTENTBENCH_CACHE`, or the user's cache folder.

    If the user cannot write to that folder, it is one in the folder for temporary files.

    Raises:
        UserError: the user has no home folder, and the variable is not set.
    """
    from platformdirs import user_cache_path

    given = os.environ.get("CONTENTBENCH_CACHE")
    if given:
        return Path(given)
    try:
        found = user_cache_path("contentbench")
    except RuntimeError:
        found = Path("~")  # what older versions of platformdirs return
    if found.parts[0] == "~":
        raise UserError(
            "no cache folder, because this user has no home folder: "
            "name one with --cache-dir or CONTENTBENCH_CACHE"
        )
    if not _can_be_written(found):
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
        return Path(tempfile.gettempdir()) / f"contentbench-{user}"
    return found


def _can_be_written(folder: Path) -> bool:
    """Return whether this user may write to a folder, or create it. Nothing is written."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def default_data_root() -> Path:
    """Return the folder of data sets: `CONTENTBENCH_DATA`, or `data` in the cache folder."""
    given = os.environ.get("CONTENTBENCH_DATA")
    return Path(given) if given else default_cache() / "data"


def results_folder(given: Path) -> Path:
    """Return the full path of a results folder.

    Raises:
        UserError: it is a file, or this user may not read it.
    """
    return full_path(given, "--results")


def cache_folder(given: Path | None) -> Path:
    """Return the full path of the cache folder.

    Raises:
        UserError: it is a file, this user may not read it, or there is no default.
    """
    return full_path(given or default_cache(), "--cache-dir or CONTENTBENCH_CACHE")


def full_path(folder: Path, flag: str) -> Path:
    """Return the full path of a folder, which need not exist.

    Args:
        folder: the path that the user gave.
        flag: the option that chooses another folder, for the message.

    Raises:
        UserError: it is a file, or this user may not read it.
    """
    try:
        whole = folder.resolve()
        if whole.is_file():
            raise UserError(f"{folder} is a file: name a folder with {flag}")
        with suppress(FileNotFoundError, NotADirectoryError):  # the folder may be created later
            os.stat(f"{whole}/.")
    except OSError as error:
        raise UserError(
            f"cannot look into the folder {folder} ({error.strerror}): name another with {flag}"
        ) from error
    return whole
