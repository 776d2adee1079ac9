"""Threads to compute with: set alike in a cell, in a probe of its method and in a check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def computing_with(count: int) -> Iterator[None]:
    """Compute with so many threads, in torch and in all other libraries, and flush denormals."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    try:
        with threadpool_limits(count):
            yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
