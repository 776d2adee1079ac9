"""Golden numbers of a baseline against those of today (see `bench.check.golden.measure`). Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from bench.check.findings import Finding, Layer, Verdict

FROZEN, TASK = "frozen results", "task"
"""What the rows of findings are called that are about no method."""
SMALL = 1e-3
"""The size below which a value of a metric is as good as zero."""


def compare_golden(
    golden: Mapping[str, Any], now: Mapping[str, Any], frozen: float, timer: float
) -> list[Finding]:
    """Return the verdicts on golden numbers.

    frozen: the least relative tolerance of metrics of frozen results. timer: the seconds that it
    waits.
    """
    waits = _number("timer", "waits for a GPU", timer, now["timer"], timer / 2, one_sided=True)
    if golden["pixels"] != now["pixels"]:
        said = "the images of the golden task are others: the renderer or the task has changed"
        return [waits, _differs(TASK, "pixels", golden["pixels"], now["pixels"], said)]
    findings = [waits]
    findings += [
        Finding(Verdict.FAILED, Layer.GOLDEN, what, "golden numbers", said=f"it raises {error}")
        for what, error in now["raised"].items()
    ]
    for name, was in golden["metrics"].items():
        findings += _metric(name, was, now["metrics"].get(name), frozen)
    for label, numbers in golden["training"].items():
        if label in now["raised"]:
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
                said = "a number came or went"
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


def _number(
    row: str, name: str, was: float, now: float, allowed: float, one_sided: bool = False
) -> Finding:
    apart = was - now if one_sided else abs(now - was)
    fine = apart <= allowed  # false for what is no number
    return Finding(
        Verdict.PASS if fine else Verdict.REGRESSED, Layer.GOLDEN, row, name, f"{was:.7g}",
        f"{now:.7g}", f"{allowed:.2g}", "" if fine else "the code computes something else",
        apart / allowed if allowed > 0 else math.inf,
    )  # fmt: skip
