"""Makes the artefacts of the anchors that need no trained weights.

An anchor has no codes and no decoder, so metrics that need codes or a decoder do not apply to it.
`bench.contracts.anchors` says what each anchor is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bench.cell.untrained.paste import as_image, mean_of, pasted
from bench.contracts.images import of_neighbours
from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.task import TaskData
from bench.utils.seeds import derive

_NO_MODEL = "an anchor is no model: it has no {}"
NO_MODEL = {
    **dict.fromkeys(CODES, _NO_MODEL.format("codes")),
    **{name: _NO_MODEL.format(name) for name in ("training", "inference")},
}
"""The reasons for the artefacts that no anchor has."""
_ABSENT = NO_MODEL | dict.fromkeys(("rec_a", "rec_b"), _NO_MODEL.format("decoder"))
_CYCLES = ("cycle_a", "cycle_b")


def copy_source(data: TaskData) -> Artefacts:
    """Return each source unchanged, which is the lower reference for transfer."""
    a, b = data.test_pairs
    images = {"add": a, "other": a, "remove": b, "cycle_a": a, "cycle_b": b}
    return Artefacts(images, absent=_ABSENT)


def copy_guide(data: TaskData) -> Artefacts:
    """Return the guide as the result: the separate content is right, but the face is wrong."""
    _, b = data.test_pairs
    absent = dict.fromkeys(("remove", *_CYCLES), "removing has no guide to copy")
    return Artefacts({"add": b, "other": of_neighbours(b)}, absent=_ABSENT | absent)


def ground_truth(data: TaskData) -> Artefacts:
    """Return the true results, or no images and the reason if the task has no true results."""
    if data.truth is None:
        return without_truth(data)
    a, b = data.test_pairs
    return Artefacts(vars(data.truth) | {"cycle_a": a, "cycle_b": b}, absent=_ABSENT)


def without_truth(data: TaskData) -> Artefacts:
    """Return no images, and the reason: the task has no true results."""
    reason = f"task {data.name} cannot render the true result"
    return Artefacts({}, absent=_ABSENT | dict.fromkeys(IMAGES, reason))


def shuffled_truth(data: TaskData) -> Artefacts:
    """Return true results of other pairs.

    ``add`` and ``other`` have the truth of each other's guide. ``remove`` has the truth of the
    neighbouring image of B. There are no cycles, because the task does not draw their truth.
    """
    if data.truth is None:
        return without_truth(data)
    images = {
        "add": data.truth.other,
        "other": data.truth.add,
        "remove": of_neighbours(data.truth.remove),
    }
    reason = "the task draws no true result of a wrong result"
    return Artefacts(images, absent=_ABSENT | dict.fromkeys(_CYCLES, reason))


def mean_image(data: TaskData) -> Artefacts:
    """Return the mean image of *train*: that of B for adding, that of A for removing."""
    a, _ = data.test_pairs
    of_a, of_b = (
        as_image(mean_of(domain.images)).repeat(len(a), 1, 1, 1)
        for domain in data.domains["train"][:2]
    )
    images = {"add": of_b, "other": of_b, "remove": of_a, "cycle_a": of_a, "cycle_b": of_b}
    return Artefacts(images, absent=_ABSENT)


def random_guide(data: TaskData) -> Artefacts:
    """Return random images of *train*: of B for adding, of A for removing.

    A hash of the role and of the index of the pair chooses them. ``other`` never has the image of
    ``add``, as long as *train* has two.
    """
    a, b = (domain.images for domain in data.domains["train"][:2])
    pairs = range(len(data.test_pairs[0]))

    def chosen(role: str, count: int) -> Tensor:
        return torch.tensor([derive("random-guide", role, pair) % count for pair in pairs])

    add = chosen("add", len(b))
    step = 1 + chosen("other", max(1, len(b) - 1))
    images = {
        "add": b[add],
        "other": b[(add + step) % len(b)],
        "remove": a[chosen("remove", len(a))],
        "cycle_a": a[chosen("cycle_a", len(a))],
        "cycle_b": b[chosen("cycle_b", len(b))],
    }
    return Artefacts(images, absent=_ABSENT)


def paste(data: TaskData) -> Artefacts:
    """Return pasted pixels: the floor that knows where domains differ, and nothing else.

    The place is where the mean images of A and B of *train* differ most. Adding copies the guide's
    pixels there. Removing fills the place from the mean image of A, or from the nearest *train*
    image of A. If the task has true results, the areas and the filling are those with the best
    scores on *val*. Otherwise the area is that of Otsu's threshold of the differences (Otsu, IEEE
    Transactions on Systems, Man and Cybernetics, 1979), and the filling is the nearest image.
    ``measured["note"]`` names the choice.
    """
    images, note = pasted(data)
    return Artefacts(images, {"note": note}, _ABSENT)


UNTRAINED: Mapping[str, Callable[[TaskData], Artefacts]] = {
    "ground-truth": ground_truth,
    "paste": paste,
    "mean-image": mean_image,
    "random-guide": random_guide,
    "shuffled-truth": shuffled_truth,
    "copy-source": copy_source,
    "copy-guide": copy_guide,
}
"""Makes the artefacts of an anchor from its task, by the name of the anchor."""
