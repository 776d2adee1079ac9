"""Anchors: untrained methods that give the lower and the upper reference value of each metric.

An anchor makes its artefacts directly from the task. It has no codes and no decoder, so metrics
that need codes or a decoder do not apply to it.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.task import TaskData

_NO_MODEL = "an anchor is no model: it has no {}"
_NO_REMOVE = "removing has no guide to copy"
_ABSENT = {
    "rec_a": _NO_MODEL.format("decoder"),
    "rec_b": _NO_MODEL.format("decoder"),
    **dict.fromkeys(CODES, _NO_MODEL.format("codes")),
    "training": _NO_MODEL.format("training"),
    "inference": _NO_MODEL.format("inference"),
}


def copy_source(data: TaskData) -> Artefacts:
    """Return each source unchanged, which is the lower reference for transfer."""
    a, b = data.test_pairs
    images = {"add": a, "other": a, "remove": b, "cycle_a": a, "cycle_b": b}
    return Artefacts(images, absent=_ABSENT)


def copy_guide(data: TaskData) -> Artefacts:
    """Return the guide as the result: the separate content is right, but the face is wrong."""
    from bench.contracts.images import of_neighbours  # here: listing anchors must not import torch

    _, b = data.test_pairs
    absent = _ABSENT | dict.fromkeys(("remove", "cycle_a", "cycle_b"), _NO_REMOVE)
    return Artefacts({"add": b, "other": of_neighbours(b)}, absent=absent)


def ground_truth(data: TaskData) -> Artefacts:
    """Return the true results, or no images and the reason if the task has no true results."""
    if data.truth is None:
        reason = f"task {data.name} cannot render the true result"
        return Artefacts({}, absent=_ABSENT | dict.fromkeys(IMAGES, reason))
    a, b = data.test_pairs
    return Artefacts(vars(data.truth) | {"cycle_a": a, "cycle_b": b}, absent=_ABSENT)


ANCHORS: dict[str, Callable[[TaskData], Artefacts]] = {
    "ground-truth": ground_truth,
    "copy-source": copy_source,
    "copy-guide": copy_guide,
}
CEILINGS = frozenset({"ground-truth", "oracle-decoder"})
"""The anchors that know the true result. A method is not expected to be above them."""
SUMMARIES = {
    "ground-truth": "anchor: the task's own true results, the ceiling",
    "copy-source": "anchor: the source as it is, the floor of transfer",
    "copy-guide": "anchor: the guide instead of the source",
}
