"""The statistical layer: the gate (`bench.check.gate`) on metrics and CPU seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.check import gate
from bench.check.baseline import CPU_SECONDS, mean_of, name_of
from bench.check.baseline_schema import Row
from bench.check.exact import other_metric
from bench.check.findings import Finding, Layer, Verdict, number
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.metric import MetricInfo, info_of


@dataclass(frozen=True)
class _Compared:
    """A comparison, and the texts of its finding."""

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
    """Return the findings for all metrics of (baseline, current) pairs of rows with seeds."""
    findings: list[Finding] = []
    compared: list[_Compared] = []
    for base, now in pairs:
        if base["identity"]["method"] in WITHOUT_SEED:
            continue
        fewest = min(len(base["seeds"]), len(now["seeds"]))
        if fewest < gate.FEWEST_SEEDS:
            findings.append(Finding(
                Verdict.NOT_COMPARED, Layer.STATISTICAL, name_of(base), "all metrics",
                f"{len(base['seeds'])} seeds", f"{len(now['seeds'])} seeds",
                f"{gate.FEWEST_SEEDS} each", "too few seeds for a spread: this layer is skipped",
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
    """Return whether all seeds of both sides have a value of the metric, on the same scale."""
    return was["status"] == now["status"] == "ok" and not other_metric(was, now)


def _compare(
    base: Row, now: Row, info: MetricInfo, was: Mapping[str, Any], is_now: Mapping[str, Any]
) -> _Compared:
    values = [*was["values"], *is_now["values"]]
    relative = info.scale == "log" and min(values) > 0
    mean = mean_of(was["values"])
    size = math.log1p(info.tolerance) if relative else info.tolerance_at(mean)
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
    """Compare values: paired if both sides have the same seeds, otherwise by Welch's test.

    If only some seeds of the baseline were run again, they are compared with all of its seeds by
    Welch's test. After a change of the code, equal seeds give different random draws, so pairs have
    no more information, and three pairs have only two degrees of freedom. There is one exception:
    if each seed reproduces its old value exactly, the test is paired. The tolerance always comes
    from all seeds of the baseline.
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
    Verdict.INCONCLUSIVE: "neither surely fine nor surely worse: run more seeds",
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
