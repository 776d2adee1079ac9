"""The leaderboard as a notebook shows it: a styled frame of pandas."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.board.output.table import Row, Table
from bench.board.values import number
from bench.utils.output.escape import one_line

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

BAR = "#cfe3f3"
DIM = "color: #888888"
BOLD = "font-weight: bold"


def styled(found: pd.DataFrame, tables: Sequence[Table]) -> Styler:
    """Return a view of a frame of `bench.leaderboard` for notebooks.

    Numbers are short, the best and all that tie with it are bold, floors and ceilings are gray, and
    bars show the number that orders the board. Rows that the frame has no more, or that are not of
    the tables, keep the plain format. Text from records is escaped.
    """
    found = found.reset_index(drop=True)  # a view needs unique names of rows
    view = found.style.hide(axis="index")
    hidden: list[Hashable] = [name for name in ("rank_lo", "rank_hi") if name in found]
    view.hide(hidden, axis="columns").format(_plain, escape="html")
    view.format_index(escape="html", axis="columns")
    columns = {one.name: one for table in tables for one in table.columns if one.name in found}
    for name, column in columns.items():
        view.format(_numbers(column.digits), subset=[name])
    styles = pd.DataFrame("", index=found.index, columns=found.columns)
    for at, row in _rows(found, tables):
        if row.kind in ("ceiling", "floor"):
            styles.loc[at] = DIM
        if row.place and "rank" in found:
            view.format(_constant(row.place), subset=pd.IndexSlice[[at], ["rank"]])
        for name, cell in row.cells.items():
            if name in columns and not cell.is_number:
                view.format(_constant(cell.text), subset=pd.IndexSlice[[at], [name]])
            if name in columns and cell.is_best:
                styles.loc[at, name] = BOLD
    view.apply(lambda _: styles, axis=None)
    for name in {table.ordering for table in tables} & {*columns}:
        if ends := columns[name].ends:
            view.bar(subset=[name], vmin=ends[0], vmax=ends[1], color=BAR)
    return view


def _rows(found: pd.DataFrame, tables: Sequence[Table]) -> list[tuple[Any, Row]]:
    """Return the index and the row of the tables for each row of a frame."""
    key = ["task", "profile", "protocol", "method"]
    if not {*key} <= {*found.columns}:
        return []
    rows = {(t.task, t.profile, t.protocol, row.label): row for t in tables for row in t.rows}
    keys = found[key].itertuples(index=False, name=None)
    return [(at, rows[of]) for at, of in zip(found.index, keys, strict=True) if of in rows]


def _plain(value: Any) -> str:
    return "" if value is pd.NA else one_line(str(value))


def _numbers(digits: int | None) -> Callable[[Any], str]:
    return lambda value: number(value, digits)


def _constant(text: str) -> Callable[[Any], str]:
    escaped = html.escape(one_line(text))
    return lambda _: escaped
