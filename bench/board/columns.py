"""The columns of each table of the leaderboard. They follow from the facts of each metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import numpy as np

from bench.contracts.metric import Group, MetricInfo, info_of
from bench.contracts.record import Record
from bench.contracts.registry import shipped_infos
from bench.records.environment import machine_of

if TYPE_CHECKING:
    from bench.board.samples import Array

ARROWS = {"higher": "up", "lower": "down", "near 1": "to 1"}
"""How the direction of a metric is written."""
TRAINING_FACTS = {
    "steps": ("steps", None),
    "images": ("images loaded", None),
    "flops": ("training FLOPs", None),
    "cpu_seconds": ("CPU seconds", 0),
    "scoring": ("scoring CPU seconds", 0),
}
"""Facts of a training in the table of costs: head and digits, None for a prefix as in 1.5M."""


Value = TypeVar("Value", float, "Array")


def badness(value: Value, better: str) -> Value:
    """Return a number that is lower for a better value, given the direction of the metric."""
    if better == "near 1":
        return abs(value - 1)
    return value if better == "lower" else -value


def base_id(column: str) -> str:
    """Return the id of the metric in a column: ``fd_add`` for ``fd_add [inception]``."""
    return column.split(" [")[0]


def main_metrics(infos: Mapping[str, MetricInfo], has_truth: bool = True) -> list[str]:
    """Return the metrics of the main table.

    has_truth: Whether the task can render the true results.
    """
    return [
        name
        for name, info in infos.items()
        if info.main or (info.main_without_truth and not has_truth)
    ]


def ordering_metrics(infos: Mapping[str, MetricInfo]) -> list[str]:
    """Return the metrics that can order a board, the preferred one first."""
    chosen = [name for name, info in infos.items() if info.orders]
    return sorted(chosen, key=lambda name: infos[name].orders)


def groups_of(infos: Mapping[str, MetricInfo], metrics: Iterable[str]) -> dict[str, list[str]]:
    """Return the columns of each group, in the order of the groups, without empty groups."""
    found: dict[str, list[str]] = {group: [] for group in get_args(Group)}
    for metric in metrics:
        found[infos[base_id(metric)].group].append(metric)
    return {group: columns for group, columns in found.items() if columns}


def infos_of(
    records: Iterable[Mapping[str, Any]], known: Mapping[str, MetricInfo] | None = None
) -> dict[str, MetricInfo]:
    """Return the facts of all metrics. Metrics that are only in records come last.

    Args:
        records: The records, for metrics that are not known here.
        known: The facts of known metrics, or None for the built-in metrics.
    """
    found = dict(shipped_infos() if known is None else known)
    for record in records:
        for name, entry in record["metrics"].items():
            found.setdefault(name, info_of(found, entry, name))
    return found


def training_costs(here: Iterable[tuple[Record, str]]) -> dict[str, dict[str, float]]:
    """Return the training costs of each method, averaged over seeds."""
    found: dict[str, dict[str, list[float]]] = {}
    for record, label in here:
        for fact in TRAINING_FACTS:
            value: Any = record["facts"].get(fact)
            if fact == "scoring":
                value = _seconds_of_scoring(record)
            if value is not None:
                found.setdefault(label, {}).setdefault(fact, []).append(value)
    return {
        label: {fact: float(np.mean(values)) for fact, values in facts.items()}
        for label, facts in found.items()
    }


def machines_of(here: Iterable[tuple[Record, str]]) -> dict[str, list[str]]:
    """Return for each kind of machine the methods that were timed there, sorted by label."""
    found: dict[str, set[str]] = {}
    for record, label in here:
        if "steps" in record["facts"]:
            machine = machine_of(record.get("environment", {}))
            found.setdefault(machine, set()).add(label)
    return {machine: sorted(labels) for machine, labels in sorted(found.items())}


def _seconds_of_scoring(record: Record) -> float | None:
    """Return the CPU seconds of scoring a record, or None if some are not known."""
    families = record["facts"].get("scoring", {}).values()
    known = {name for family in families for name in family["numbers"]}
    if not known or known < set(record["metrics"]):
        return None
    return float(sum(family["cpu_seconds"] for family in families))
