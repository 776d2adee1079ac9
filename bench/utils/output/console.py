"""Prints lines and tables as plain text."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from contextlib import suppress

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.utils.output.escape import one_line, printable

LONGEST_LINE = 80
"""The longest text, in characters, that the first column of a table shows in one line."""


def say(console: Console, line: str) -> None:
    """Print a line; characters that would control the terminal are shown as escapes."""
    console.print(Text(one_line(line)), soft_wrap=True)


def print_table(
    console: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str = "",
    bold: Container[tuple[int, int]] = (),
) -> None:
    """Print a table of plain text, with an optional title.

    The first column keeps its lines whole, unless one is longer than `LONGEST_LINE`.

    bold: The cells in bold, each as its row and column, from 0.
    """
    heading = Text(one_line(title), style="table.title") if title else None
    table = Table(title=heading, show_edge=False, title_justify="left")
    is_short = all(len(row[0]) <= LONGEST_LINE for row in rows)
    for at, head in enumerate(heads):
        table.add_column(Text(printable(head)), overflow="fold", no_wrap=at == 0 and is_short)
    for at, row in enumerate(rows):
        styles = ("bold" if (at, column) in bold else "" for column in range(len(row)))
        table.add_row(*map(Text, map(one_line, row), styles))
    console.print(table)


class _Console(Console):
    """A console that continues when its reader is gone, so that a run can finish."""

    def on_broken_pipe(self) -> None:
        """Discard all further output."""
        with suppress(SystemExit):  # rich exits with 1, which here means a regression
            super().on_broken_pipe()


def console() -> Console:
    """Return a console without markup: `[red]` and `:key:` are printed as they are.

    If the output is not a terminal, a line may have 160 characters.
    """
    found = _Console(markup=False, emoji=False, highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = 160
    return found
