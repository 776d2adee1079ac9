"""What the terminal shows of one board: a headline, its table and its notes, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.board.output.table import Table, as_json, from_json
from bench.utils.output.console import say

if TYPE_CHECKING:
    from bench.board.board import Board
    from bench.board.output.view import View

MOST_NOTES = 4
"""The largest number of notes below a table, unless all are asked for."""


@dataclass(frozen=True)
class Page:
    """What the terminal can show of one board.

    notes: Sentences on the rows; the most important come first. more: Sentences on the scores, the
    order and the judge. pairs: Left, right, difference, p and verdict of each pair of methods, in
    the number that orders.
    """

    headline: str
    table: Table
    notes: Sequence[str]
    more: Sequence[str]
    pairs: Sequence[Sequence[str]]

    @property
    def key(self) -> tuple[str, str, int]:
        """The profile, the task and the protocol."""
        return self.table.profile, self.table.task, self.table.protocol

    def as_json(self) -> dict[str, Any]:
        """Return the page as values that JSON can hold."""
        return {**vars(self), "table": as_json(self.table)}

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> Page:
        """Return the page of `as_json`."""
        return Page(**{**found, "table": from_json(found["table"])})


def page_of(board: Board) -> Page:
    """Return the page of a board."""
    from bench.board.evidence import sentences
    from bench.board.headline import headline
    from bench.board.output.make_table import table_of
    from bench.board.output.notes import notes_of_rows, unranked
    from bench.board.pairs import rows_of_pairs

    return Page(
        headline(board, _quoted),
        table_of(board),
        unranked(board, _quoted, str) + notes_of_rows(board, _quoted, str),
        sentences(board, _quoted, str),
        rows_of_pairs(board, str),
    )


def print_pages(console: Console, pages: Sequence[Page], view: View) -> None:
    """Print the chosen tables, each with its headline and its notes.

    Raises:
        UserError: The view names something that no board has.
    """
    for table in view.of([page.table for page in pages]):
        (page,) = (one for one in pages if one.key == (table.profile, table.task, table.protocol))
        _print(console, replace(page, table=table), view.wide)


def _print(console: Console, page: Page, is_wide: bool) -> None:
    from bench.board.output.terminal import legend, print_notes, print_table_of

    table = page.table
    say(console, page.headline)
    main = [column.name for column in table.columns if column.is_main or not is_wide]
    print_table_of(console, table.of_columns(main))
    if said := legend(console, table):
        say(console, said)
    print_notes(console, page.notes, None if is_wide else MOST_NOTES)
    if is_wide:
        _print_more(console, page, {*main})
    console.print()


def _print_more(console: Console, page: Page, there: set[str]) -> None:
    """Print the further metrics by group, the pairs, and what they say."""
    from bench.board.output.terminal import print_table_of

    table = page.table
    further = [column for column in table.columns if column.name not in there]
    for group in dict.fromkeys(column.group for column in further):
        names = [column.name for column in further if column.group == group]
        rows = [row for row in table.rows if any(row.cells[name].applies for name in names)]
        if rows:
            console.print()
            print_table_of(console, replace(table.of_columns(names), rows=rows), group)
    console.print()
    labels = {row.label for row in table.rows}
    if pairs := [row for row in page.pairs if {row[0], row[1]} <= labels]:
        say(console, f"Pairs by `{table.ordering}`, with intervals and p after Holm's correction:")
        for left, right, difference, p, verdict in pairs:
            chance = "" if p == "-" else f", p {p if p.startswith('<') else f'= {p}'}"
            say(console, f"  {left} - {right}: {difference}{chance}: {verdict}")
    for line in page.more:
        say(console, line)


def _quoted(name: str) -> str:
    return f"`{name}`"
