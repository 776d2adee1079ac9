"""The tables of a board for the page: those of the leaderboard, with words on hover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.board.columns import TRAINING_FACTS, base_id, groups_of
from bench.board.evidence import parts_of_scores
from bench.board.output.make_table import table_of
from bench.board.output.table import Cell, Kind
from bench.board.output.table import Row as BoardRow
from bench.board.output.table import Table as BoardTable
from bench.board.pairs import rows_of_pairs
from bench.board.values import number
from bench.contracts.metric import MetricInfo
from bench.html.prose import plain
from bench.html.sources import Source

ARROWS = {"higher": "\u2191", "lower": "\u2193", "near 1": "\u2192 1"}
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "near 1": "closest to 1 is best",
}
BLOCKS: dict[Kind, str] = {
    "method": "Methods",
    "published": "Published configurations, not ranked",
    "ceiling": "Ceilings: they know the truth",
    "floor": "Floors: they learn nothing",
}
"""The blocks of rows, in order."""


@dataclass(frozen=True)
class Column:
    """A column of numbers. tip: its direction, unit and meaning in one line.

    parts: the columns that its cells show as a small picture, for example what is in which code.
    """

    name: str
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
class Shown:
    """A cell on the page. sort: its number, or ''. tip: the interval, or why there is no value."""

    text: str
    interval: str
    tip: str
    sort: str
    is_best: bool
    is_gap: bool
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """A row on the page. hue: the number of its colour, -1 for an anchor."""

    label: str
    kind: Kind
    hue: int
    place: str
    seeds: int
    cells: list[Shown]


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


@dataclass(frozen=True)
class Plain:
    """A table of texts; the first column is the head of each row. note: a sentence about it."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""


def metric_tables(source: Source) -> tuple[Table, list[Table]]:
    """Return the main table of a board, and a table of the further numbers of each group."""
    made = table_of(source.board)
    main = [column.name for column in made.columns if column.is_main]
    others = [column.name for column in made.columns if column.metric and not column.is_main]
    groups = groups_of(source.board.infos, others)
    return (
        _table(source, made, source.board.ordering.metric or "results", main, has_place=True),
        [_table(source, made, group, names) for group, names in groups.items()],
    )


def plain_tables(source: Source) -> list[Plain]:
    """Return the tables that are not of metrics: parts of scores, pairs, cost of training."""
    board = source.board
    found = []
    columns, rows = parts_of_scores(board)
    if rows:
        heads = ["method", *(f"{board.infos[base_id(m)].label}: {part}" for m, part in columns)]
        found.append(Plain("Parts of the scores", heads, rows))
    if pairs := rows_of_pairs(board, plain):
        note = (
            f"`{board.ordering.metric}`, left minus right, with its interval and p after Holm's "
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


def _table(
    source: Source, made: BoardTable, title: str, names: Sequence[str], has_place: bool = False
) -> Table:
    columns = [_column(source, made, name) for name in names]
    blocks = []
    for kind, head in BLOCKS.items():
        rows = [_row(source, row, columns) for row in made.rows if row.kind == kind]
        if rows:
            blocks.append((head, rows))
    return Table(title, columns, blocks, has_place)


def _column(source: Source, made: BoardTable, name: str) -> Column:
    board, found = source.board, made.column(name)
    info = board.infos[found.metric]
    unit = f" in {info.unit}" if info.unit else ""
    meaning = board.meanings.get(info.id) or info.meaning
    tip = f"{name}{unit}, {DIRECTIONS[found.better]}: {meaning}"
    parts: tuple[MetricInfo, ...] = ()
    if found.is_main and not info.code:
        parts = tuple(
            one
            for one in board.infos.values()
            if one.code and one.group == info.group and board.columns([one.id])
        )
    return Column(name, found.label, ARROWS[found.better], found.better, tip, parts)


def _row(source: Source, row: BoardRow, columns: Sequence[Column]) -> Row:
    cells = [_shown(source, row.label, row.cells[column.name], column) for column in columns]
    return Row(row.label, row.kind, source.hues[row.label], row.place, row.n_seeds, cells)


def _shown(source: Source, label: str, cell: Cell, column: Column) -> Shown:
    found = source.board.cell(label, column.name)
    if found is None or found["status"] != "ok":
        why = "it was not run" if found is None else str(found["reason"])
        text = cell.text if cell.applies else "-"
        return Shown(text, "", f"no value: {why}", "", is_best=False, is_gap=True)
    seeds = int(found["n_seeds"])
    tip = f"{cell.text}, {seeds} seed{'s' * (seeds != 1)}"
    if cell.interval:
        over = "95 % interval over test items" if seeds == 1 else "95 % interval"
        tip += f", {over} {cell.interval}"
    if not cell.is_number:
        tip += ": it ignores the guide, so the number is 0 by definition"
    parts = [part for one in column.parts if (part := _part(source, label, one))]
    sort = "" if cell.value is None else repr(cell.value)
    return Shown(cell.text, cell.interval, tip, sort, cell.is_best, is_gap=False, parts=parts)


def _part(source: Source, label: str, info: MetricInfo) -> Part | None:
    found: Any = source.board.cell(label, info.id)
    if found is None or found["status"] != "ok":
        return None
    value = float(found["value"])
    share = round(min(max(value, 0), 1), 3)
    return Part(info.label, number(value, 2), share, info.better == "higher")
