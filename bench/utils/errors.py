"""Errors that a user can cause, each reported in one line, and the exit codes of all verbs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum

from bench.utils.output.escape import one_line


class Exit(IntEnum):
    """The exit codes of every verb.

    UNFORESEEN is an error in the suite itself, for which Python would exit with 1.
    """

    FINE = 0
    REGRESSION = 1
    WRONG_USE = 2
    CELL_FAILED = 3
    CANNOT_COMPARE = 4
    UNFORESEEN = 70
    INTERRUPTED = 130


MOST_NAMES = 12
"""The largest number of known names that an error lists."""
LISTED = ("method", "task", "metric", "profile")
"""Kinds of names that `python -m bench list` prints."""


class UserError(Exception):
    """Wrong input. The message says what was given, what was expected and what to do."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def not_written(path: object, error: OSError) -> UserError:
    """Return the error for an output that cannot be written."""
    return UserError(f"cannot write {path} ({error.strerror}): name another with -o")


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """Return the error for a name that does not exist; it lists the names most like it.

    Args:
        what: the kind of name, for example `metric`.
        given: the name that the user gave.
        known: the names that exist.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    if len(names) <= MOST_NAMES:
        return UserError(f"unknown {what} '{given}'{hint} (known: {', '.join(names)})")
    nearest = difflib.get_close_matches(given, names, n=MOST_NAMES, cutoff=0)
    more = f"{MOST_NAMES} of {len(names)}"
    if what in LISTED:
        more += f", see `python -m bench list {what}s`"
    return UserError(f"unknown {what} '{given}'{hint} (known: {', '.join(nearest)}, ... ({more}))")
