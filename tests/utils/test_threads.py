"""Computing with a number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from bench.utils.threads import computing_with


def flushes():
    """Whether torch takes the smallest numbers for 0."""
    return float(torch.tensor([1e-38]) * 0.1) == 0


def test_a_block_within_another_ends_nothing_of_it():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush denormals")
    before = torch.get_num_threads()
    with computing_with(2):
        with computing_with(1):
            assert (torch.get_num_threads(), flushes()) == (1, True)
        assert (torch.get_num_threads(), flushes()) == (2, True)
    assert (torch.get_num_threads(), flushes()) == (before, False)


def test_a_library_that_is_loaded_in_a_block_is_limited_too():
    """Scikit-learn brings libraries of its own, and a cell may load it only when it is scored."""
    code = """
from threadpoolctl import threadpool_info
from bench.utils.threads import computing_with
with computing_with(1):
    import sklearn.linear_model
    counts = {of["filepath"]: of["num_threads"] for of in threadpool_info()}
    assert set(counts.values()) == {1}, counts
    assert len(counts) > 2
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = dict(os.environ)
    with computing_with(1):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert dict(os.environ) == before
