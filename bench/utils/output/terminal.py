"""Prepares the standard streams and the terminal size, so that printing never fails."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import TextIO, cast

STREAMS = ("stdin", "stdout", "stderr")
"""The standard streams, in the order of their file descriptors."""
ERRORS = "backslashreplace"
"""How a stream writes characters that its encoding lacks."""
SIZES = ("COLUMNS", "LINES")


def make_usable() -> None:
    """Open closed streams, let all streams write any text, and remove invalid terminal sizes.

    Output to a closed stream is discarded. Its file descriptor is taken, so that no file opened
    later gets it.
    """
    for number, name in enumerate(STREAMS):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _to_nothing(number))
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)
    for name in SIZES:
        if not re.fullmatch("0*[1-9][0-9]{0,4}", os.environ.get(name, "1")):
            del os.environ[name]


def send_output_to(log: Path) -> None:
    """Append all output of this process to a file, also output of C libraries.

    If the file cannot be written, the output is discarded.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        target = os.open(os.devnull, os.O_WRONLY)
    for number, name in list(enumerate(STREAMS))[1:]:
        stream = getattr(sys, name)
        if stream is not None:
            stream.flush()
        os.dup2(target, number)
        if stream is None:
            setattr(sys, name, _stream(number))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=ERRORS)
    if target >= len(STREAMS):  # otherwise it is a standard stream itself
        os.close(target)


def _to_nothing(number: int) -> TextIO:
    """Return a stream to the null device, on this file descriptor if it is closed."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)  # often it gets this descriptor itself
        os.dup2(null, number)
        os.set_inheritable(number, True)
        if null != number:
            os.close(null)
        return _stream(number)
    return open(os.devnull, "w" if number else "r", encoding="utf-8")


def _stream(number: int) -> TextIO:
    mode = "w" if number else "r"
    return cast(TextIO, open(number, mode, encoding="utf-8", errors=ERRORS, closefd=False))
