"""What a reader must know about the rows of a board, in one sentence for all rows it concerns."""

from __future__ import annotations

from bench.board.board import Board
from bench.board.columns import base_id
from bench.board.headline import Named, listed
from bench.contracts.labels import study_parts


def notes_of_rows(board: Board, named: Named, told: Named) -> list[str]:
    """Return where the configurations of rows come from, how they were timed, and their notes.

    named: Writes the name of a row, for example as code. told: Writes text from a record as prose.
    """
    return [
        *_machines(board, named),
        *studies(board, named),
        *_own_notes(board, named, told),
    ]


def unranked(board: Board, named: Named, told: Named) -> list[str]:
    """Return a sentence for each reason why methods are not ranked."""
    return [
        f"{listed([*map(named, labels)])} {'are' if len(labels) > 1 else 'is'} not ranked: "
        f"{told(reason)}."
        for reason, labels in _by_text(board.unranked).items()
    ]


def studies(board: Board, named: Named) -> list[str]:
    """Return a sentence for each study whose winner rows use, if it is of another board or method.

    named: Writes the name of a row, for example as code.
    """
    found = []
    for of_study, labels in _by_text(board.studies).items():
        study, method = study_parts(of_study)
        whose = f"{named(method)} in " if method else ""
        use = "use" if len(labels) > 1 else "uses"
        found.append(
            f"{listed([*map(named, labels)])} {use} the configuration of {whose}the study "
            f"{named(study)}."
        )
    return found


def _machines(board: Board, named: Named) -> list[str]:
    clocked = [name for name in board.main_columns if board.infos[base_id(name)].kind == "clocked"]
    if len(board.machines) < 2 or not clocked:
        return []
    names = listed([*map(named, clocked)])
    return [
        f"{names}: measured on {len(board.machines)} kinds of machines, so methods do not compare."
    ]


def _own_notes(board: Board, named: Named, told: Named) -> list[str]:
    """Return the notes of the rows, each with all rows that have it."""
    return [
        f"{listed([*map(named, labels)])}: {told(note)}."
        for note, labels in _by_text(
            {row: note for row, note in board.notes.items() if note}
        ).items()
    ]


def _by_text(texts: dict[str, str]) -> dict[str, list[str]]:
    """Return the keys that have each text."""
    found: dict[str, list[str]] = {}
    for key, text in texts.items():
        found.setdefault(text, []).append(key)
    return found
