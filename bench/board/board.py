"""From records to boards, one for each profile, task and version of the protocol.

One number orders a board (see `bench.board.order`). A missing value is shown with its reason, and
never averaged. Values of different extractors are never in one column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bench.board.columns import (
    base_id,
    infos_of,
    machines_of,
    main_metrics,
    ordering_metrics,
    training_costs,
)
from bench.board.comparison import Difference, best_and_ties, every_pair
from bench.board.curves import Curve, curve_of_order, curve_rows, outdated_curves
from bench.board.frame import frame
from bench.board.order import Order, order_rows, rank_intervals
from bench.board.row_labels import TUNED, has_both_configurations, is_published, row_labels
from bench.board.samples import entries_of
from bench.contracts.anchors import ANCHORS, CEILINGS
from bench.contracts.labels import study_text
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import BoardKey, board_key_of
from bench.contracts.record import Record

MOST_MAIN = 9
"""How many columns the main table has at most if none of its own applies."""


@dataclass(frozen=True)
class Board:
    """The table of one (profile, task, protocol).

    infos: the facts of each metric. rows: the rows of the tidy frame. ordering: the order of the
    methods. methods: their labels, in this order, then those that are not ranked. unranked: why
    they are not, if a number orders the board. anchors: the labels of the floors and ceilings,
    which are never ranked. ceilings: those among them that a method is not expected to reach.
    unguided: the methods that ignore the guide. published: the labels of published configurations,
    if others are tuned; they are not ranked. studies: the study of each row that uses the winner of
    another board's study or of another method. differences: every pair of methods in each main
    column (see `bench.board.comparison`). best: the labels of the best and all that tie with it, by
    column. places: the interval of the place of each method. machines: for each kind of machine
    (see `bench.records.environment.machine_of`), the trained methods whose times were measured
    there. curve: the number that orders the board, during the training (see `bench.board.curves`).
    outdated_curves: the ranked methods whose curve another version of this number measured.
    names: the names by which a row can be chosen: its label, that of its records, its method.
    """

    profile: str
    task: str
    protocol: int
    infos: Mapping[str, MetricInfo]
    rows: pd.DataFrame
    ordering: Order
    methods: list[str]
    unranked: dict[str, str]
    anchors: list[str]
    ceilings: set[str]
    unguided: set[str]
    facts: dict[str, dict[str, float]]
    meanings: dict[str, str]
    notes: dict[str, str]
    machines: dict[str, list[str]]
    published: list[str]
    studies: dict[str, str]
    differences: dict[str, list[Difference]]
    best: dict[str, set[str]]
    places: dict[str, tuple[int, int]]
    curve: Curve = field(default_factory=dict)
    outdated_curves: Sequence[str] = ()
    names: Mapping[str, set[str]] = field(default_factory=dict)

    @property
    def order(self) -> list[str]:
        """The labels of all rows: the methods, the published configurations, then the anchors."""
        return self.methods + self.published + self.anchors

    @cached_property
    def main_columns(self) -> list[str]:
        """The columns of the main table: the number that orders the board, then the others.

        If only other metrics were scored, it has the first ones of these.
        """
        columns = self.columns(main_metrics(self.infos, has_truth(self.rows, self.infos)))
        columns = columns or self.columns(list(self.infos))[:MOST_MAIN]
        first = [self.ordering.metric] if self.ordering.metric else []
        return list(dict.fromkeys([*first, *columns]))

    @cached_property
    def _entries(self) -> dict[tuple[str, str], dict[str, Any]]:
        entries: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self.rows.to_dict("records"):
            entries.setdefault((row["method"], row["metric"]), {str(k): v for k, v in row.items()})
        return entries

    def cell(self, method: str, metric: str) -> Mapping[str, Any] | None:
        """Return the entry of a method and a metric, or None."""
        return self._entries.get((method, metric))

    def columns(self, wanted: Sequence[str]) -> list[str]:
        """Return the columns of the wanted metrics that apply to at least one row."""
        applying = self.rows[self.rows["status"] != "not_applicable"]
        found = list(dict.fromkeys(applying["metric"]))
        return [name for metric in wanted for name in found if base_id(name) == metric]

    def values(self, metric: str) -> dict[str, float]:
        """Return the value of a metric for each row that has one."""
        found = self.rows[(self.rows["metric"] == metric) & self.rows["value"].notna()]
        return dict(zip(found["method"], map(float, found["value"]), strict=True))

    def better(self, metric: str) -> str:
        """Return the direction of a metric."""
        return self._directions.get(metric, "")

    @cached_property
    def _directions(self) -> dict[str, str]:
        found = self.rows[self.rows["better"] != ""].drop_duplicates("metric")
        return dict(zip(found["metric"], map(str, found["better"]), strict=True))


def boards(
    records: Sequence[Record],
    table: pd.DataFrame | None = None,
    known: Mapping[str, MetricInfo] | None = None,
    labels: Sequence[str] | None = None,
    points: pd.DataFrame | None = None,
) -> list[Board]:
    """Return a board for each (profile, task, protocol) of the records, newest protocol first.

    Args:
        records: The records.
        table: Their `frame`, if it exists already.
        known: The facts of known metrics, or None for the built-in metrics.
        labels: Their `row_labels`, if they exist already.
        points: Their `curve_rows`, if they exist already.
    """
    infos = infos_of(records, known)
    labels = row_labels(records) if labels is None else labels
    table = frame(records, known, labels) if table is None else table
    if points is None:
        points = curve_rows(records, known, ordering_metrics(infos), labels)
    by_key: dict[BoardKey, list[tuple[Record, str]]] = {}
    for record, label in zip(records, labels, strict=True):
        by_key.setdefault(board_key_of(record["identity"]), []).append((record, label))
    found = sorted(by_key.items(), key=lambda of: -of[0][2])
    return [_board(key, here, table, points, infos) for key, here in found]


def _board(
    key: BoardKey,
    here: Sequence[tuple[Record, str]],
    table: pd.DataFrame,
    points: pd.DataFrame,
    infos: Mapping[str, MetricInfo],
) -> Board:
    """Return the board of labelled records. table, points: the rows of all boards."""
    profile, task, protocol = key
    rows = _apart(_of_board(table, key))
    by_label = {label: record["identity"]["method"] for record, label in here}
    anchors = [label for label, method in by_label.items() if method in ANCHORS]
    told_more = {
        label
        for record, label in here
        if record["facts"].get("supervision") not in (None, "domain")
    }
    of_label: dict[str, list[Record]] = {}
    for record, label in here:
        of_label.setdefault(label, []).append(record)
    published = _published(here)
    labels = by_label.keys() - set(anchors) - set(published)
    ordering = order_rows(rows, infos, labels - told_more)
    failed = {label: record["reason"] for record, label in here if record["status"] != "ok"}
    others = sorted(labels - ordering.ranks.keys())
    unranked = {
        label: TOLD_MORE
        if label in told_more
        else _why_without(rows, label, ordering.metric, failed.get(label, ""))
        for label in others
        if ordering.metric
    }
    in_order = list(ANCHORS)
    methods = [*ordering.ranks, *others]
    compared = [label for label in methods if label not in told_more]
    machines = machines_of(here)
    differences = _differences(
        rows, {label: of_label[label] for label in compared}, infos, machines
    )
    return Board(
        profile,
        task,
        protocol,
        infos,
        rows,
        ordering,
        methods=methods,
        unranked=unranked,
        anchors=sorted(anchors, key=lambda label: (in_order.index(by_label[label]), label)),
        ceilings={label for label in anchors if by_label[label] in CEILINGS},
        unguided={label for record, label in here if record["facts"].get("guided") is False},
        facts=training_costs(here),
        meanings=_meanings(here),
        notes=_notes(here),
        machines=machines,
        published=sorted(published, key=lambda label: (ordering.badness(label), label)),
        studies=_studies(here, f"{task}-{profile}"),
        differences=differences,
        best=_best(rows, compared, infos, differences),
        places=_places(ordering, of_label, infos),
        curve=curve_of_order(_of_board(points, key), ordering),
        outdated_curves=outdated_curves(of_label, ordering),
        names=_names(here),
    )


def _of_board(table: pd.DataFrame, key: BoardKey) -> pd.DataFrame:
    """Return the rows of one board."""
    profile, task, protocol = key
    of_task = (table["profile"] == profile) & (table["task"] == task)
    return table[of_task & (table["protocol"] == protocol)]


def _differences(
    rows: pd.DataFrame,
    of_label: Mapping[str, Sequence[Record]],
    infos: Mapping[str, MetricInfo],
    machines: Mapping[str, Sequence[str]],
) -> dict[str, list[Difference]]:
    """Return every pair of methods in each column of the main table.

    Times and rates are not compared if there are several kinds of machines.
    """
    found = {}
    for column, extractor, of_column in _main_columns(rows, of_label, infos):
        info = infos[base_id(column)]
        if info.kind == "clocked" and len(machines) > 1:
            continue
        records = {
            label: [one for one in of_label[label] if _has(one, info.id, extractor)]
            for label in of_label
            if label in of_column
        }
        found[column] = every_pair(records, info)
    return found


def _main_columns(
    rows: pd.DataFrame, labels: Collection[str], infos: Mapping[str, MetricInfo]
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield each column of the main table, its extractor if it is one of several, and its values.

    The values are those of the given rows.
    """
    valued = rows[rows["value"].notna() & rows["method"].isin(list(labels))]
    main = set(main_metrics(infos, has_truth(rows, infos)))
    for column, of_column in valued.groupby("metric", sort=False):
        name = base_id(str(column))
        if name in main:
            extractor = "" if column == name else str(of_column["extractor"].iloc[0])
            values = dict(zip(of_column["method"], map(float, of_column["value"]), strict=True))
            yield str(column), extractor, values


def has_truth(rows: pd.DataFrame, infos: Mapping[str, MetricInfo]) -> bool:
    """Return whether a number that needs the true results applies to a row of a board."""
    applying = set(rows.loc[rows["status"] != "not_applicable", "metric"])
    return any(infos[base_id(metric)].needs_truth for metric in applying)


def _names(here: Sequence[tuple[Record, str]]) -> dict[str, set[str]]:
    """Return the names by which each row can be chosen."""
    found: dict[str, set[str]] = {}
    for record, label in here:
        found[label] = {label, record["label"], record["identity"]["method"]}
    return found


def _has(record: Record, metric: str, extractor: str) -> bool:
    """Return whether a record has a metric, of a given extractor unless it is ''."""
    entry = record["metrics"].get(metric)
    return entry is not None and extractor in ("", entry["extractor"])


def _best(
    rows: pd.DataFrame,
    labels: Collection[str],
    infos: Mapping[str, MetricInfo],
    differences: Mapping[str, Sequence[Difference]],
) -> dict[str, set[str]]:
    """Return the best method and all that tie with it, for each column of the main table."""
    return {
        column: best_and_ties(values, infos[base_id(column)].better, differences.get(column, ()))
        for column, _, values in _main_columns(rows, labels, infos)
    }


def _places(
    ordering: Order, of_label: Mapping[str, Sequence[Record]], infos: Mapping[str, MetricInfo]
) -> dict[str, tuple[int, int]]:
    """Return the interval of the place of each ranked method."""
    if not ordering.ranks:
        return {}
    entries = {name: entries_of(of_label[name], ordering.metric) for name in ordering.ranks}
    with np.errstate(over="ignore", invalid="ignore"):
        return rank_intervals(ordering, entries, infos[ordering.metric])


def _published(here: Sequence[tuple[Record, str]]) -> list[str]:
    """Return the labels of published configurations of methods, if others are tuned."""
    if not has_both_configurations([record for record, _ in here]):
        return []
    return sorted(
        {
            label
            for record, label in here
            if is_published(record) and record["identity"]["method"] not in ANCHORS
        }
    )


def _studies(here: Iterable[tuple[Record, str]], own: str) -> dict[str, str]:
    """Return the study of each row that uses the winner of another one, or of another method."""
    studies = {label: record.get("study", "") for record, label in here}
    return {label: study for label, study in sorted(studies.items()) if study not in ("", own)}


def _notes(here: Sequence[tuple[Record, str]]) -> dict[str, str]:
    """Return a remark for the readers of each row, or ''."""
    some_tuned = any(record.get("configuration", "") in TUNED for record, _ in here)
    found = {}
    for record, label in here:
        kind = record.get("configuration", "")
        parts = [str(record["facts"].get("note") or "")]
        if kind == "both":
            study = study_text(record["study"])
            parts.append(f"the published configuration, which won the study {study}")
        if kind == "no study" and some_tuned:
            parts.append("no study: the published configuration")
        found[label] = "; ".join(filter(None, parts))
    return found


TOLD_MORE = "it was trained with more labels than the domain"
"""Why a method with other supervision is not ranked."""


def _why_without(rows: pd.DataFrame, label: str, metric: str, failed: str) -> str:
    """Return why a row has no value of the number that orders the board."""
    entry = rows[(rows["method"] == label) & (rows["metric"] == metric)]
    said = failed or (str(entry["reason"].iloc[0]) if len(entry) else "it was not computed")
    return f"it has no `{metric}`: {said}"


def _apart(rows: pd.DataFrame) -> pd.DataFrame:
    """If a metric has values of several extractors, give each extractor its own column."""
    named = rows["extractor"] != ""
    several = rows[named].groupby("metric")["extractor"].nunique()
    mixed = rows["metric"].isin(several[several > 1].index) & named
    names = rows["metric"].where(~mixed, rows["metric"] + " [" + rows["extractor"] + "]")
    return rows.assign(metric=names)


def _meanings(here: Iterable[tuple[Record, str]]) -> dict[str, str]:
    return {
        metric: entry["meaning"]
        for record, _ in here
        for metric, entry in record["metrics"].items()
        if entry.get("meaning")
    }
