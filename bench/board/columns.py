"""The columns of each table of the leaderboard. They follow from the facts of each metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from bench.contracts.metric import Group, MetricInfo, info_of
from bench.contracts.registry import shipped_infos

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
