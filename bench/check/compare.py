"""Comparison of records with a baseline: find the comparable rows, and run the layers.

exact        identities, counts, metrics and their versions (`bench.check.exact`)
ordering     known floors and ceilings, and which method leaks (`bench.check.orderings`)
statistical  every metric and the CPU seconds, over seeds (`bench.check.statistical`)

The fourth layer, golden, needs no records (`bench.check.golden.compare`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.check.baseline import name_of, rows_of, seed_values
from bench.check.baseline_schema import Baseline, Row
from bench.check.exact import compare_exact, new_here
from bench.check.findings import Finding, Layer, Verdict, number
from bench.check.orderings import SHARE, gaps
from bench.check.statistical import compare_seeds
from bench.contracts.labels import without_brackets
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import protocol_of
from bench.contracts.record import Record
from bench.contracts.registry import shipped_infos


def compare_records(
    baseline: Baseline,
    records: Sequence[Record],
    layers: Sequence[str],
    known: Mapping[str, MetricInfo] | None = None,
) -> list[Finding]:
    """Return the findings of the layers that need only records.

    known: The facts of known metrics, or None for the built-in metrics.
    """
    infos = shipped_infos() if known is None else known
    current = rows_of(records)
    pairs = [(row, _counterpart(row, current)) for row in baseline["rows"]]
    findings = list(_other_versions(baseline, records))
    alike: list[tuple[Row, Row]] = []
    for base, now in pairs:
        missing = list(_not_comparable(base, now))
        findings += missing
        if now is not None and not missing:
            alike.append((base, now))
    names = {(row["label"], row["task"]) for row in baseline["rows"]}
    for row in current:
        if row["profile"] == baseline["profile"] and (row["label"], row["task"]) not in names:
            findings.append(new_here(name_of(row), "row", "not in the baseline"))
    exact = [finding for pair in alike for finding in compare_exact(*pair, infos)]
    wanted = Layer.EXACT in layers
    findings += [one for one in exact if wanted or one.verdict is Verdict.FAILED]
    comparable = [pair for pair in alike if pair[1]["seeds"]]
    if Layer.ORDERING in layers:
        findings += _ordering(baseline, [now for _, now in comparable], infos)
    if Layer.STATISTICAL in layers:
        findings += compare_seeds(comparable, infos)
    return findings


def _other_versions(baseline: Baseline, records: Sequence[Record]) -> Iterator[Finding]:
    """Report library versions that differ from the baseline. They may explain other findings."""
    if not records:
        return
    base, here = baseline["environment"], records[0]["environment"]
    was, now = (
        {key: environment.get(key) for key in ("python", "torch", "cuda")}
        for environment in (base, here)
    )
    libraries = base.get("versions", {}), here.get("versions", {})
    both = (
        libraries[0].keys() & libraries[1].keys()
    )  # a cell lists only the libraries that it imported
    was["versions"], now["versions"] = ({name: of[name] for name in both} for of in libraries)
    if apart := _differences(was, now):
        yield new_here("environment", "versions", "; ".join(apart))


def _counterpart(base: Row, current: Sequence[Row]) -> Row | None:
    """Return the row of the same method with the most similar identity. Prefer the same label."""

    def unlike(row: Row) -> tuple[int, bool]:
        apart = _differences(_conditions(base), _conditions(row))
        return len(apart), row["label"] != base["label"]

    stem = without_brackets(base["profile"])
    same = [
        row
        for row in current
        if row["identity"]["method"] == base["identity"]["method"]
        and row["task"] == base["task"]
        and without_brackets(row["profile"]) == stem
    ]
    return min(same, key=unlike, default=None)


def _conditions(row: Row) -> dict[str, Any]:
    """Return the identity of a row with the version of its protocol, also if that is the first."""
    return {**row["identity"], "protocol": protocol_of(row["identity"])}


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> list[str]:
    """Return the differences between two identities, as `config.sep: 25 -> 30`."""
    found = []
    for key in sorted(one.keys() | other.keys()):
        was, now = one.get(key), other.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found += _differences(was, now, f"{path}{key}.")
        elif was != now:
            found.append(f"{path}{key}: {was} -> {now}")
    return found


def _not_comparable(base: Row, now: Row | None) -> Iterator[Finding]:
    """Yield a finding if a row of the baseline cannot be compared."""
    name = name_of(base)
    if now is None:
        yield Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, name, "row", "there", "missing",
                      said="run it, or remove it from the baseline")  # fmt: skip
        return
    if now["mixed"]:
        yield Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, name, "sources",
                      said="its seeds have different code: run all of them again")  # fmt: skip
        return
    apart = _differences(_conditions(base), _conditions(now))
    if apart:
        shown = "; ".join(apart[:3]) + (f"; and {len(apart) - 3} more" if len(apart) > 3 else "")
        yield Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, name, "identity",
                      said=f"run under other conditions: {shown}")  # fmt: skip


def _ordering(
    baseline: Mapping[str, Any], current: Sequence[Row], infos: Mapping[str, MetricInfo]
) -> Iterator[Finding]:
    for task, claims in baseline["claims"].items():
        now = gaps(seed_values([row for row in current if row["task"] == task], None), infos)
        for claim, least in claims.items():
            if claim not in now:
                said = "its rows are missing"
                yield Finding(Verdict.NOT_COMPARED, Layer.ORDERING, task, claim, said=said)
                continue
            holds = now[claim] >= SHARE * least
            yield Finding(
                Verdict.PASS if holds else Verdict.REGRESSED, Layer.ORDERING, task, claim,
                f"by {number(least)}", f"by {number(now[claim])}", f"{number(SHARE * least)} left",
                "" if holds else "it held for every seed of the baseline",
                1 - now[claim] / least,
            )  # fmt: skip
