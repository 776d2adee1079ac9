"""A check of a plug-in: a function with a name and a hint, and what came of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

S = TypeVar("S")
PLAIN = ("OutputError", "DivergedError", "UserError")
"""The errors of the suite, which say in their message all that a reader needs."""


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPECTED = "expected failure"


class FailedCheck(Exception):  # noqa: N818
    """A plug-in does not fulfil a check; the message says what was found."""


class SkippedCheck(Exception):  # noqa: N818
    """A check does not apply to a plug-in; the message says why."""


class ExpectedFailure(Exception):  # noqa: N818
    """A plug-in does not fulfil a check, and says so; the message says where."""


@dataclass(frozen=True)
class Check(Generic[S]):
    """A check of a plug-in.

    name: a word to name it by. asks: what it checks, one sentence. hint: what to do if it fails.
    run: the check itself. It raises one of the three exceptions of this module, or any other error,
    which is a failure too.
    """

    name: str
    asks: str
    hint: str
    run: Callable[[S], None]


def check(name: str, hint: str) -> Callable[[Callable[[S], None]], Check[S]]:
    """Turn a function into a check. The first line of its docstring says what it checks."""

    def made(run: Callable[[S], None]) -> Check[S]:
        asks = (run.__doc__ or "").strip().partition("\n")[0]
        return Check(name, asks, hint, run)

    return made


@dataclass(frozen=True)
class Verdict:
    """What came of a check of a plug-in: the reason, '' if it passed, and seconds of CPU time."""

    check: str
    asks: str
    outcome: Outcome
    reason: str = ""
    hint: str = ""
    seconds: float = 0.0


def judge(one: Check[S], subject: S, path: Path, expected: Mapping[str, str]) -> Verdict:
    """Run a check and return what came of it.

    Args:
        one: the check.
        subject: what it looks at.
        path: the file of the plug-in, to name the line of an error in it.
        expected: the reason for each failure that the plug-in declares, by the name of the check.
    """
    start = time.process_time()
    outcome, reason = _outcome(one, subject, path)
    declared = expected.get(one.name)
    if declared is not None and outcome is Outcome.FAILED:
        outcome, reason = Outcome.EXPECTED, declared
    elif declared is not None and outcome is Outcome.PASSED:
        outcome, reason = Outcome.FAILED, "`expected_failures` names it, but it passes: remove it"
    hint = one.hint if outcome is Outcome.FAILED else ""
    return Verdict(one.name, one.asks, outcome, reason, hint, time.process_time() - start)


def _outcome(one: Check[S], subject: S, path: Path) -> tuple[Outcome, str]:
    try:
        one.run(subject)
    except FailedCheck as failure:
        return Outcome.FAILED, str(failure)
    except SkippedCheck as skipped:
        return Outcome.SKIPPED, str(skipped)
    except ExpectedFailure as expected:
        return Outcome.EXPECTED, str(expected)
    except (Exception, SystemExit) as error:  # of the plug-in: whatever its code raises
        return Outcome.FAILED, _described(error, path)
    return Outcome.PASSED, ""


def _described(error: BaseException, path: Path) -> str:
    """Return an error in one line, with the last line of the plug-in that it passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    where = f" ({path.name}, line {lines[-1]})" if lines else ""
    said = " ".join(str(error).split())
    if type(error).__name__ in PLAIN:
        return said
    return f"{type(error).__name__}: {said}{where}"
