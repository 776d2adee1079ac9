"""Default folders, also for a user without a name or a home."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.utils.errors import UserError
from bench.utils.files.paths import default_cache


@pytest.mark.parametrize("older", [False, True])
def test_a_user_without_name_and_home(older, monkeypatch, inside):
    """Case 29: one line names what to give; older versions of platformdirs gave a folder `~`."""
    import pwd

    import platformdirs

    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "CONTENTBENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: {}["nobody"])
    if older:
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~/.cache") / name)
    with pytest.raises(
        UserError, match="no home folder: name one with --cache-dir or CONTENTBENCH_CACHE"
    ):
        default_cache()
    monkeypatch.setenv("CONTENTBENCH_CACHE", "/somewhere")
    assert default_cache() == Path("/somewhere")
