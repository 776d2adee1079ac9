"""Comparison of the golden numbers of a baseline with the current ones. It needs no torch.

See `bench.check.golden.measure`. Old baselines may have a ``timer`` entry, which is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from bench.check.findings import Finding, Layer, Verdict

FROZEN, TASK = "frozen results", "task"
"""The names of the rows of findings that concern no method."""
SMALL = 1e-3
"""A relative tolerance is relative to at least this size of a metric."""


def compare_golden(
    golden: Mapping[str, Any], now: Mapping[str, Any], frozen: float
) -> list[Finding]:
    """Return the findings for golden numbers.

    Args:
        golden: The golden numbers of the baseline.
        now: The golden numbers of the current code.
        frozen: The smallest relative tolerance for metrics of the frozen results.
    """
    if golden["pixels"] != now["pixels"]:
        said = "the images of the golden task differ: the renderer or the task has changed"
        return [_differs(TASK, "pixels", golden["pixels"], now["pixels"], said)]
    findings = [
        Finding(Verdict.FAILED, Layer.GOLDEN, what, "golden numbers", said=f"it raises {error}")
        for what, error in now["raised"].items()
    ]
    for name, was in golden["metrics"].items():
        findings += _metric(name, was, now["metrics"].get(name), frozen)
    for label, numbers in golden["training"].items():
        if label in now["raised"]:
            continue
        if label in now["refused"]:
            said = f"{now['refused'][label]}; update the baseline"
            findings.append(_gone(label, "configuration", said))
            continue
        findings += _training(label, numbers, now["training"].get(label))
    return findings


def _metric(
    name: str, was: Mapping[str, Any], now: Mapping[str, Any] | None, tolerance: float
) -> Iterator[Finding]:
    if now is None:
        yield _gone(FROZEN, name, "no such metric, or its family raised")
    elif was["version"] != now["version"]:
        said = f"another version: {was['version']} -> {now['version']}; update the baseline"
        yield _gone(FROZEN, name, said)
    else:
        for key in ("value", "lo", "hi", "n"):
            pair = was[key], now[key]
            if pair == (None, None):
                continue
            if None in pair:
                said = "only one side has this number"
                yield _differs(FROZEN, f"{name} {key}", str(pair[0]), str(pair[1]), said)
            else:
                allowed = max(tolerance * max(abs(pair[0]), SMALL), was["tolerance"][key])
                yield _number(FROZEN, f"{name} {key}", *pair, allowed)


def _training(
    label: str, numbers: Mapping[str, Any], now: Mapping[str, float] | None
) -> Iterator[Finding]:
    if now is None:
        yield _gone(label, "short training", "no such method here: give its file with --plugin")
        return
    for name in sorted(numbers.keys() | now.keys()):
        if name in numbers and name in now:
            expected = numbers[name]
            yield _number(label, name, expected["value"], now[name], expected["tolerance"])
        else:
            pair = ("there", "-") if name in numbers else ("-", "there")
            yield _differs(label, name, *pair, "the short training gives other numbers")


def _gone(row: str, name: str, said: str) -> Finding:
    return Finding(Verdict.NOT_COMPARABLE, Layer.GOLDEN, row, name, said=said)


def _differs(row: str, name: str, was: str, now: str, said: str) -> Finding:
    return Finding(
        Verdict.REGRESSED, Layer.GOLDEN, row, name, was, now, "equal", said, excess=math.inf
    )


def _number(row: str, name: str, was: float, now: float, allowed: float) -> Finding:
    apart = abs(now - was)
    fine = apart <= allowed  # false for NaN
    return Finding(
        Verdict.PASS if fine else Verdict.REGRESSED, Layer.GOLDEN, row, name, f"{was:.7g}",
        f"{now:.7g}", f"{allowed:.2g}", "" if fine else "the code computes something else",
        apart / allowed if allowed > 0 else math.inf,
    )  # fmt: skip
