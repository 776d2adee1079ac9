"""Worker processes start on every machine."""

from __future__ import annotations

import errno

import pytest

import bench.utils.parallel
from tests.helpers import refusing


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EROFS])
def test_where_no_socket_can_be_made_processes_start_anew(number, monkeypatch):
    """Case 29: file systems that hold no sockets."""
    from multiprocessing import forkserver

    monkeypatch.setattr(forkserver, "ensure_running", refusing(number))
    assert bench.utils.parallel.context().get_start_method() == "spawn"
    monkeypatch.undo()
    assert bench.utils.parallel.context().get_start_method() == "forkserver"
