"""Computing with a number of threads."""

from __future__ import annotations

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
