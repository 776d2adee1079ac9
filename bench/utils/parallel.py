"""Applies a function to chunks of work on all cores, and yields the results in order.

`joblib.Parallel(return_as="generator")` does not fit here: it goes on while the results are not
consumed, so that all decoded images of a folder would be in memory at once.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from types import ModuleType
from typing import Any, TypeVar

from bench.utils.interrupts import held
from bench.utils.threads import available_cores

T = TypeVar("T")
FEWEST = 16
"""The smallest number of chunks for which processes are started."""
MOST_WORKERS = 32
AHEAD = 2
"""Chunks per worker that are computed ahead. It bounds the memory if the consumer is slow."""


def in_order(function: Callable[..., T], chunks: Sequence[Any], *same: Any) -> Iterator[T]:
    """Yield `function(chunk, *same)` for each chunk, in the order of the chunks.

    This process computes everything itself if there are few chunks, if it has one core, or if it
    is a worker.
    """
    workers = min(available_cores(), MOST_WORKERS)
    if len(chunks) < FEWEST or workers == 1 or multiprocessing.current_process().daemon:
        yield from (function(chunk, *same) for chunk in chunks)
        return
    waiting: deque[Future[T]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context(), initializer=end_with_parent) as pool:
        try:
            for chunk in chunks:
                with starting():
                    waiting.append(pool.submit(function, chunk, *same))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def cut(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Split items into chunks of `size`; the last one may be shorter."""
    return [items[at : at + size] for at in range(0, len(items), size)]


def context(*preload: str) -> BaseContext:
    """Return how to start processes: from a fork server that has imported modules, or by spawning.

    The fork server needs a socket in the folder for temporary files. Processes are spawned on
    Windows, and where that folder cannot hold a socket: its path is longer than about 107 bytes,
    or its file system has none.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing import forkserver, resource_tracker

        forked = multiprocessing.get_context("forkserver")
        forked.set_forkserver_preload(["bench.utils.default_sigint", *preload])
        try:
            resource_tracker.ensure_running()  # before `held`: it unblocks SIGINT when it returns
            with held():
                forkserver.ensure_running()
            return forked
        except OSError:
            pass
    return multiprocessing.get_context("spawn")


@contextmanager
def starting() -> Iterator[None]:
    """Hold interrupts while a process starts, and keep it from importing the user's script.

    A new process imports the main module first. A script without ``if __name__ == "__main__"``
    would so run again in each of them. Ours need nothing of it.
    """
    main = sys.modules["__main__"]
    with held():
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def end_with_parent() -> None:
    """End this process when its parent ends, for whatever reason."""
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
