"""Applies a function to chunks of work on all cores, in order, with little of it in memory."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from bench.utils.interrupts import held

T = TypeVar("T")
FEWEST = 16
"""Chunks for which it is worth while to start processes."""
MOST_WORKERS = 32
AHEAD = 2
"""Chunks in flight for each worker: more would fill the memory where results are taken slowly."""


def in_order(function: Callable[..., T], chunks: Sequence[Any], *same: Any) -> Iterator[T]:
    """Yield function(chunk, *same) of each chunk, in the order of the chunks.

    Few chunks are done in this process, and so are all on one core or in a worker.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    workers = min(cores, MOST_WORKERS)
    if len(chunks) < FEWEST or workers == 1 or multiprocessing.current_process().daemon:
        yield from (function(chunk, *same) for chunk in chunks)
        return
    waiting: deque[Future[T]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context(), initializer=end_with_parent) as pool:
        try:
            for chunk in chunks:
                with held():
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


def context(*preload: str) -> BaseContext:
    """Return how processes are started: forked from a server that has these modules, or anew.

    The server needs a socket. Where the folder for temporary files cannot hold one (a path of more
    than about 107 bytes, some file systems), and on Windows, each process starts anew.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing import forkserver, resource_tracker

        forked = multiprocessing.get_context("forkserver")
        forked.set_forkserver_preload(["bench.utils.default_sigint", *preload])
        try:
            resource_tracker.ensure_running()  # it lets interrupts through at its end
            with held():
                forkserver.ensure_running()
            return forked
        except OSError:
            pass
    return multiprocessing.get_context("spawn")


def end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends."""
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
