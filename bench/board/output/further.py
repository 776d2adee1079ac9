"""The table of all numbers that the main table of a board does not have, in blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.board.board import Board
from bench.board.columns import ARROWS, TRAINING_FACTS, groups_of
from bench.board.curves import fraction
from bench.board.evidence import parts_of_scores
from bench.board.values import detail_of, is_number, number, text
from bench.utils.output.escape import markdown_name, markdown_table


@dataclass(frozen=True)
class _Block:
    """Columns that belong together. rows: the texts of the columns, for the rows that have any."""

    title: str
    heads: Sequence[str]
    rows: Mapping[str, Sequence[str]]


def further_table(board: Board) -> str:
    """Return one Markdown table with a row for each row of the board, or ''.

    Its columns are in blocks, each beginning with the names of the rows: the further metrics of
    each group, the costs of the training, the parts of the scores, the number that orders the board
    at each fraction of the training, and what each code says about each factor. So a file with many
    boards stays short. Intervals are in the CSV.
    """
    blocks = [block for block in _blocks(board) if block.rows and block.heads]
    labels = [label for label in board.order if any(label in block.rows for block in blocks)]
    heads = [head for block in blocks for head in (f"**{block.title}**", *block.heads)]
    rows = [
        [
            cell
            for block in blocks
            for cell in (
                markdown_name(label) if label in block.rows else "",
                *block.rows.get(label, [""] * len(block.heads)),
            )
        ]
        for label in labels
    ]
    return markdown_table(heads, rows) if rows else ""


def _blocks(board: Board) -> list[_Block]:
    main = set(board.main_columns)
    columns = [name for name in board.columns(list(board.infos)) if name not in main]
    groups = groups_of(board.infos, columns)
    found = [_of_metrics(board, group, names) for group, names in groups.items() if group != "Cost"]
    return [
        *found,
        _costs(board, groups.get("Cost", [])),
        _parts(board),
        _curve(board),
        *(_factors(board, code) for code in ("z1", "z2")),
    ]


def _of_metrics(board: Board, group: str, metrics: Sequence[str]) -> _Block:
    rows = {
        label: [text(board, label, metric, interval=False) for metric in metrics]
        for label in board.order
        if any(_is_shown(board, label, metric) for metric in metrics)
    }
    return _Block(group, [_head(board, metric) for metric in metrics], rows)


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
    return _Block("Cost", [*heads, *(_head(board, metric) for metric in metrics)], rows)


def _parts(board: Board) -> _Block:
    columns, rows = parts_of_scores(board)
    heads = [markdown_name(f"{metric}: {part}") for metric, part in columns]
    return _Block("Parts of the scores", heads, {label: cells for label, *cells in rows})


def _curve(board: Board) -> _Block:
    """Return the number that orders the board, at each fraction of the training."""
    order = board.ordering
    if not board.curve:
        return _Block("", [], {})
    digits = board.infos[order.metric].digits
    rows = {
        label: [number(of.get(label, math.nan), digits) for of in board.curve.values()]
        for label in board.curve[1.0]
    }
    title = f"{markdown_name(order.metric)} over the training"
    return _Block(title, [*map(fraction, board.curve)], rows)


def _factors(board: Board, code: str) -> _Block:
    """Return what the probes find for each factor in a code, averaged over seeds."""
    metrics = [info.id for info in board.infos.values() if info.code == code]
    found: dict[str, dict[str, str]] = {}
    for label in board.order:
        for metric in metrics:
            for factor, facts in detail_of(board.cell(label, metric)).items():
                if isinstance(facts, dict) and is_number(facts.get("value")):
                    found.setdefault(label, {})[factor] = f"{facts['value']:.2f}"
    factors = list(dict.fromkeys(factor for cells in found.values() for factor in cells))
    rows = {label: [cells.get(factor, "-") for factor in factors] for label, cells in found.items()}
    return _Block(f"Factors in {code}", [*map(markdown_name, factors)], rows)
