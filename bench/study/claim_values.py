"""The numbers that a claim compares, as records that `bench.board.comparison` can compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from bench.contracts.record import MetricEntry, Record
from bench.study.claims import Side

WHOLE: Final = 1.0
"""The whole budget."""


def records_at(
    metric: str, side: Side, records: Sequence[Record], budget: float
) -> list[Record] | None:
    """Return the records of a side, with the number of the claim as the value of the metric.

    Below the whole budget, the number comes from the curve of a record. It has no items then, and
    neither has a number from the detail. Rows without training are the same at each budget.

    Args:
        metric: the id of the number.
        side: the side of the claim.
        records: its records, all with a value of the metric.
        budget: a fraction of the training, in (0, 1].

    Returns:
        One record for each of the given ones; None if one of them lacks the number.
    """
    if not side.detail and (budget == WHOLE or not side.row.has_seeds):
        return list(records)
    copies = []
    for record in records:
        entry = record["metrics"][metric]
        if side.detail:
            value = number_in(entry, side.detail) if budget == WHOLE else None
        else:
            value = _of_curve(record, metric, budget, entry["version"])
        if value is None:
            return None
        kept = {key: of for key, of in entry.items() if key not in ("items", "detail")}
        kept |= {"value": value, "lo": None, "hi": None}
        copies.append(cast("Record", {**record, "metrics": {metric: kept}}))
    return copies


def _of_curve(record: Record, metric: str, budget: float, version: int) -> float | None:
    """Return the value of a metric at a fraction of the training, or None."""
    for point in record["curve"]:
        entry = point["metrics"].get(metric)
        if point["budget"] == budget and entry is not None and entry["version"] == version:
            return entry["value"]
    return None


def number_in(entry: MetricEntry, path: str) -> float | None:
    """Return the number at a path of keys, joined by dots, in the detail of a metric, or None."""
    value: Any = entry.get("detail", {})
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None
