"""The tables of what the main table of a board does not have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.board.board import Board
from bench.board.columns import ARROWS, TRAINING_FACTS, groups_of
from bench.board.curves import fraction
from bench.board.evidence import parts_of_scores
from bench.board.values import number, text
from bench.utils.output.escape import markdown_name, markdown_table


@dataclass(frozen=True)
class _Block:
    """Columns that belong together. rows: the texts of the columns, by the label of the row."""

    heads: Sequence[str]
    rows: Mapping[str, Sequence[str]]


def further_tables(board: Board) -> dict[str, str]:
    """Return Markdown tables of the trained methods by their titles, each with related blocks.

    The file stays short with many boards, so floors and ceilings, intervals and what each code says
    about each factor are left to the CSV and the report.
    """
    columns = [name for name in board.columns(list(board.infos)) if name not in board.main_columns]
    groups = groups_of(board.infos, columns)
    costs = groups.pop("Cost", [])
    made = {group: _of_metrics(board, names) for group, names in groups.items()}
    tables = {
        "Scores and codes": [
            _parts(board),
            _curve(board),
            *(made.pop(group) for group in ("Scores", "What is in which code") if group in made),
        ],
        "Transfer, reconstruction, image quality and cost": [*made.values(), _costs(board, costs)],
    }
    shown = {title: _joined(board, blocks) for title, blocks in tables.items()}
    return {title: table for title, table in shown.items() if table}


def _joined(board: Board, blocks: Sequence[_Block]) -> str:
    """Return one table of several blocks, or '' if no trained method is in any of them."""
    blocks = [block for block in blocks if block.rows and block.heads]
    trained = (*board.methods, *board.published)
    labels = [label for label in trained if any(label in block.rows for block in blocks)]
    heads = ["method", *(head for block in blocks for head in block.heads)]
    rows = [
        [
            markdown_name(label),
            *(cell for block in blocks for cell in block.rows.get(label, [""] * len(block.heads))),
        ]
        for label in labels
    ]
    return markdown_table(heads, rows) if rows else ""


def _of_metrics(board: Board, metrics: Sequence[str]) -> _Block:
    rows = {
        label: [text(board, label, metric, interval=False) for metric in metrics]
        for label in board.order
        if any(_is_shown(board, label, metric) for metric in metrics)
    }
    return _Block([_head(board, metric) for metric in metrics], rows)


def _is_shown(board: Board, label: str, metric: str) -> bool:
    entry = board.cell(label, metric)
    return entry is not None and entry["status"] != "not_applicable"


def _head(board: Board, metric: str) -> str:
    return f"{markdown_name(metric)} ({ARROWS.get(board.better(metric), '')})"


def _costs(board: Board, metrics: Sequence[str]) -> _Block:
    """Return the costs of the training and of use, for the rows that were trained."""
    rows = {
        label: [
            *(
                number(facts.get(one, math.nan), digits)
                for one, (_, digits) in TRAINING_FACTS.items()
            ),
            *(text(board, label, metric, interval=False) for metric in metrics),
        ]
        for label in board.order
        if (facts := board.facts.get(label))
    }
    heads = [head for head, _ in TRAINING_FACTS.values()]
    return _Block([*heads, *(_head(board, metric) for metric in metrics)], rows)


def _parts(board: Board) -> _Block:
    columns, rows = parts_of_scores(board)
    heads = [markdown_name(f"{metric}: {part}") for metric, part in columns]
    return _Block(heads, {label: cells for label, *cells in rows})


def _curve(board: Board) -> _Block:
    """Return the number that orders the board, at each fraction of the training."""
    order = board.ordering
    if not board.curve:
        return _Block([], {})
    digits = board.infos[order.metric].digits
    rows = {
        label: [number(of.get(label, math.nan), digits) for of in board.curve.values()]
        for label in board.curve[1.0]
    }
    name = markdown_name(order.metric)
    return _Block([f"{name} at {fraction(done)}" for done in board.curve], rows)
