"""Prints the table of a board so that it fits into the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from bench.board.output.table import ORDER_OF_KINDS, Cell, Column, Row, Table
from bench.board.row_labels import PUBLISHED_SUFFIX
from bench.utils.output.console import say
from bench.utils.output.escape import one_line

ARROWS = {"higher": "\u2191", "lower": "\u2193", "near 1": "\u21921"}
ASCII_ARROWS = {"higher": "^", "lower": "v", "near 1": ">1"}
RULES = box.HORIZONTALS
ASCII_RULES = box.Box(" -- \n    \n -- \n    \n -- \n -- \n    \n -- \n", ascii=True)
NARROWEST_LABEL = 14
"""The width of the first column, in characters, that long labels keep at least."""
NARROWEST_BAR, WIDEST_BAR = 3, 16
RANKS = {"published": "publ.", "ceiling": "ceil.", "floor": "floor"}
"""What stands in place of the rank of rows that are never ranked."""


def print_table_of(console: Console, table: Table, title: str = "") -> None:
    """Print a table, in several parts below each other if its columns do not fit.

    The best value and its ties are bold, or have a star where the console has no styles. Floors
    and ceilings are dimmed. In the column that orders the board, a bar shows the value if it has
    two bounds and there is room, and the interval is shown if there is more room.
    """
    layout = _Layout(console, table)
    for at, columns in enumerate(layout.parts()):
        layout.show(columns, title or table.title if at == 0 else "")


def legend(console: Console, table: Table) -> str:
    """Return the line that explains bold, ranks and the order of a printed table."""
    best = any(cell.is_best for row in table.rows for cell in row.cells.values())
    mark = "*" if console.color_system is None else "Bold"
    said = []
    if best:
        said.append(f"{mark}: the best and all that tie with it.")
    elif table.n_seeds[1] == 1:
        said.append("1 seed: nothing is tested, so nothing is bold.")
    if any("-" in row.place.strip("-") for row in table.rows):
        said.append("A rank such as 1-2 is a 95 % interval.")
    if table.is_sorted_by:
        said.append(
            f"Sorted by {table.is_sorted_by}; the rank is that by {table.ordering or 'no number'}."
        )
    return " ".join(said)


class _Layout:
    """Places the columns of a table into a console."""

    def __init__(self, console: Console, table: Table) -> None:
        self._console, self._table = console, table
        self._is_plain = console.options.ascii_only
        self._arrows = ASCII_ARROWS if self._is_plain else ARROWS
        self._has_star = console.color_system is None
        self._labels = [self._label(row) for row in table.rows]
        self._widths = {column.name: self._width(column) for column in table.columns}
        has_ranks = any(row.place for row in table.rows)
        self._ranks = [row.place or RANKS.get(row.kind, "") for row in table.rows]
        self._rank_width = max(4, *map(len, self._ranks)) if has_ranks else 0
        longest = max(map(cell_len, self._labels))
        room = console.width - self._taken(table.columns)
        if room < min(longest, NARROWEST_LABEL):  # in several parts, so they need not be so narrow
            room = 2 * NARROWEST_LABEL
        self._label_width = min(longest, room)

    def parts(self) -> Iterator[list[Column]]:
        """Yield the columns in groups that fit side by side."""
        part: list[Column] = []
        for column in self._table.columns:
            width = self._label_width + self._taken([*part, column])
            if part and width > self._console.width:
                yield part
                part = []
            part.append(column)
        yield part

    def show(self, columns: Sequence[Column], title: str) -> None:
        """Print some columns of all rows, below a title that may be wider than they are."""
        if title:
            self._console.print(Text(one_line(title), style="table.title"))
        grid = Grid(
            box=ASCII_RULES if self._is_plain else RULES,
            show_edge=False,
            padding=0,
        )
        grid.add_column("method", overflow="fold", width=self._label_width, vertical="bottom")
        if self._rank_width:
            grid.add_column("rank", width=self._rank_width, vertical="bottom")
        spare = self._console.width - self._label_width - self._taken(columns)
        for column in columns:
            bar, interval = self._extras(column, spare)
            extra = (bar + 1 if bar else 0) + (interval + 1 if interval else 0)
            grid.add_column(
                Text("\n".join(self._head(column))),
                justify="left" if extra else "right",
                min_width=self._widths[column.name],
                no_wrap=True,
                vertical="bottom",
            )
        before = None
        for row, label, rank in zip(self._table.rows, self._labels, self._ranks, strict=True):
            if before is not None and ORDER_OF_KINDS[row.kind] != ORDER_OF_KINDS[before]:
                grid.add_section()
            before = row.kind
            grid.add_row(
                Text("\n".join(_lines(label, self._label_width))),
                *([rank] if self._rank_width else []),
                *(self._cell(row, column, *self._extras(column, spare)) for column in columns),
                style="dim" if row.kind in ("floor", "ceiling") else None,
            )
        self._console.print(grid)

    def _taken(self, columns: Sequence[Column]) -> int:
        """Return the width of the rank and of some columns, each with its gap."""
        of_rank = self._rank_width + 1 if self._rank_width else 0
        return of_rank + sum(self._widths[column.name] + 1 for column in columns)

    def _label(self, row: Row) -> str:
        text = one_line(row.label)
        return text.removesuffix(PUBLISHED_SUFFIX) if row.kind == "published" else text

    def _head(self, column: Column) -> list[str]:
        words = one_line(column.label).split(" ")
        return [*words[:-1], words[-1] + self._arrows.get(column.better, "")]

    def _width(self, column: Column) -> int:
        cells = (self._text(row.cells[column.name]) for row in self._table.rows)
        return max(map(cell_len, [*self._head(column), *cells]))

    def _text(self, cell: Cell) -> str:
        """Return the text of a cell; with a star if it is the best and there is no bold."""
        return cell.text + ("*" if cell.is_best and self._has_star else "")

    def _extras(self, column: Column, spare: int) -> tuple[int, int]:
        """Return the widths of the bar and of the interval of a column; 0 for none."""
        if column.name != self._table.ordering:
            return 0, 0
        room = spare + self._widths[column.name] - self._of_values(column)
        interval = max(len(row.cells[column.name].interval) for row in self._table.rows)
        bar = min(WIDEST_BAR, room - 1)
        if column.ends is None or self._is_plain or bar < NARROWEST_BAR:
            bar = 0
        has_room = bool(interval) and room - (bar + 1) >= interval + 1
        return bar, interval if has_room else 0

    def _of_values(self, column: Column) -> int:
        """Return the width of the values of a column, without its head."""
        return max(cell_len(self._text(row.cells[column.name])) for row in self._table.rows)

    def _cell(self, row: Row, column: Column, bar: int, interval: int) -> Text:
        cell = row.cells[column.name]
        text = Text(self._text(cell), style="bold" if cell.is_best else "")
        if bar or interval:
            text.pad_right(self._of_values(column) - cell_len(text.plain))
        if interval:
            text.append(f" {cell.interval:{interval}}", style="not bold")
        if bar and column.ends:
            text.append(f" {self._bar(cell, column.ends, bar)}", style="not bold")
        return text

    def _bar(self, cell: Cell, ends: tuple[float, float], width: int) -> str:
        least, most = ends
        share = 0.0 if cell.value is None else (cell.value - least) / (most - least)
        drawn = self._console.render(Bar(1.0, 0.0, min(max(share, 0.0), 1.0), width=width))
        return "".join(segment.text for segment in drawn).rstrip("\n")


def _lines(label: str, width: int) -> list[str]:
    """Return a label in lines of at most a width, broken before brackets and signs if possible."""
    lines = [""]
    for part in re.findall(r"[\[{(,_=+\s-]?[^\[{(,_=+\s-]*", label):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return [line.strip() for line in lines]


def print_notes(console: Console, notes: Sequence[str], most: int | None) -> None:
    """Print notes, at most a given number of them; a last line counts the others."""
    shown = notes if most is None else notes[:most]
    for note in shown:
        say(console, note)
    if len(shown) < len(notes):
        more = len(notes) - len(shown)
        say(console, f"and {more} more note{'s' * (more != 1)}: --wide")
