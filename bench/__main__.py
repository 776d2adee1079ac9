"""Where `python -m bench` and `contentbench` begin, and where whatever was not foreseen ends."""

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

    An error that nothing else has caught ends in one line and an exit code of its own: 1, which
    Python would give, means that a check has found a regression.
    """
    make_usable()
    if arguments is None:  # else it is called by a program that goes on
        keep_exit_code()
    try:
        os.getcwd()
    except OSError as error:
        _say(f"error: the working folder cannot be read ({error.strerror}): change into another")
        sys.exit(Exit.WRONG_USE)
    try:
        _run(arguments)
    except KeyboardInterrupt:  # while modules are imported
        sys.exit(interrupted())
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # mostly of the output
            _say(f"error: {error.strerror}: make room, or send the output elsewhere")
            sys.exit(Exit.WRONG_USE)
        _say(f"error: {_in_one_line(error)} ({_kept(error)})")
        sys.exit(Exit.UNFORESEEN)


def _run(arguments: list[str] | None) -> None:
    try:
        from bench.cli.main import (
            main as command_line,  # here, so that a broken install is caught too
        )
    except ImportError as error:
        _say(
            f"error: a package that the suite needs cannot be imported ({one_line(str(error))}): "
            "install the suite, or use the Python of its environment, as in .venv/bin/python"
        )
        sys.exit(Exit.WRONG_USE)
    command_line(arguments)


def _say(line: str) -> None:
    with suppress(OSError):  # where nobody can be told, the exit code tells
        print(line, file=sys.stderr)


def _in_one_line(error: Exception) -> str:
    said = one_line(" ".join(str(error).split()))
    kind = type(error).__name__
    return f"this was not foreseen: {kind}: {said}" if said else f"this was not foreseen: {kind}"


def _kept(error: Exception) -> str:
    """Write the traceback to a file and return where it is."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="contentbench-", suffix=".txt", delete=False, encoding="utf-8",
            errors=ERRORS,
        ) as file:  # fmt: skip
            file.write(f"{sys.version}\n{sys.argv}\n\n{text}")
    except OSError:  # nowhere to write: then it has to be here
        return f"no folder for temporary files can be written, so here:\n{text}"
    return f"please report it with {file.name}"


if __name__ == "__main__":
    main()
