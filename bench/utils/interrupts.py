"""Handles Ctrl-C: the process that the user started prints one line, its workers print nothing."""

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
    """Print how to continue after an interrupt; return the exit code."""
    print("interrupted: repeat the command to continue; finished cells are kept", file=sys.stderr)
    _was_reported.set()
    return Exit.INTERRUPTED


_was_reported, _has_come = threading.Event(), threading.Event()


def keep_exit_code() -> None:
    """Make this process end with the exit code of an interrupt that was caught.

    Some libraries run Python code from C when they are imported. Python counts an interrupt in such
    code as uncaught, even if it is caught later, and would end itself by the signal.
    """
    atexit.register(_leave)  # registered first, so called last


def _leave() -> None:
    if _was_reported.is_set():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(Exit.INTERRUPTED)


def came() -> bool:
    """Return whether an interrupt came in the last block of `noted`."""
    return _has_come.is_set()


@contextmanager
def noted() -> Iterator[None]:
    """Remember whether an interrupt comes in a block (see `came`); it is raised as usual.

    A library that is interrupted during its import may raise another error, or none.
    """
    _has_come.clear()
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
    _has_come.set()
    signal.default_int_handler(number, frame)


@contextmanager
def held() -> Iterator[None]:
    """Delay an interrupt to the end of a block, and hide it from processes started in the block.

    A terminal sends Ctrl-C to all processes; those started here inherit the blocked signal.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
