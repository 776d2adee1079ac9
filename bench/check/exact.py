"""The exact layer: counts, the set of metrics, and the values of anchors must be equal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from bench.check.baseline import EXACT_FACTS, name_of
from bench.check.baseline_schema import Row
from bench.check.findings import Finding, Layer, Verdict, number
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.metric import MetricInfo, info_of

CONSTANT = 1e-3
"""What rounding may move of an anchor's value, relative; one item of its n may tip over, too."""
JUDGED = 0.5
"""What a judge may move of an anchor's value on another kind of machine, divided by the root of n.

A judge is fitted on each machine, and other kernels give it other weights. This is the largest
standard error of a share of n items.
"""


def compare_exact(base: Row, now: Row, infos: Mapping[str, MetricInfo]) -> Iterator[Finding]:
    """Yield findings for all that must be equal in two rows with the same identity."""
    name = name_of(base)
    for seed, reason in now["failed"].items():
        yield Finding(Verdict.FAILED, Layer.EXACT, name, f"seed {seed}", "ok", "failed", "", reason)
    if not now["seeds"]:
        return
    for fact in EXACT_FACTS:
        then, here = base["facts"].get(fact), now["facts"].get(fact)
        if then is not None:
            yield _equal(name, fact, then, here)
    for metric, was in base["metrics"].items():
        if info_of(infos, was, metric).kind != "counted":
            continue
        rows = [row["metrics"].get(metric) for row in (base, now)]
        values = [row["values"] if row is not None else [] for row in rows]
        if values[0] and values[1] and None not in values[0]:
            yield _equal(name, metric, values[0][0], values[1][0])
    for metric, was in base["metrics"].items():
        is_now = now["metrics"].get(metric)
        if is_now is None:
            yield Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, name, metric, "there", "missing",
                          said="the records lack it: run `python -m bench score`")  # fmt: skip
        elif is_now["status"] == "failed":
            yield Finding(Verdict.FAILED, Layer.EXACT, name, metric, was["status"], "failed",
                          said=is_now["reason"])  # fmt: skip
        elif was["status"] != is_now["status"]:
            worse = was["status"] == "ok"
            yield Finding(
                Verdict.REGRESSED if worse else Verdict.IMPROVED,
                Layer.EXACT, name, metric, was["status"], is_now["status"], "",
                is_now["reason"] or "there is a value now: update the baseline", math.inf,
            )  # fmt: skip
        elif said := other_metric(was, is_now):
            yield Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, name, metric, said=said)
        elif base["identity"]["method"] in WITHOUT_SEED and was["status"] == "ok":
            elsewhere = base["machine"] != now["machine"]
            yield constant(name, metric, was, is_now, judged_elsewhere=elsewhere)
    for metric in now["metrics"].keys() - base["metrics"].keys():
        yield new_here(name, metric, "the baseline does not know this metric")


def _equal(name: str, what: str, was: Any, now: Any) -> Finding:
    same = was == now
    return Finding(
        Verdict.PASS if same else Verdict.REGRESSED,
        Layer.EXACT, name, what, str(was), str(now), "equal",
        "" if same else "a counted number must be equal: if it was to change, update the baseline",
        0.0 if same else math.inf,
    )  # fmt: skip


def other_metric(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return why two values of a metric cannot be compared, or ''."""
    for key in ("version", "extractor", "unit", "better"):
        if was[key] != now[key]:
            return f"another {key}: {was[key]} -> {now[key]}; update the baseline"
    return ""


def constant(
    name: str,
    metric: str,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
    judged_elsewhere: bool = False,
) -> Finding:
    """Compare a value of an anchor. Anchors are deterministic.

    judged_elsewhere: whether the values come from two kinds of machines, each with its own judge.
    """
    base, value = was["values"][0], now["values"][0]
    n = max(was["n"] or 1, 1)
    allowed = CONSTANT * abs(base) + 1.5 / n
    if judged_elsewhere and was["extractor"]:
        allowed += JUDGED / math.sqrt(n)
    off = abs(value - base) / allowed
    verdict = Verdict.PASS if off <= 1 else Verdict.REGRESSED
    said = "" if off <= 1 else "an anchor has no randomness: the metric or the task has changed"
    return Finding(verdict, Layer.EXACT, name, metric, number(base), number(value),
                   number(allowed), said, off)  # fmt: skip


def new_here(row: str, what: str, said: str) -> Finding:
    """Return a finding for something that is new since the baseline."""
    return Finding(Verdict.NOT_COMPARED, Layer.EXACT, row, what, said=said)
