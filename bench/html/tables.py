"""The tables of a board as values for the template: the main one, and one for each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.board.columns import (
    TRAINING_FACTS,
    base_id,
    further_groups,
    main_metrics,
    of_group,
)
from bench.board.evidence import parts_of_scores
from bench.board.pairs import place, rows_of_pairs
from bench.board.values import bracketed, number, text
from bench.contracts.metric import MetricInfo
from bench.html.prose import plain
from bench.html.sources import Source

ARROWS = {"higher": "\u2191", "lower": "\u2193", "near 1": "\u2192 1"}
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "near 1": "closest to 1 is best",
}
MOST_COLUMNS = 9
"""The most columns of numbers in the main table. The others are in the tables of their groups."""
_MOST_OF_GROUP = {"What is in which code": 1, "Reconstruction": 1, "Image quality": 0, "Cost": 1}
"""The most columns of a group in the main table, if there are too many."""


@dataclass(frozen=True)
class Column:
    """A column of numbers. tip: its direction, unit and meaning in one line.

    parts: the columns that its cells show as a small picture, for example what is in which code.
    """

    id: str
    label: str
    arrow: str
    better: str
    tip: str
    parts: tuple[MetricInfo, ...] = ()


@dataclass(frozen=True)
class Part:
    """One field of the small picture in a cell. share: how full it is, 0 to 1.

    is_wanted: whether the content should be there.
    """

    label: str
    value: str
    share: float
    is_wanted: bool


@dataclass(frozen=True)
class Cell:
    """A cell. sort: its place in this column, lower for a better one; '' without a value.

    tip: the interval, or why there is no value. is_best: whether it is the best or ties with it.
    """

    text: str
    interval: str
    tip: str
    sort: str
    is_best: bool = False
    is_gap: bool = False
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """A row. kind: "method", "published", "ceiling" or "floor"."""

    label: str
    kind: str
    hue: int
    place: str
    seeds: int
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """A table of rows in blocks, such as methods, and floors and ceilings."""

    title: str
    columns: list[Column]
    blocks: list[tuple[str, list[Row]]]
    has_place: bool = False

    @property
    def parts_legend(self) -> str:
        """What the fields of the small pictures mean; '' if there are none."""
        parts = next((column.parts for column in self.columns if column.parts), ())
        each = [
            f"{part.label} ({'should be full' if part.better == 'higher' else 'should be empty'})"
            for part in parts
        ]
        return f"Fields, row by row: {', '.join(each)}." if each else ""


def main_table(source: Source) -> Table:
    """Return the main table of a board."""
    board = source.board
    ids = _main_columns(source)
    columns = [_column(source, name) for name in ids]
    return _table(source, board.ordering.metric or "results", columns, has_place=True)


def group_tables(source: Source) -> list[Table]:
    """Return a table for each group of metrics, with the columns that the main table lacks."""
    board = source.board
    shown = set(_main_columns(source))
    infos, found = board.infos, []
    groups = {**further_groups(infos), "Cost": of_group(infos, "Cost")}
    extra = [name for name in board.columns(main_metrics(infos)) if name not in shown]
    for group, ids in groups.items():
        of_main = [name for name in extra if infos[base_id(name)].group == group]
        own = [*of_main, *(name for name in board.columns(ids) if name not in shown | {*of_main})]
        if own:
            found.append(_table(source, group, [_column(source, name) for name in own]))
    return found


@dataclass(frozen=True)
class Plain:
    """A table of texts; the first column is the head of each row. note: a sentence about it."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""


def further_tables(source: Source) -> list[Plain]:
    """Return the tables that are not of metrics: pairs, parts of scores, cost of training."""
    board = source.board
    found = []
    columns, rows = parts_of_scores(board)
    if rows:
        heads = ["method", *(f"{board.infos[base_id(m)].label}: {part}" for m, part in columns)]
        found.append(Plain("Parts of the scores", heads, rows))
    if pairs := rows_of_pairs(board, plain):
        note = (
            f"{board.ordering.metric}, left minus right, with its interval and p after Holm's "
            "correction for all pairs."
        )
        heads = ["left", "right", "difference", "p", "verdict"]
        found.append(Plain("Compared in pairs", heads, pairs, note))
    costs = [
        [
            label,
            *(
                number(facts.get(fact, math.nan), digits)
                for fact, (_, digits) in TRAINING_FACTS.items()
            ),
        ]
        for label in board.order
        if (facts := board.facts.get(label))
    ]
    if costs:
        heads = ["method", *(head for head, _ in TRAINING_FACTS.values())]
        found.append(Plain("Cost of training", heads, costs, _machines(source)))
    return found


def _machines(source: Source) -> str:
    names = list(source.board.machines)
    if len(names) == 1:
        return f"Measured on {names[0]}."
    return (
        "Several kinds of machines: times, rates and memory compare within one kind only. "
        + " ".join(f"{name}: {', '.join(of)}." for name, of in source.board.machines.items())
    )


def _main_columns(source: Source) -> list[str]:
    """Return the columns of the main table, those of one group together, at most `MOST_COLUMNS`."""
    board = source.board
    names = board.columns(main_metrics(board.infos))
    names = [name for name in names if not board.infos[base_id(name)].code]
    if len(names) <= MOST_COLUMNS:
        return names
    count: dict[str, int] = {}
    kept = []
    for name in names:
        group = board.infos[base_id(name)].group
        count[group] = count.get(group, 0) + 1
        if count[group] <= _MOST_OF_GROUP.get(group, 3):
            kept.append(name)
    return kept[:MOST_COLUMNS]


def _column(source: Source, name: str) -> Column:
    info = source.board.infos[base_id(name)]
    extractor = name.removeprefix(base_id(name))
    unit = f" in {info.unit}" if info.unit else ""
    meaning = source.board.meanings.get(info.id) or info.meaning
    better = source.board.better(name) or info.better
    tip = f"{info.id}{extractor}{unit}, {DIRECTIONS[better]}: {meaning}"
    parts = tuple(
        other
        for other in source.board.infos.values()
        if other.code and other.group == info.group and other.main and not info.code
    )
    has_parts = parts and info.main and source.board.columns([part.id for part in parts])
    return Column(
        name, f"{info.label}{extractor}", ARROWS[better], better, tip, parts if has_parts else ()
    )


def _table(
    source: Source, title: str, columns: Sequence[Column], has_place: bool = False
) -> Table:
    board = source.board
    blocks = (
        ("Methods", board.methods, "method"),
        ("Published configurations, not ranked", board.published, "published"),
        ("Ceilings: they know the truth", source.ceilings, "ceiling"),
        ("Floors: they learn nothing", source.floors, "floor"),
    )
    rows = [
        (title, [_row(source, label, kind, columns) for label in labels])
        for title, labels, kind in blocks
        if labels
    ]
    return Table(title, list(columns), rows, has_place)


def _row(source: Source, label: str, kind: str, columns: Sequence[Column]) -> Row:
    board = source.board
    seeds = max((int(n) for n in board.rows[board.rows["method"] == label]["n_seeds"]), default=0)
    where = place(board, label) if kind == "method" else ""
    cells = [_cell(source, label, column) for column in columns]
    return Row(label, kind, source.hues[label], where, seeds, cells)


def _cell(source: Source, label: str, column: Column) -> Cell:
    board = source.board
    found = board.cell(label, column.id)
    shown = text(board, label, column.id, interval=False)
    if found is None or found["status"] != "ok":
        why = "it was not run" if found is None else str(found["reason"])
        return Cell("-" if shown == "n/a" else shown, "", f"no value: {why}", "", is_gap=True)
    info = board.infos[base_id(column.id)]
    digits = None if info.kind == "counted" else info.digits
    inside = bracketed(found["lo"], found["hi"], digits, 0).strip()
    seeds = int(found["n_seeds"])
    of = f"{seeds} seed{'s' * (seeds != 1)}"
    tip = f"{number(found['value'], digits)}, {of}"
    if inside:
        over = "95 % interval over test items" if seeds == 1 else "95 % interval"
        tip += f", {over} {inside}"
    if shown.startswith("unguided"):
        tip += ": it ignores the guide, so this is 0 by definition"
    return Cell(
        shown,
        inside,
        tip,
        repr(float(found["value"])),
        is_best=label in board.best.get(column.id, ()),
        parts=[part for one in column.parts if (part := _part(source, label, one))],
    )


def _part(source: Source, label: str, info: MetricInfo) -> Part | None:
    found: Any = source.board.cell(label, info.id)
    if found is None or found["status"] != "ok":
        return None
    value = float(found["value"])
    share = round(min(max(value, 0), 1), 3)
    return Part(info.label, number(value, 2), share, info.better == "higher")
