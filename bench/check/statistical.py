"""Every metric over seeds, and the CPU seconds of training: the three-way gate of `bench.check.gate`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.check import gate
from bench.check.baseline import CPU_SECONDS, Row, mean_of, name_of
from bench.check.exact import other_metric
from bench.check.findings import Finding, Layer, Verdict, number
from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import MetricInfo, info_of


@dataclass(frozen=True)
class _Compared:
    """A comparison, and what it is shown as."""

    name: str
    metric: str
    layer: Layer
    base: float
    now: float
    relative: bool
    seeds: str
    comparison: gate.Comparison


def compare_seeds(
    pairs: Sequence[tuple[Row, Row]], infos: Mapping[str, MetricInfo]
) -> list[Finding]:
    """Return the verdicts on all metrics of pairs of rows, each with a seed, the baseline first."""
    findings: list[Finding] = []
    compared: list[_Compared] = []
    for base, now in pairs:
        if base["identity"]["method"] in ANCHORS:
            continue
        fewest = min(len(base["seeds"]), len(now["seeds"]))
        if fewest < gate.FEWEST_SEEDS:
            findings.append(Finding(
                Verdict.NOT_COMPARED, Layer.STATISTICAL, name_of(base), "all metrics",
                f"{len(base['seeds'])} seeds", f"{len(now['seeds'])} seeds",
                f"{gate.FEWEST_SEEDS} each", "too few seeds for a spread: this layer is left out",
            ))  # fmt: skip
            continue
        for metric, was in base["metrics"].items():
            is_now = now["metrics"].get(metric)
            info = info_of(infos, was, metric)
            if info.kind == "estimated" and is_now is not None and _can_be_gated(was, is_now):
                compared.append(_compare(base, now, info, was, is_now))
        if base["machine"] != now["machine"]:
            findings.append(Finding(
                Verdict.NOT_COMPARED, Layer.SPEED, name_of(base), CPU_SECONDS, base["machine"],
                now["machine"], "", "another kind of machine: --ab compares speed",
            ))  # fmt: skip
        elif None not in (*base[CPU_SECONDS], *now[CPU_SECONDS]):
            compared.append(_compare_speed(base, now))
    verdicts = gate.judge([one.comparison for one in compared])
    return findings + [_found(one, v) for one, v in zip(compared, verdicts, strict=True)]


def _can_be_gated(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether a metric has a value on the same scale for every seed of both sides."""
    return was["status"] == now["status"] == "ok" and not other_metric(was, now)


def _compare(
    base: Row, now: Row, info: MetricInfo, was: Mapping[str, Any], is_now: Mapping[str, Any]
) -> _Compared:
    values = [*was["values"], *is_now["values"]]
    relative = info.scale == "log" and min(values) > 0
    mean = mean_of(was["values"])
    size = info.tolerance
    if relative:
        size = math.log1p(size)
    elif info.tolerance_is_relative:
        size *= abs(mean)
    return _paired_or_not(
        base, now, info.id, Layer.STATISTICAL, was["values"], is_now["values"],
        was["better"], relative, size,
    )  # fmt: skip


def _known(seconds: Sequence[float | None]) -> list[float]:
    return [value for value in seconds if value is not None]


def _compare_speed(base: Row, now: Row) -> _Compared:
    return _paired_or_not(
        base, now, CPU_SECONDS, Layer.SPEED, _known(base[CPU_SECONDS]), _known(now[CPU_SECONDS]),
        "lower", True, math.log1p(gate.SLOWER),
    )  # fmt: skip


def _paired_or_not(
    base: Row,
    now: Row,
    metric: str,
    layer: Layer,
    was: Sequence[float],
    values: Sequence[float],
    better: str,
    relative: bool,
    size: float,
) -> _Compared:
    """Compare values: paired where both sides have the same seeds, else by Welch's test.

    A few of the baseline's seeds are compared with all of them: changed code has other luck with
    each seed, so that pairs tell no more, and three leave two degrees of freedom. Only where each
    gives its old value to the last bit, nothing is left to test. How much is tolerated is told by
    all seeds of the baseline.
    """
    before, after = (gate.oriented(side, better, relative) for side in (was, values))
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(before.std(ddof=1))
    delta = max(size, gate.SPREADS * spread)
    old = dict(zip(base["seeds"], before, strict=True))
    partners = np.array([old.get(seed, math.nan) for seed in now["seeds"]])
    alike = set(now["seeds"]) == set(old) or bool((partners == after).all())
    shift = gate.paired(partners, after) if alike else gate.welch(before, after)
    seeds = f"{len(before)}/{len(after)} seeds{', paired' if alike else ''}"
    return _Compared(
        name_of(base), metric, layer, mean_of(was), mean_of(values), relative, seeds,
        gate.Comparison(shift, delta),
    )  # fmt: skip


_MEANINGS = {
    Verdict.REGRESSED: "worse by more than is tolerated",
    Verdict.IMPROVED: "better by more than is tolerated: update the baseline",
    Verdict.INCONCLUSIVE: "neither surely fine nor surely worse: more seeds can tell",
    Verdict.PASS: "surely not worse by more than is tolerated",
}


def _found(one: _Compared, verdict: str) -> Finding:
    said = Verdict(verdict)
    shift, delta = one.comparison.shift, one.comparison.delta
    with np.errstate(over="ignore"):
        allowed = f"{np.expm1(delta):.0%}" if one.relative else number(delta)
    return Finding(
        said, one.layer, one.name, one.metric, number(one.base), number(one.now), allowed,
        f"{_MEANINGS[said]} ({one.seeds})", abs(shift.mean) / delta if delta > 0 else 0.0,
    )  # fmt: skip
