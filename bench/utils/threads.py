"""CPU cores, and the number of threads that libraries compute with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bench.utils.allocator import keep_freed_memory


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    import psutil

    if hasattr(psutil.Process, "cpu_affinity"):  # macOS has none
        return len(psutil.Process().cpu_affinity())
    return psutil.cpu_count() or 1


_depth = 0
"""The number of blocks of `computing_with` that this process is in."""


@contextmanager
def computing_with(count: int) -> Iterator[None]:
    """Limit torch and all other libraries to `count` threads in a block, and flush denormals.

    From then on, freed memory is kept (see `bench.utils.allocator`).

    Training, the check that a method fits a task, and the golden numbers all use it, because the
    number of threads changes the last bits of a result. Blocks may be nested; denormals are flushed
    until the outermost ends. A library that is loaded in the block keeps the limit.
    """
    import torch
    from threadpoolctl import threadpool_limits

    global _depth  # torch does not tell whether it flushes
    _depth += 1
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    try:
        with threadpool_limits(count), _limits_for_later(count):
            yield
    finally:
        torch.set_num_threads(before)
        _depth -= 1
        torch.set_flush_denormal(_depth > 0)


_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def _limits_for_later(count: int) -> Iterator[None]:
    """Limit the libraries that are loaded in a block: they read these variables then."""
    before = {name: os.environ.get(name) for name in _LIMITS}
    os.environ.update(dict.fromkeys(_LIMITS, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
