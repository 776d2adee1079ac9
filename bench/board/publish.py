"""Write and print the leaderboard of a results folder. It needs no torch."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping

from rich.console import Console

from bench.board.board import Board, boards
from bench.board.columns import ARROWS, base_id, main_metrics
from bench.board.curves import with_curves
from bench.board.evidence import parts_of_scores, sentences
from bench.board.frame import frame
from bench.board.headline import headline
from bench.board.markdown import csv, markdown
from bench.board.pairs import csv_of_comparisons, place, rows_of_pairs, studies
from bench.board.values import text
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import BoardKey
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.sealed import write_atomically
from bench.utils.output.console import print_table, say

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def write_leaderboard(
    console: Console,
    store: Store,
    only: Collection[BoardKey] | None = None,
    must_write: bool = True,
    known: Mapping[str, MetricInfo] | None = None,
) -> bool:
    """Write the leaderboard of a results folder and print it.

    Args:
        console: Where to print.
        store: The results folder.
        only: The boards to print. All boards are written.
        must_write: Whether a read-only folder is an error. If not, a line says so.
        known: The facts of known metrics, or None for the built-in metrics.

    Returns:
        Whether there is a record to show.

    Raises:
        UserError: The files cannot be written. The tables are printed first.
    """
    records, damaged = store.records()
    for record in damaged:
        say(console, str(record))
    table = frame(records, known)
    made = boards(records, table, known)
    if not made:
        return False
    for board in made:
        if only is None or (board.profile, board.task, board.protocol) in only:
            _print_board(console, board)
    notes = [str(record) for record in damaged]
    try:
        write_atomically(store.root / "leaderboard.csv", csv(with_curves(table, records, known)))
        write_atomically(store.root / "comparisons.csv", csv_of_comparisons(made))
        write_atomically(store.root / "leaderboard.md", markdown(made, notes=notes))
    except OSError as error:
        if not must_write and error.errno in READ_ONLY:
            say(console, f"{store.root} is read-only: leaderboard.csv and .md are as they were")
            return True
        raise UserError(
            f"cannot write the leaderboard in {store.root} ({error.strerror}): make room, "
            "then `python -m bench leaderboard`"
        ) from error
    say(console, f"wrote {store.root}/leaderboard.csv and .md, comparisons.csv")
    return True


def _print_board(console: Console, board: Board) -> None:
    metrics = board.columns(main_metrics(board.infos))
    heads = [_head(board, metric) for metric in metrics]
    title = f"{board.task}, profile {board.profile}, protocol {board.protocol}"
    say(console, headline(board, _quoted))
    tables = (
        (board.methods, title),
        (board.published, f"{title}: published configurations"),
        (board.anchors, f"{title}: floors and ceilings"),
    )
    for methods, what in tables:
        ranked = methods is board.methods
        first = ["method", "rank"] if ranked else ["method"]
        rows = [
            ([method, place(board, method)] if ranked else [method])
            + [text(board, method, metric, interval=False) for metric in metrics]
            for method in methods
        ]
        bold = {
            (row, len(first) + column)
            for column, metric in enumerate(metrics)
            for row, method in enumerate(methods)
            if method in board.best.get(metric, ())
        }
        if rows:
            print_table(console, [*first, *heads], rows, title=what, bold=bold)
    for method, reason in board.unranked.items():
        say(console, f"{method} is not ranked: {reason}")
    for line in studies(board, _quoted):
        say(console, line)
    if rows := rows_of_pairs(board, str):
        heads = ["left", "right", "difference", "p", "verdict"]
        what = f"compared in pairs by {board.ordering.metric}, after Holm's correction"
        print_table(console, heads, rows, title=what)
    columns, rows = parts_of_scores(board)
    if rows:
        heads = ["method", *(f"{_label(board, metric)}\n{part}" for metric, part in columns)]
        print_table(console, heads, rows, title="parts of the scores")
    for line in sentences(board, _quoted, str):
        say(console, line)
    for method, note in board.notes.items():
        if note:
            say(console, f"{method}: {note}")


def _quoted(name: str) -> str:
    return f"`{name}`"


def _head(board: Board, column: str) -> str:
    """Return the label of a metric, its direction, and its extractor if there are several."""
    name = base_id(column)
    extractor = column.removeprefix(name)
    return f"{_label(board, name)}{extractor}\n({ARROWS.get(board.better(column), '')})"


def _label(board: Board, metric: str) -> str:
    """Return the label of a metric with a word on each line, so that many columns fit."""
    return board.infos[base_id(metric)].label.replace(" ", "\n")
