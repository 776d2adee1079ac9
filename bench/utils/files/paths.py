"""Default folders: the cache, data sets, and the results that are committed with the suite."""

from __future__ import annotations

import os
from pathlib import Path

from bench.utils.errors import UserError

COMMITTED = Path(__file__).resolve().parents[3] / "results"
"""The results folder with the records of the suite itself."""


def default_cache() -> Path:
    """Return the cache folder: `CONTENTBENCH_CACHE`, or the user's cache folder.

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
    return found


def default_data_root() -> Path:
    """Return the folder of data sets: `CONTENTBENCH_DATA`, or `data` in the cache folder."""
    given = os.environ.get("CONTENTBENCH_DATA")
    return Path(given) if given else default_cache() / "data"
