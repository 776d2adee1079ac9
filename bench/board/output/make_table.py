"""Makes the table of a board with short texts (see `bench.board.output.table`)."""

from __future__ import annotations

import math

from bench.board.board import Board
from bench.board.columns import base_id
from bench.board.evidence import parts_of_scores
from bench.board.output.table import Cell, Column, Kind, Row, Table
from bench.board.pairs import place
from bench.board.values import UNGUIDED, marked_unguided, number, text
from bench.contracts.metric import MetricInfo

PARTS = "Parts of the scores"
"""The group of the columns of parts."""
MOST_DIGITS = 3
"""The largest number of digits after the point; other outputs have as many as the metric says."""


def table_of(board: Board) -> Table:
    """Return the table of a board, with every column that applies to one of its rows."""
    main = board.main_columns
    names = list(dict.fromkeys([*main, *board.columns(list(board.infos))]))
    part_columns, parts = _parts(board)
    kinds: dict[str, Kind] = dict.fromkeys(board.methods, "method")
    kinds |= dict.fromkeys(board.published, "published")
    kinds |= {name: "ceiling" if name in board.ceilings else "floor" for name in board.anchors}
    rows = [
        Row(
            label,
            kind,
            sorted(board.names.get(label, {label})),
            place(board, label) if kind == "method" else "",
            board.ordering.ranks.get(label),
            seeds_of(board, label),
            {name: _cell(board, label, name) for name in names} | parts[label],
        )
        for label, kind in kinds.items()
    ]
    seeds = [row.n_seeds for row in rows if row.kind == "method" or not board.methods]
    return Table(
        board.profile,
        board.task,
        board.protocol,
        board.ordering.metric,
        (min(seeds, default=0), max(seeds, default=0)),
        [*(_column(board, name, name in main) for name in names), *part_columns],
        rows,
    )


def seeds_of(board: Board, method: str) -> int:
    """Return the number of seeds of a row: the largest that one of its numbers has."""
    return int(max([0, *board.rows.loc[board.rows["method"] == method, "n_seeds"]]))


def _column(board: Board, name: str, is_main: bool) -> Column:
    info = board.infos[base_id(name)]
    extractor = name.removeprefix(info.id)
    return Column(
        name,
        info.id,
        f"{info.label}{extractor}",
        board.better(name) or info.better,
        _digits(info),
        info.group,
        is_main,
        _ends(info),
    )


def _parts(board: Board) -> tuple[list[Column], dict[str, dict[str, Cell]]]:
    """Return a column for each part of a score, and its cells by row and name."""
    parts, rows = parts_of_scores(board)
    texts = {label: cells for label, *cells in rows}
    names = [f"{metric}: {part}" for metric, part in parts]
    columns = [
        Column(name, "", f"{board.infos[metric].label} {part}", "higher", 2, PARTS, False)
        for name, (metric, part) in zip(names, parts, strict=True)
    ]
    cells = {
        label: dict(zip(names, map(Cell, texts.get(label, ["-"] * len(names))), strict=True))
        for label in board.order
    }
    return columns, cells


def _ends(info: MetricInfo) -> tuple[float, float] | None:
    least, most = info.bounds
    return None if least is None or most is None else (least, most)


def _digits(info: MetricInfo) -> int | None:
    return None if info.kind == "counted" else min(info.digits, MOST_DIGITS)


def _cell(board: Board, method: str, column: str) -> Cell:
    entry = board.cell(method, column)
    if entry is None or entry["status"] != "ok":
        return Cell(text(board, method, column))
    info = board.infos[base_id(column)]
    digits = _digits(info)
    value = float(entry["value"])
    shown = number(value, digits)
    if marked_unguided(board, method, column, value, shown) == UNGUIDED:
        shown = UNGUIDED
    lo, hi = (float(entry[end]) for end in ("lo", "hi"))
    interval = f"[{number(lo, digits)}, {number(hi, digits)}]" if math.isfinite(lo) else ""
    is_best = method in board.best.get(column, ())
    return Cell(shown, value if math.isfinite(value) else None, interval, is_best)
