"""Default folders, also for a user without a name or a home."""

from __future__ import annotations

import os
import tempfile
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


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("CONTENTBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / ".cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "home"


def test_it_is_the_users_own(home):
    assert default_cache() == home / ".cache" / "contentbench"
    assert not home.exists()


def test_in_a_home_that_cannot_be_written_it_is_a_temporary_folder(home, monkeypatch):
    home.mkdir()
    refused = {str(home)}
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path) not in refused and real(path, mode)
    )
    found = default_cache()
    assert found.parent == Path(tempfile.gettempdir())
    assert found.name.startswith("contentbench-")


def test_a_home_that_is_a_file_is_no_home(home):
    home.touch()
    assert default_cache().parent == Path(tempfile.gettempdir())


def test_the_variable_counts_before_all(home, monkeypatch, tmp_path):
    monkeypatch.setenv("CONTENTBENCH_CACHE", str(tmp_path / "mine"))
    assert default_cache() == tmp_path / "mine"
