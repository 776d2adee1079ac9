"""Tensors are kept in files and read back, also where the cache cannot be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import bench.utils.files.tensor_files
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import CacheError, keep, keep_if_possible
from tests.helpers import TENSORS, refusing


def test_what_is_whole_is_read_without_a_lock(monkeypatch, tmp_path):
    """Case 16: no folder is made, no lock taken, nothing written."""
    path = tmp_path / "cache" / "kept"
    keep(path, lambda: TENSORS)
    Path(f"{path}.lock").unlink()
    monkeypatch.setattr(bench.utils.files.tensor_files, "FileLock", refusing(errno.EACCES))
    monkeypatch.setattr(os, "mkdir", refusing(errno.EROFS))
    assert keep(path, refusing(errno.EIO))["a"].tolist() == [0, 1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["kept"]
    path.write_bytes(b"harmed")
    with pytest.raises(CacheError, match=r"cannot use the cache folder .* \(Permission denied\)"):
        keep(path, lambda: TENSORS)


def test_what_can_be_made_again_needs_no_place_in_the_cache(monkeypatch, tmp_path):
    """Case 16: statistics of real images, where another user's cache lacks them."""
    monkeypatch.setattr(bench.utils.files.tensor_files, "FileLock", refusing(errno.EROFS))
    assert keep_if_possible(tmp_path / "kept", lambda: TENSORS) == TENSORS
    monkeypatch.undo()
    monkeypatch.setattr(os, "replace", refusing(errno.EROFS))
    made = iter([TENSORS])
    assert keep_if_possible(tmp_path / "kept", lambda: next(made)) == TENSORS  # made once
    with pytest.raises(UserError, match="no pictures"):
        keep_if_possible(tmp_path / "kept", _failing)


def _failing():
    raise UserError("no pictures")


def test_an_error_of_what_is_made_is_not_blamed_on_the_cache(tmp_path):
    """Case 15: a file of the user's that is gone."""
    with pytest.raises(FileNotFoundError):
        keep(tmp_path / "kept", refusing(errno.ENOENT))
