"""Labels of the rows of a board: a name, and the differences from other rows of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.contracts.anchors import ANCHORS, configured_as
from bench.contracts.cell import PUBLISHED, is_imported
from bench.contracts.labels import quoted
from bench.contracts.protocol import BoardKey, board_key_of
from bench.contracts.record import Record
from bench.utils.hashing import hash_of

DATA = {"fingerprint"}
"""The facts of the images that a label names if they differ on a board."""
MACHINE = {"device", "precision", "threads"}
"""The facts of the machine that a label names if they differ on a board.

They do not concern anchors, nor images from elsewhere, whose machine is unknown.
"""
PUBLISHED_SUFFIX = " (published)"
"""What the label of a published configuration ends with, if a board has tuned ones, too."""
TUNED = {"tuned", "both", "hand-set"}
"""The kinds of configuration that were chosen for the suite."""
SOURCE = "source"
"""The name of the hash of a method's source, if it distinguishes rows.

The source of a metric does not matter here: the metric's ``version`` tells whether values changed.
"""


def row_labels(records: Sequence[Record]) -> list[str]:
    """Return the label of each record. Labels of different cells differ.

    Two cells share a label only if they differ only in their seed, and the method has the same
    source. If a condition of the images or the machine differs anywhere on a board, every label
    shows it. An anchor names only what distinguishes it from other rows of the same anchor.
    """
    boards: dict[BoardKey, list[int]] = {}
    for at, record in enumerate(records):
        boards.setdefault(board_key_of(record["identity"]), []).append(at)
    labels = [""] * len(records)
    for board in boards.values():
        found = _of_board([records[at] for at in board])
        for at, label in zip(board, found, strict=True):
            labels[at] = label
    return labels


def is_published(record: Record) -> bool:
    """Return whether a record uses the configuration of the paper, and a study has another."""
    return record.get("configuration", "") == PUBLISHED


def has_both_configurations(records: Iterable[Record]) -> bool:
    """Return whether some records use published configurations and some tuned ones.

    A configuration that was set by hand counts as tuned, and so does one that is both.
    """
    kinds = {record.get("configuration", "") for record in records}
    return PUBLISHED in kinds and not kinds.isdisjoint(TUNED)


def _of_board(records: Sequence[Record]) -> list[str]:
    """Return the labels of records of one task and profile."""
    known = [_known(record["identity"]) for record in records]
    trained = [one for one, record in zip(known, records, strict=True) if _is_trained(record)]
    anchor = [record["identity"]["method"] in ANCHORS for record in records]
    data = _differing([one for one, is_one in zip(known, anchor, strict=True) if not is_one]) & DATA
    machine = _differing(trained) & MACHINE
    by_label: dict[str, list[int]] = {}
    both = has_both_configurations(records)
    for at, record in enumerate(records):
        suffix = PUBLISHED_SUFFIX if both and is_published(record) else ""
        by_label.setdefault(f"{record['label']}{suffix}", []).append(at)
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
            for at in same:  # different cells with equal labels
                labels[at] += f"#{cell[:8]}"
    return labels


def _is_trained(record: Record) -> bool:
    """Return whether the method of a record was trained here."""
    identity = record["identity"]
    return identity["method"] not in ANCHORS and not is_imported(identity)


def _sources(records: Sequence[Record]) -> list[str]:
    """Return the source of the method for each record of a label, or '' if there is only one.

    For an anchor with a method's weights, it is the source of that method. A failed cell has no
    source. If there are several sources, its source is "unknown".
    """
    methods = [configured_as(record["identity"]["method"]) for record in records]
    found = [
        record.get("sources", {}).get(method)
        for method, record in zip(methods, records, strict=True)
    ]
    if len(set(found) - {None}) < 2:
        return [""] * len(records)
    return [source or "unknown" for source in found]


def _differing(identities: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the keys whose values are not all equal."""
    keys = {key for identity in identities for key in identity}
    return {key for key in keys if len({_comparable(one.get(key)) for one in identities}) > 1}


def _comparable(value: Any) -> object:
    """Return what is equal for equal values; 1, 1.0 and True are not equal."""
    simple = value is None or isinstance(value, str | int | float)
    return (type(value), value) if simple else hash_of(value)


def _known(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity without its seed, as a flat dictionary."""
    known = {k: v for k, v in identity.items() if k not in ("seed", "config", "numbers")}
    for part in ("numbers", "config"):
        taken = {*known, SOURCE}
        known |= {f"{part}.{k}" if k in taken else k: v for k, v in identity[part].items()}
    return known


def _shown(key: str, known: Mapping[str, Any]) -> str:
    """Return a value as text for a label. A source is cut to 8 digits."""
    value = known.get(key)
    text = quoted(value) if isinstance(value, str) else str(value)
    return text[: 8 if key == SOURCE else None]
