"""From records to boards, one for each task and profile.

A missing value is shown with its reason, and never averaged. Values of different extractors are
never in one column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.board.columns import TRAINING_FACTS, base_id, infos_of, ranked_metrics
from bench.board.frame import frame
from bench.board.row_labels import row_labels
from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import MetricInfo
from bench.contracts.record import Record
from bench.records.environment import machine_of


@dataclass(frozen=True)
class Board:
    """The table of one (profile, task): the methods by mean rank, then the anchors.

    infos: the facts of each metric. machines: for each kind of machine (see
    `bench.records.environment.machine_of`), the trained methods whose times were measured there.
    """

    profile: str
    task: str
    infos: Mapping[str, MetricInfo]
    rows: pd.DataFrame
    order: list[str]
    ranks: dict[str, float]
    facts: dict[str, dict[str, float]]
    meanings: dict[str, str]
    notes: dict[str, str]
    machines: dict[str, list[str]]

    def cell(self, method: str, metric: str) -> Mapping[str, Any] | None:
        """Return the entry of a method and a metric, or None."""
        found = self.rows[(self.rows["method"] == method) & (self.rows["metric"] == metric)]
        return dict(found.iloc[0]) if len(found) else None

    def columns(self, wanted: Sequence[str]) -> list[str]:
        """Return the columns of the wanted metrics that apply to at least one row."""
        applying = self.rows[self.rows["status"] != "not_applicable"]
        found = list(dict.fromkeys(applying["metric"]))
        return [name for metric in wanted for name in found if base_id(name) == metric]

    def better(self, metric: str) -> str:
        """Return the direction of a metric."""
        found = self.rows[(self.rows["metric"] == metric) & (self.rows["better"] != "")]
        return str(found.iloc[0]["better"]) if len(found) else ""


def boards(
    records: Sequence[Record],
    table: pd.DataFrame | None = None,
    known: Mapping[str, MetricInfo] | None = None,
) -> list[Board]:
    """Return a board for each (profile, task) of the records.

    Args:
        records: The records.
        table: Their `frame`, if it exists already.
        known: The facts of known metrics, or None for the built-in metrics.
    """
    table = frame(records, known) if table is None else table
    infos = infos_of(records, known)
    labels = row_labels(records)
    made = []
    for profile, task in dict.fromkeys(
        (r["identity"]["profile"], r["identity"]["task"]) for r in records
    ):
        rows = _apart(table[(table["profile"] == profile) & (table["task"] == task)])
        here = [
            (record, label)
            for record, label in zip(records, labels, strict=True)
            if (record["identity"]["profile"], record["identity"]["task"]) == (profile, task)
        ]
        anchors = {label for record, label in here if record["identity"]["method"] in ANCHORS}
        with_more_labels = {
            label
            for record, label in here
            if record["facts"].get("supervision") not in (None, "domain")
        }
        ranks = mean_ranks(rows[~rows["method"].isin(anchors | with_more_labels)], infos)
        methods = sorted(
            {label for _, label in here} - anchors, key=lambda m: (ranks.get(m, math.inf), m)
        )
        order = methods + [name for name in ANCHORS if name in anchors]
        order += sorted(anchors - set(order))
        notes = {label: str(record["facts"].get("note") or "") for record, label in here}
        facts, machines = _facts(here), _machines(here)
        made.append(
            Board(profile, task, infos, rows, order, ranks, facts, _meanings(here), notes, machines)
        )
    return made


def _apart(rows: pd.DataFrame) -> pd.DataFrame:
    """If a metric has values of several extractors, give each extractor its own column."""
    named = rows["extractor"] != ""
    several = rows[named].groupby("metric")["extractor"].nunique()
    mixed = rows["metric"].isin(several[several > 1].index) & named
    names = rows["metric"].where(~mixed, rows["metric"] + " [" + rows["extractor"] + "]")
    return rows.assign(metric=names)


def ranked_by(rows: pd.DataFrame, infos: Mapping[str, MetricInfo]) -> list[str]:
    """Return the ranked metrics with a value and a direction. Tasks without truth have fewer."""
    valued = set(rows.loc[rows["value"].notna() & (rows["better"] != ""), "metric"])
    return [metric for metric in ranked_metrics(infos) if metric in valued]


def mean_ranks(rows: pd.DataFrame, infos: Mapping[str, MetricInfo]) -> dict[str, float]:
    """Return the mean rank of each method that has all of `ranked_by`. Ties get the mean rank."""
    ranked = ranked_by(rows, infos)
    wide = rows[rows["metric"].isin(ranked)].pivot(index="method", columns="metric", values="value")
    wide = wide.astype(float).dropna()
    if wide.empty or not ranked:
        return {}
    for metric in wide.columns:
        better = rows.loc[(rows["metric"] == metric) & (rows["better"] != ""), "better"].iloc[0]
        if (chance := infos[str(metric)].chance) is not None:
            floor, ceiling = (chance, None) if better == "lower" else (None, chance)
            wide[metric] = wide[metric].clip(floor, ceiling)
        wide[metric] = wide[metric].rank(ascending=better == "lower", method="average")
    return {str(method): float(rank) for method, rank in wide.mean(axis=1).items()}


def _facts(here: Iterable[tuple[Record, str]]) -> dict[str, dict[str, float]]:
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


def _machines(here: Iterable[tuple[Record, str]]) -> dict[str, list[str]]:
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


def _meanings(here: Iterable[tuple[Record, str]]) -> dict[str, str]:
    return {
        metric: entry["meaning"]
        for record, _ in here
        for metric, entry in record["metrics"].items()
        if entry.get("meaning")
    }
