"""Applies a function to chunks of work on all cores, in order, with little of it in memory."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
MOST_WORKERS = 32
AHEAD = 2
"""Chunks in flight for each worker: more would fill the memory where results are taken slowly."""


def in_order(
    function: Callable[..., T], chunks: Sequence[Any], *same: Any, fewest: int = 4
) -> Iterator[T]:
    """Yield function(chunk, *same) of each chunk, in the order of the chunks.

    Below ``fewest`` chunks, on one core, or in a worker, they are done in this process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    workers = min(cores, MOST_WORKERS)
    if len(chunks) < fewest or workers == 1 or multiprocessing.current_process().daemon:
        yield from (function(chunk, *same) for chunk in chunks)
        return
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    waiting: deque[Future[T]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            for chunk in chunks:
                waiting.append(pool.submit(function, chunk, *same))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return items in chunks of a size."""
    return [items[at : at + size] for at in range(0, len(items), size)]
