"""What a user can cause, said in one line.

Exit codes of every verb: 0 fine, 1 regression found, 2 wrong use, 3 a cell failed,
4 cannot compare, 70 an error of the suite itself, 130 interrupted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum

from bench.utils.output.escape import one_line


class Exit(IntEnum):
    """The exit codes; each means one thing."""

    FINE = 0
    REGRESSION = 1
    WRONG_USE = 2
    CELL_FAILED = 3
    CANNOT_COMPARE = 4
    UNFORESEEN = 70
    INTERRUPTED = 130


class UserError(Exception):
    """Wrong input: the message says what was given, what was expected and what to do."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """Return the error for a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return UserError(f"unknown {what} '{given}'{hint} (known: {', '.join(names)})")
