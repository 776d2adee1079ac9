"""What the rows of a board are called: a label, and what tells it from other rows of that label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import is_imported
from bench.contracts.labels import quoted
from bench.contracts.record import Record
from bench.utils.hashing import hash_of

DATA = {"fingerprint"}
"""What of the images must be equal for values to stand in one column without a word."""
MACHINE = {"device", "precision", "threads"}
"""What of the machine must be.

What machine made the images of a method that was trained elsewhere is not known, and none has a
part in an anchor.
"""
SOURCE = "source"
"""What the hash of a method's source is called where it tells rows apart.

The source of a metric is not looked at: its ``version`` says that its values are others, and the
hash changes with every comment in a helper.
"""


def row_labels(records: Sequence[Record]) -> list[str]:
    """Return the label of each record, with the difference where unlike cells would share it.

    Cells of one label that differ in more than their seed are never put together, nor are those
    whose method has another source; and where a condition differs anywhere on a board, every row of
    the board says its own. An anchor says only what tells it from itself.
    """
    boards: dict[tuple[str, str], list[int]] = {}
    for at, record in enumerate(records):
        place = (record["identity"]["profile"], record["identity"]["task"])
        boards.setdefault(place, []).append(at)
    labels = [""] * len(records)
    for board in boards.values():
        found = _of_board([records[at] for at in board])
        for at, label in zip(board, found, strict=True):
            labels[at] = label
    return labels


def _of_board(records: Sequence[Record]) -> list[str]:
    """Return the labels of records of one task and profile."""
    known = [_known(record["identity"]) for record in records]
    trained = [one for one, record in zip(known, records, strict=True) if _is_trained(record)]
    anchor = [record["identity"]["method"] in ANCHORS for record in records]
    data = _differing([one for one, is_one in zip(known, anchor, strict=True) if not is_one]) & DATA
    machine = _differing(trained) & MACHINE
    by_label: dict[str, list[int]] = {}
    for at, record in enumerate(records):
        by_label.setdefault(str(record["label"]), []).append(at)
    labels = [""] * len(records)
    cells: dict[str, dict[str, list[int]]] = {}
    for label, same in by_label.items():
        sources = _sources([records[at] for at in same])
        for at, source in zip(same, sources, strict=True):
            known[at] |= {SOURCE: source} if source else {}
        conditions = set() if all(anchor[at] for at in same) else data
        if any(_is_trained(records[at]) for at in same):
            conditions = data | machine
        keys = sorted(conditions | _differing([known[at] for at in same]))
        for at, source in zip(same, sources, strict=True):
            inside = ",".join(f"{key}={_shown(key, known[at])}" for key in keys)
            labels[at] = f"{label}{{{inside}}}" if inside else label
            cell = hash_of([label, source, records[at]["identity"] | {"seed": None}])
            cells.setdefault(labels[at], {}).setdefault(cell, []).append(at)
    for alike in cells.values():
        for cell, same in alike.items() if len(alike) > 1 else ():
            for at in same:  # unlike cells whose labels look the same
                labels[at] += f"#{cell[:8]}"
    return labels


def _is_trained(record: Record) -> bool:
    """Return whether it is of a method that was trained here: no anchor and no images."""
    identity = record["identity"]
    return identity["method"] not in ANCHORS and not is_imported(identity)


def _sources(records: Sequence[Record]) -> list[str]:
    """Return by which source of its method each record of a label was made, '' if by the same.

    A cell that failed has none: it is a gap of the only source there is, or of none of several.
    """
    found = [record.get("sources", {}).get(record["identity"]["method"]) for record in records]
    if len(set(found) - {None}) < 2:
        return [""] * len(records)
    return [source or "unknown" for source in found]


def _differing(identities: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the keys whose values are not all equal."""
    keys = {key for identity in identities for key in identity}
    return {key for key in keys if len({hash_of(one.get(key)) for one in identities}) > 1}


def _known(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity without its seed, with configuration and numbers on one level."""
    known = {k: v for k, v in identity.items() if k not in ("seed", "config", "numbers")}
    for part in ("numbers", "config"):
        taken = {*known, SOURCE}
        known |= {f"{part}.{k}" if k in taken else k: v for k, v in identity[part].items()}
    return known


def _shown(key: str, known: Mapping[str, Any]) -> str:
    """Return a value as a label has it; of a source what tells it from others."""
    value = known.get(key)
    text = quoted(value) if isinstance(value, str) else str(value)
    return text[: 8 if key == SOURCE else None]
