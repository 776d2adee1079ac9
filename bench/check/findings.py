"""The findings of a check: a verdict on each number, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.utils.errors import Exit


class Verdict(StrEnum):
    """The verdict on one number, from worst to best."""

    FAILED = "failed"
    REGRESSED = "regressed"
    NOT_COMPARABLE = "not comparable"
    INCONCLUSIVE = "inconclusive"
    IMPROVED = "improved"
    NOT_COMPARED = "not compared"
    PASS = "pass"


class Layer(StrEnum):
    """The part of a check that gives a verdict, from cheap to costly."""

    EXACT = "exact"
    GOLDEN = "golden"
    ORDERING = "ordering"
    STATISTICAL = "statistical"
    SPEED = "speed"
    SUBMISSION = "submission"


@dataclass(frozen=True)
class Finding:
    """One verdict.

    Attributes:
        verdict: The verdict.
        layer: The part of the check that gives it.
        row: The row of the board.
        number: The number that is compared.
        base: Its value in the baseline.
        now: Its current value.
        allowed: The allowed difference.
        said: A short explanation.
        excess: The difference divided by the allowed difference. It orders equal verdicts.
    """

    verdict: Verdict
    layer: Layer
    row: str
    number: str
    base: str = ""
    now: str = ""
    allowed: str = ""
    said: str = ""
    excess: float = 0.0


_CODES = {
    Verdict.FAILED: Exit.CELL_FAILED,
    Verdict.REGRESSED: Exit.REGRESSION,
    Verdict.NOT_COMPARABLE: Exit.CANNOT_COMPARE,
    Verdict.INCONCLUSIVE: Exit.CANNOT_COMPARE,
}


def number(value: float) -> str:
    """Return a number as text, with 4 significant digits."""
    return f"{value:.4g}"


def exit_code(findings: Sequence[Finding], lenient: bool) -> Exit:
    """Return the exit code of the worst verdict. If lenient, inconclusive counts as passed."""
    found = {finding.verdict for finding in findings}
    if lenient:
        found.discard(Verdict.INCONCLUSIVE)
    return next((code for verdict, code in _CODES.items() if verdict in found), Exit.FINE)


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings from worst to best."""
    rank = list(Verdict)
    return sorted(findings, key=lambda f: (rank.index(f.verdict), -f.excess))


def summary(findings: Sequence[Finding]) -> str:
    """Return the count of each verdict, in one line."""
    count = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict if count[verdict])
