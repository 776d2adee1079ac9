"""The table of a board as plain data: short texts for terminals and LaTeX. It needs no pandas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bench.board.columns import badness

Kind = Literal["method", "published", "ceiling", "floor"]
ORDER_OF_KINDS: Mapping[Kind, int] = {"method": 0, "published": 1, "ceiling": 2, "floor": 2}
"""The part of the table in which rows of a kind stand."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    name: Its name on the board; it names the extractor if there are several. metric: The id of its
    metric; '' for the part of a score. digits: How many stand after the point; None for a unit
    prefix, as in 1.5M. ends: The bounds of the metric if both are finite, else None: a bar can show
    the value.
    """

    name: str
    metric: str
    label: str
    better: str
    digits: int | None
    group: str
    is_main: bool
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    text: The value, or a word such as "failed" in its place. value: None if there is none.
    interval: The 95 % interval in brackets, or ''. is_best: Whether the row is the best one or ties
    with it.
    """

    text: str
    value: float | None = None
    interval: str = ""
    is_best: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the text is the value, and not a word in its place, as for an unguided method."""
        return self.value is not None and not self.text[-1:].isalpha()

    @property
    def applies(self) -> bool:
        """Whether the metric applies to the row, be it that the value is missing."""
        return self.text not in ("n/a", "-")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    kind: "published" stands for a published configuration beside tuned ones; a "ceiling" or a
    "floor" is untrained. names: What the row can be chosen by. place: As in "2" or "1-2", "-" for
    none; '' for a row that is never ranked. rank: The place as a number, None for none. n_seeds:
    The largest number of seeds that one of its numbers has. cells: By the name of the column.
    """

    label: str
    kind: Kind
    names: Sequence[str]
    place: str
    rank: int | None
    n_seeds: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Table:
    """The table of one board: all columns, the main ones first, and all rows in their order.

    ordering: The name of the column that orders the rows, or ''. n_seeds: the numbers of seeds of
    the methods, the least and the greatest. is_sorted_by: The column that was chosen to sort the
    rows, or '' if they are in the order of the board.
    """

    profile: str
    task: str
    protocol: int
    ordering: str
    n_seeds: tuple[int, int]
    columns: Sequence[Column]
    rows: Sequence[Row]
    is_sorted_by: str = ""

    @property
    def title(self) -> str:
        """What the table is about, with its number of seeds."""
        least, most = self.n_seeds
        seeds = f"{most} seed{'s' * (most != 1)}" if least == most else f"{least} to {most} seeds"
        return f"{self.task}, profile {self.profile}, protocol {self.protocol}, {seeds}"

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def of_columns(self, names: Sequence[str]) -> Table:
        """Return the table with some columns, in the given order."""
        return replace(self, columns=[self.column(name) for name in names])

    def sorted_by(self, name: str) -> Table:
        """Return the table with the rows of each kind sorted by a column, the best first.

        Rows without a value come last.
        """
        better = self.column(name).better

        def key(row: Row) -> tuple[int, float]:
            value = row.cells[name].value
            bad = math.inf if value is None else badness(value, better)
            return ORDER_OF_KINDS[row.kind], bad

        return replace(self, rows=sorted(self.rows, key=key), is_sorted_by=name)


def as_json(table: Table) -> dict[str, Any]:
    """Return a table as values that JSON can hold."""
    return asdict(table)


def from_json(found: Mapping[str, Any]) -> Table:
    """Return the table of `as_json`."""

    def row(one: Mapping[str, Any]) -> Row:
        return Row(**{**one, "cells": {name: Cell(**cell) for name, cell in one["cells"].items()}})

    def column(one: Mapping[str, Any]) -> Column:
        return Column(**{**one, "ends": tuple(one["ends"]) if one["ends"] else None})

    least, most = found["n_seeds"]
    changed = {
        "n_seeds": (least, most),
        "columns": [column(one) for one in found["columns"]],
        "rows": [row(one) for one in found["rows"]],
    }
    return Table(**{**found, **changed})
