"""The text of compared pairs: rows of a table for one number, and a CSV of all main metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from bench.board.board import Board
from bench.board.columns import base_id
from bench.board.comparison import Difference
from bench.board.frame import PYTHON_STRINGS
from bench.board.headline import Named
from bench.board.values import bracketed, number
from bench.utils.output.escape import csv_text

TEXTS = ("profile", "task", "metric", "left", "right", "scale", "verdict")
COLUMNS = (
    "profile",
    "task",
    "protocol",
    "metric",
    "left",
    "right",
    "scale",
    "difference",
    "lo",
    "hi",
    "p",
    "n_seeds",
    "tolerance",
    "verdict",
)
"""The columns of `comparisons`. Interval and p are adjusted for all pairs of a metric."""


def comparisons(made: Sequence[Board]) -> pd.DataFrame:
    """Return one row for each pair of methods of a board and each main metric.

    ``difference`` is left - right on the ``scale`` of the row. ``verdict`` is "left" or "right" for
    the better one, "tie", or "not tested", as with one common seed.
    """
    rows = [
        (
            board.profile,
            board.task,
            board.protocol,
            column,
            one.left,
            one.right,
            one.scale,
            one.value,
            one.lo,
            one.hi,
            one.chance,
            one.n_seeds,
            one.tolerance,
            _verdict(one, "left", "right"),
        )
        for board in made
        for column, differences in board.differences.items()
        for one in differences
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pd.option_context(*PYTHON_STRINGS)
def csv_of_comparisons(made: Sequence[Board]) -> str:
    """Return `comparisons` as CSV. A spreadsheet will not run any text of it as a formula."""
    table = comparisons(made)
    shown = {name: [csv_text(str(cell)) for cell in table[name]] for name in TEXTS}
    return str(table.assign(**shown).to_csv(index=False))


def rows_of_pairs(board: Board, named: Named) -> list[list[str]]:
    """Return left, right, difference, p and verdict of each pair in the number that orders.

    There are no rows if no pair has an interval: one seed without items.

    named: Writes the name of a row, for example as code.
    """
    differences = board.differences.get(board.ordering.metric, ())
    if all(math.isnan(one.lo) for one in differences):
        return []
    return [
        [
            named(one.left),
            named(one.right),
            _valued(one, board.infos[base_id(one.metric)].digits),
            _chance(one.chance),
            _verdict(one, f"{named(one.left)} is better", f"{named(one.right)} is better"),
        ]
        for one in differences
    ]


def matrix_of_pairs(board: Board, named: Named) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of a table of row minus column, in the number that orders.

    Heads are the numbers of the rows. Bold: the row is better. "=": the two tie. There are no rows
    if no pair has an interval.

    named: Writes the name of a row, for example as code.
    """
    differences = board.differences.get(board.ordering.metric, ())
    if all(math.isnan(one.lo) for one in differences):
        return [], []
    labels = [one for one in board.methods if any(one in (d.left, d.right) for d in differences)]
    cells = {}
    for one in differences:
        digits = board.infos[base_id(one.metric)].digits
        cells[one.left, one.right] = _of_matrix(one, one.value, one.left, digits)
        cells[one.right, one.left] = _of_matrix(one, -one.value, one.right, digits)
    rows = [
        [f"{at}. {named(label)}", *(cells.get((label, other), "") for other in labels)]
        for at, label in enumerate(labels, 1)
    ]
    return ["", *(str(at) for at in range(1, len(labels) + 1))], rows


def _of_matrix(one: Difference, value: float, row: str, digits: int) -> str:
    if one.winner == row:
        return f"**{number(value, digits)}**"
    return f"= {number(value, digits)}" if one.is_tie else number(value, digits)


def place(board: Board, method: str) -> str:
    """Return the place of a method as in "2", its interval as in "1-2", or "-"."""
    if method not in board.ordering.ranks:
        return "-"
    own = board.ordering.ranks[method]
    first, last = board.places.get(method, (own, own))
    return str(first) if first == last else f"{first}-{last}"


def _verdict(one: Difference, left: str, right: str) -> str:
    """Return the verdict of a pair. left, right: The words for the left or right one is better."""
    if one.winner:
        return left if one.winner == one.left else right
    if one.is_tie:
        return "tie"
    return "not tested: 1 seed" if one.n_seeds == 1 else "not tested"


def _valued(one: Difference, digits: int) -> str:
    return number(one.value, digits) + bracketed(one.lo, one.hi, digits, one.n_seeds)


def _chance(p: float) -> str:
    if math.isnan(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
