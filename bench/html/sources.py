"""What a report is made from: the records of a results folder and the boards that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench.board.board import Board, boards
from bench.board.columns import base_id
from bench.board.curves import curve_rows, followed_by
from bench.board.frame import frame
from bench.board.row_labels import PUBLISHED_SUFFIX, row_labels
from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import board_key_of
from bench.contracts.record import Record
from bench.records.read import Damaged

MOST_HUES = 12
"""The number of colours for methods. Further methods use them again with another shape and dash."""


@dataclass(frozen=True)
class Source:
    """One board and the records behind it.

    records: the records of each row, by its label. points: its rows of the tidy frame, also those
    of the main metrics at fractions of the training. hues: the number of the colour of each row; -1
    for anchors. A published configuration has the colour of its tuned one.
    """

    board: Board
    records: Mapping[str, Sequence[Record]]
    points: pd.DataFrame
    hues: Mapping[str, int]

    @property
    def id(self) -> str:
        """A name of the board for anchors within the page."""
        words = (self.board.task, self.board.profile, str(self.board.protocol))
        return "board-" + "-".join("".join(c if c.isalnum() else "_" for c in w) for w in words)

    @property
    def floors(self) -> list[str]:
        """The anchors that are no ceilings, in the order of the board."""
        return [name for name in self.board.anchors if name not in self.board.ceilings]

    @property
    def ceilings(self) -> list[str]:
        """The anchors that know the true result, in the order of the board."""
        return [name for name in self.board.anchors if name in self.board.ceilings]

    @property
    def n_seeds(self) -> int:
        """The largest number of seeds of a trained method."""
        trained = [self.records.get(name, ()) for name in self.board.methods]
        return max((len(of) for of in trained), default=0)


@dataclass(frozen=True)
class Sources:
    """Everything that the page shows, apart from pictures and claims.

    boards: newest protocol first. records: all usable records. damaged: the others.
    """

    boards: Sequence[Source]
    records: Sequence[Record]
    damaged: Sequence[Damaged] = field(default=())


def sources_of(
    records: Sequence[Record],
    damaged: Sequence[Damaged] = (),
    known: Mapping[str, MetricInfo] | None = None,
) -> Sources:
    """Return the boards of records, each with what belongs to it.

    known: the facts of known metrics, or None for the built-in metrics.
    """
    labels = row_labels(records)
    table = frame(records, known, labels)
    made = boards(records, table, known, labels)
    main = {base_id(name) for board in made for name in board.main_columns}
    points = followed_by(table, curve_rows(records, known, main, labels))
    by_key: dict[tuple[str, str, int], dict[str, list[Record]]] = {}
    for record, label in zip(records, labels, strict=True):
        of_board = by_key.setdefault(board_key_of(record["identity"]), {})
        of_board.setdefault(label, []).append(record)
    hues = _hues(made)
    found = []
    for board in made:
        key = (board.profile, board.task, board.protocol)
        here = (points["profile"] == key[0]) & (points["task"] == key[1])
        rows = points[here & (points["protocol"] == key[2])]
        found.append(Source(board, by_key[key], rows, hues))
    return Sources(found, records, damaged)


def _hues(made: Sequence[Board]) -> dict[str, int]:
    """Return the colour of each row, in the order in which the boards name the methods."""
    order: dict[str, int] = {}
    found: dict[str, int] = {}
    for board in made:
        for label in [*board.methods, *board.published]:
            stem = label.removesuffix(PUBLISHED_SUFFIX)
            found[label] = order.setdefault(stem, len(order))
        found |= dict.fromkeys(board.anchors, -1)
    return found


def is_anchor(record: Record) -> bool:
    """Return whether a record is that of an anchor."""
    return record["identity"]["method"] in ANCHORS
