"""Prints lines and tables as plain text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.utils.output.escape import one_line, printable

if TYPE_CHECKING:
    pass


def say(console: Console, line: str) -> None:
    """Print a line as it is; what would steer the terminal is shown instead."""
    console.print(Text(one_line(line)), soft_wrap=True)


def print_table(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], title: str = ""
) -> None:
    """Print a table of plain text."""
    heading = Text(one_line(title), style="table.title") if title else None
    table = Table(title=heading, show_edge=False, title_justify="left")
    for at, head in enumerate(heads):
        table.add_column(Text(printable(head)), overflow="fold", no_wrap=at == 0)
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console.print(table)


class _Console(Console):
    """A console that goes on when nobody reads it any more: what was started is worth finishing."""

    def on_broken_pipe(self) -> None:
        """Let further output go nowhere."""
        with suppress(SystemExit):  # with 1, which means a regression
            super().on_broken_pipe()


def console() -> Console:
    """Return the console, which shows text as it is: neither `[red]` nor `:key:` means anything.

    Where the output is no terminal, lines may be long.
    """
    found = _Console(markup=False, emoji=False, highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = 160
    return found
