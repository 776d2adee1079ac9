"""Writes the table of a board as LaTeX, for papers. It needs the package booktabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.board.output.table import ORDER_OF_KINDS, Column, Row, Table
from bench.utils.output.escape import latex_text

if TYPE_CHECKING:
    from bench.board.board import Board

ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "near 1": r"$\to 1$"}
"""How the direction of a metric is written."""
KINDS = {"published": "published", "ceiling": "ceiling", "floor": "floor"}


def latex_table(board: Board) -> str:
    r"""Return the main table of a board as a LaTeX table; it needs ``\usepackage{booktabs}``.

    The best value of a column and all that tie with it are bold. Rules separate the methods from
    published configurations, ceilings and floors.
    """
    from bench.board.output.make_table import table_of

    table = table_of(board)
    return latex_of(table.of_columns([one.name for one in table.columns if one.is_main]))


def latex_of(table: Table) -> str:
    """Return all columns and rows of a table as a LaTeX table (see `latex_table`)."""
    columns = table.columns
    heads = ["method", "rank", *(_head(column) for column in columns)]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_caption(table)}}}",
        rf"  \label{{tab:{_key(table)}}}",
        rf"  \begin{{tabular}}{{ll{'r' * len(columns)}}}",
        r"    \toprule",
        f"    {' & '.join(heads)} \\\\",
        r"    \midrule",
    ]
    before = None
    for row in table.rows:
        if before is not None and ORDER_OF_KINDS[row.kind] != ORDER_OF_KINDS[before]:
            lines.append(r"    \midrule")
        before = row.kind
        cells = [latex_text(row.label), row.place or KINDS[row.kind]]
        cells += [_cell(row, column) for column in columns]
        lines.append(f"    {' & '.join(cells)} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _head(column: Column) -> str:
    return f"{latex_text(column.label)} {ARROWS.get(column.better, '')}".rstrip()


def _cell(row: Row, column: Column) -> str:
    cell = row.cells[column.name]
    text = latex_text(cell.text)
    if cell.value is not None:
        text = re.sub("^-", r"$-$", text)
    return rf"\textbf{{{text}}}" if cell.is_best else text


def _caption(table: Table) -> str:
    said = f"{latex_text(table.title)}."
    if any(cell.is_best for row in table.rows for cell in row.cells.values()):
        return f"{said} Bold: the best method and all that tie with it."
    return said


def _key(table: Table) -> str:
    """Return the name of the table for references: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{table.task}-{table.profile}").strip("-")
