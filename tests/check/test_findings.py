"""The exit codes of a check."""

from __future__ import annotations

from bench.check.findings import Finding, Layer, Verdict, exit_code
from bench.utils.errors import Exit


def test_exit_codes_are_frozen():
    """What scripts and CI rely on: a change here breaks them."""
    codes = {verdict: int(exit_code([Finding(verdict, Layer.EXACT, "m", "x")], lenient=False))
             for verdict in Verdict}  # fmt: skip
    assert codes == {
        "failed": 3,
        "regressed": 1,
        "not comparable": 4,
        "inconclusive": 4,
        "improved": 0,
        "not compared": 0,
        "pass": 0,
    }
    assert {code.name: int(code) for code in Exit} == {
        "FINE": 0,
        "REGRESSION": 1,
        "WRONG_USE": 2,
        "CELL_FAILED": 3,
        "CANNOT_COMPARE": 4,
        "UNFORESEEN": 70,
        "INTERRUPTED": 130,
    }
    unsure = [Finding(Verdict.INCONCLUSIVE, Layer.STATISTICAL, "m", "x")]
    assert exit_code(unsure, lenient=True) == 0
    assert exit_code([*unsure, Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, "m", "y")], True) == 4
    assert exit_code([], lenient=False) == 0
