"""Files are written whole, on every file system."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager

import pytest

import bench.utils.files.tensor_files
from bench.utils.files.atomic import NOT_OFFERED, written_whole
from bench.utils.files.sealed import write_atomically
from bench.utils.files.tensor_files import keep, write_checked
from tests.helpers import TENSORS, refusing


@pytest.mark.parametrize("call", ["fsync", "chmod"])
@pytest.mark.parametrize("number", sorted(set(NOT_OFFERED)), ids=errno.errorcode.get)
def test_a_file_system_without_modes_or_flushing_is_fine(call, number, monkeypatch, tmp_path):
    """Case 15: EPERM and its siblings; `Path.chmod` calls `os.chmod`."""
    monkeypatch.setattr(os, call, refusing(number))
    write_atomically(tmp_path / "text", "whole")
    write_checked(tmp_path / "tensors", TENSORS)
    assert (tmp_path / "text").read_text() == "whole"
    assert bench.utils.files.tensor_files.read_checked(tmp_path / "tensors")[0]["a"].tolist() == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
def test_any_other_failure_is_raised_and_leaves_nothing(call, number, monkeypatch, tmp_path):
    """Case 15."""
    monkeypatch.setattr(os, call, refusing(number))
    with pytest.raises(OSError, match=os.strerror(number)), written_whole(tmp_path / "file"):
        pass
    assert not list(tmp_path.iterdir())


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664), (0o077, 0o600)]
)
def test_files_get_the_mode_that_the_umask_gives(mask, mode, tmp_path):
    """Case 16: whoever writes them, safetensors too."""
    with umask(mask):
        write_atomically(tmp_path / "text", "")
        write_checked(tmp_path / "tensors", TENSORS)
        keep(tmp_path / "kept", lambda: TENSORS)
        write_atomically(tmp_path / "text", "again")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {mode}, modes
