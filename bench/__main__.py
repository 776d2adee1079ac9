"""The entry point of `python -m bench` and `contentbench`, and the last error handler."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from contextlib import suppress

from bench.utils.errors import Exit
from bench.utils.interrupts import interrupted, keep_exit_code
from bench.utils.output.escape import one_line
from bench.utils.output.terminal import ERRORS, make_usable


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    An error that nothing else catches gives one line and a special exit code. Python would exit
    with 1, which here means that a check found a regression.
    """
    make_usable()
    if arguments is None:  # with arguments, the caller is a program that continues afterwards
        keep_exit_code()
    try:
        os.getcwd()
    except OSError as error:
        _say(f"error: the working folder cannot be read ({error.strerror}): change into another")
        sys.exit(Exit.WRONG_USE)
    try:
        _run(arguments)
    except KeyboardInterrupt:  # during imports, when no verb handles it yet
        sys.exit(interrupted())
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # usually from printing
            _say(f"error: {error.strerror}: make room, or send the output elsewhere")
            sys.exit(Exit.WRONG_USE)
        _say(f"error: {_summary(error)} ({_save_traceback(error)})")
        sys.exit(Exit.UNFORESEEN)


def _run(arguments: list[str] | None) -> None:
    try:
        from bench.cli.main import main as command_line  # here, to catch a broken installation
    except ImportError as error:
        _say(
            f"error: a package that the suite needs cannot be imported ({one_line(str(error))}): "
            "install the suite, or use the Python of its environment, as in .venv/bin/python"
        )
        sys.exit(Exit.WRONG_USE)
    command_line(arguments)


def _say(line: str) -> None:
    with suppress(OSError):  # if the stream is closed, only the exit code tells
        print(line, file=sys.stderr)


def _summary(error: Exception) -> str:
    message = one_line(" ".join(str(error).split()))
    kind = type(error).__name__
    return f"this was not foreseen: {kind}{f': {message}' if message else ''}"


def _save_traceback(error: Exception) -> str:
    """Write the traceback to a file and return a request to report it."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="contentbench-", suffix=".txt", delete=False, encoding="utf-8",
            errors=ERRORS,
        ) as file:  # fmt: skip
            file.write(f"{sys.version}\n{sys.argv}\n\n{text}")
    except OSError:  # no file can be written: print the traceback
        return f"no folder for temporary files can be written, so here it is:\n{text}"
    return f"please report it with {file.name}"


if __name__ == "__main__":
    main()
