"""Fixtures for tests of runs."""

from __future__ import annotations

import shutil

import pytest

from tests.helpers import TINY


@pytest.fixture(scope="session")
def finished(cache, tmp_path_factory):
    """A results folder in which a method and two anchors were run."""
    from bench.__main__ import main

    folder = tmp_path_factory.mktemp("finished")
    arguments = ("run", "--methods", "autoencoder,ground-truth,copy-source", *TINY,
                 "--metrics", "rec_l1_a,cf_rank_add", "--engine", "inline",
                 "--results", str(folder), "--cache-dir", str(cache))  # fmt: skip
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 0
    return folder


@pytest.fixture
def results(finished, tmp_path):
    """A copy of the finished folder, for a test to change."""
    return shutil.copytree(finished, tmp_path / "results")
