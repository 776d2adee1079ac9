"""What a check has found: verdicts on single numbers, and the exit code that follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.utils.errors import Exit


class Verdict(StrEnum):
    """What is said of one number, the worst first."""

    FAILED = "failed"
    REGRESSED = "regressed"
    NOT_COMPARABLE = "not comparable"
    INCONCLUSIVE = "inconclusive"
    IMPROVED = "improved"
    NOT_COMPARED = "not compared"
    PASS = "pass"


class Layer(StrEnum):
    """Which part of a check says it, the cheapest first."""

    EXACT = "exact"
    GOLDEN = "golden"
    ORDERING = "ordering"
    STATISTICAL = "statistical"
    SPEED = "speed"


@dataclass(frozen=True)
class Finding:
    """One verdict: of which row of the board and which number, with what was and what is.

    excess: how far beyond what is allowed, in units of what is allowed; it orders equal verdicts.
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
    """Return a number with digits enough to see a difference."""
    return f"{value:.4g}"


def exit_code(findings: Sequence[Finding], lenient: bool) -> Exit:
    """Return the exit code: that of the worst verdict; with lenient, inconclusive is fine."""
    found = {finding.verdict for finding in findings}
    if lenient:
        found.discard(Verdict.INCONCLUSIVE)
    return next((code for verdict, code in _CODES.items() if verdict in found), Exit.FINE)


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings in the order in which they matter."""
    rank = list(Verdict)
    return sorted(findings, key=lambda f: (rank.index(f.verdict), -f.excess))


def summary(findings: Sequence[Finding]) -> str:
    """Return how often each verdict was given, in one line."""
    count = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict if count[verdict])
