"""Ctrl-C: the process that a user started says one line, and those that it starts end quietly."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bench.utils.errors import Exit


def interrupted() -> Exit:
    """Say how to go on after an interrupt; return the exit code."""
    said = "interrupted: the same command keeps what is finished and does the rest"
    print(said, file=sys.stderr)
    _told.set()
    return Exit.INTERRUPTED


_told, _came = threading.Event(), threading.Event()


def keep_exit_code() -> None:
    """Let this process end with the exit code of an interrupt that was caught.

    An interrupt that came while a library ran Python from C, as some do when they are imported,
    Python holds for uncaught, and would kill itself by the signal at its end.
    """
    atexit.register(_leave)  # the first that is registered, so the last that is called


def _leave() -> None:
    if _told.is_set():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(Exit.INTERRUPTED)


def came() -> bool:
    """Return whether an interrupt has come in the block of `noted`."""
    return _came.is_set()


@contextmanager
def noted() -> Iterator[None]:
    """Note an interrupt that comes in a block; it is raised as ever.

    A library that is interrupted while it is imported may raise something else, or nothing at all.
    """
    _came.clear()
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _note(number: int, frame: Any) -> None:
    _came.set()
    signal.default_int_handler(number, frame)


@contextmanager
def held() -> Iterator[None]:
    """Let an interrupt come only at the end of a block, and not to the processes it starts.

    A terminal sends it to all of them, and they inherit that it is held.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
