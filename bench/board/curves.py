"""The numbers of methods during their training, and from when on their order is that of the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from itertools import permutations

import pandas as pd

from bench.board.columns import badness
from bench.board.frame import COLUMNS, frame
from bench.board.order import Order
from bench.board.row_labels import row_labels
from bench.contracts.metric import MetricInfo
from bench.contracts.record import CurveValue, MetricEntry, Record

Curve = Mapping[float, Mapping[str, float]]
"""One number by the fraction of the training, rising up to 1, and by the label of the method."""


def curve_rows(
    records: Sequence[Record],
    known: Mapping[str, MetricInfo] | None = None,
    only: Collection[str] | None = None,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return rows like those of `frame` for each fraction of the training below 1.

    A row has the mean over the seeds that have the number there, with its interval. A value of
    another version of the metric than that of the finished training is left out.

    Args:
        records: The records.
        known: The facts of known metrics, or None for the built-in metrics.
        only: The ids of the metrics to return, or None for all.
        labels: The `row_labels` of the records, if they exist already.
    """
    labels = row_labels(records) if labels is None else labels
    budgets = sorted({point["budget"] for record in records for point in record["curve"]} - {1.0})
    tables = [
        frame([_at(record, budget, only) for record in records], known, labels).assign(
            budget=budget
        )
        for budget in budgets
    ]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(COLUMNS))


def with_curves(
    table: pd.DataFrame,
    records: Sequence[Record],
    known: Mapping[str, MetricInfo] | None = None,
) -> pd.DataFrame:
    """Return the `frame` of records, followed by their `curve_rows`."""
    return followed_by(table, curve_rows(records, known))


def followed_by(table: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Return the `frame` of records with their `curve_rows` below it."""
    return pd.concat([table, points], ignore_index=True) if len(points) else table


def outdated_curves(of_label: Mapping[str, Sequence[Record]], order: Order) -> list[str]:
    """Return the ranked methods whose curve another version of the ordering number measured."""
    return [
        label
        for label in order.ranks
        if any(
            order.metric in point["metrics"]
            and point["metrics"][order.metric]["version"]
            != record["metrics"][order.metric]["version"]
            for record in of_label[label]
            if order.metric in record["metrics"]
            for point in record["curve"]
        )
    ]


def _at(record: Record, budget: float, only: Collection[str] | None) -> Record:
    """Return a record whose metrics are those of its curve at a fraction of the training.

    only: The ids of the metrics to return, or None for all.
    """
    metrics = {
        name: _entry(record["metrics"][name], value)
        for point in record["curve"]
        if point["budget"] == budget
        for name, value in point["metrics"].items()
        if value["value"] is not None
        and name in record["metrics"]
        and (only is None or name in only)
        and record["metrics"][name]["version"] == value["version"]
    }
    return {**record, "metrics": metrics}


def _entry(final: MetricEntry, value: CurveValue) -> MetricEntry:
    """Return an entry with the value of a curve, and no interval over items."""
    kept = {key: entry for key, entry in final.items() if key != "items"}
    here = {"value": value["value"], "lo": None, "hi": None, "status": "ok", "reason": ""}
    parts = {"parts": value["parts"]} if "parts" in value else {}
    return kept | here | {"detail": parts}  # type: ignore[return-value]


def curve_of_order(rows: pd.DataFrame, order: Order) -> Curve:
    """Return the number that orders a board at each fraction of the training, with its end.

    Args:
        rows: The `curve_rows` of the board.
        order: The order of the board. Only methods with a place in it are returned.
    """
    found: dict[float, dict[str, float]] = {}
    ranked = rows["method"].isin(list(order.ranks)) & rows["value"].notna()
    for row in rows[ranked & (rows["metric"] == order.metric)].to_dict("records"):
        found.setdefault(float(row["budget"]), {})[str(row["method"])] = float(row["value"])
    with_curve = {method for values in found.values() for method in values}
    if not with_curve:
        return {}
    end = {name: order.values[name] for name in order.ranks if name in with_curve}
    return {budget: found[budget] for budget in sorted(found)} | {1.0: end}


def settled(curve: Curve, info: MetricInfo) -> float:
    """Return the fraction of the training from which on the order of the methods did not change.

    Two methods whose numbers differ at the end by no more than the tolerance have no order. A
    fraction where a method has no number has another order than the end.

    Args:
        curve: See `Curve`; with two methods or more at its end.
        info: The facts about the number.

    Returns:
        The fraction; 1.0 if the order changed after the last point before the end.
    """
    budgets = sorted(curve, reverse=True)
    end, first = curve[budgets[0]], budgets[0]
    ordered = [
        (better, worse)
        for better, worse in permutations(end, 2)
        if badness(end[better], info.better) < badness(end[worse], info.better)
        and abs(end[better] - end[worse]) > info.tolerance_at(end[better], end[worse])
    ]
    for budget in budgets[1:]:
        here = {name: badness(value, info.better) for name, value in curve[budget].items()}
        if here.keys() != end.keys() or any(here[one] >= here[other] for one, other in ordered):
            break
        first = budget
    return first


def fraction(budget: float) -> str:
    """Return the text of a fraction of the training: "1/4", or "1" for its end."""
    return str(Fraction(budget).limit_denominator(1000))
