"""Makes the artefacts of the anchors that need no trained weights.

An anchor has no codes and no decoder, so metrics that need codes or a decoder do not apply to it.
`bench.contracts.anchors` says what each anchor is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from bench.contracts.images import of_neighbours
from bench.contracts.metric import CODES, IMAGES, Artefacts, Settings
from bench.contracts.registry import Registry
from bench.contracts.task import TaskData
from bench.utils.seeds import derive

AREAS = (0.02, 0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4)
"""The areas that `paste` tries on *val*, as shares of all pixels."""
_NO_MODEL = "an anchor is no model: it has no {}"
NO_MODEL = {
    **dict.fromkeys(CODES, _NO_MODEL.format("codes")),
    **{name: _NO_MODEL.format(name) for name in ("training", "inference")},
}
"""The reasons for the artefacts that no anchor has."""
_ABSENT = NO_MODEL | dict.fromkeys(("rec_a", "rec_b"), _NO_MODEL.format("decoder"))
_CYCLES = ("cycle_a", "cycle_b")
_CHUNK = 512
"""The images that one step of a sum or of a search over *train* reads."""


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
        _as_image(_mean(domain.images)).repeat(len(a), 1, 1, 1)
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
    place = Place.of(data)
    if data.val_truth is None:
        add_area = remove_area = otsu_area(place.difference)
        fill, how = "nearest", "Otsu's threshold"
    else:
        add_area, remove_area, fill = _best_on_val(place, data.on_val)
        how = "the scores on val"
    a, b = data.test_pairs
    add = partial(place.add, area=add_area)
    remove = partial(place.remove, area=remove_area, fill=fill)
    images = {"add": add(a, b), "other": add(a, of_neighbours(b)), "remove": remove(b)}
    images |= {"cycle_a": remove(images["add"]), "cycle_b": add(images["remove"], b)}
    filling = {"mean": "the mean image of A", "nearest": "the nearest training image of A"}[fill]
    note = (
        f"copies {add_area:.0%} of the pixels to add; fills {remove_area:.0%} from {filling} to "
        f"remove (chosen by {how})"
    )
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


@dataclass(frozen=True)
class Place:
    """Where two domains differ, and what stands there in A.

    difference: float64 (S, S), the absolute difference of the mean images of A and B, mean over
    channels, in [0, 255]. mean: uint8 (3, S, S), the mean image of A. train: uint8 (N, 3, S, S),
    the *train* images of A.
    """

    difference: Tensor
    mean: Tensor
    train: Tensor

    @classmethod
    def of(cls, data: TaskData) -> Place:
        """Return the place of a task, from the first two domains of *train*."""
        a, b = (domain.images for domain in data.domains["train"][:2])
        mean_a, mean_b = _mean(a), _mean(b)
        return cls((mean_a - mean_b).abs().mean(0), _as_image(mean_a), a)

    def mask(self, area: float) -> Tensor:
        """Return the pixels that differ most, bool (S, S); they are `area` of all, at least one."""
        order = np.argsort(-self.difference.flatten().numpy(), kind="stable")
        inside = torch.zeros(len(order), dtype=torch.bool)
        inside[order[: max(1, round(area * len(order)))]] = True
        return inside.view_as(self.difference)

    def add(self, source: Tensor, guide: Tensor, area: float) -> Tensor:
        """Return the source with the guide's pixels in the place, uint8 (n, 3, S, S)."""
        return torch.where(self.mask(area), guide, source)

    def remove(self, b: Tensor, area: float, fill: str) -> Tensor:
        """Return images of B with the pixels of A in the place, uint8 (n, 3, S, S).

        fill: "mean" for the mean image of A; "nearest" for the *train* image of A that is nearest
        outside the place (squared error).
        """
        mask = self.mask(area)
        filling = self.mean if fill == "mean" else self.train[_nearest(b, self.train, ~mask)]
        return torch.where(mask, filling, b)


def _best_on_val(place: Place, val: TaskData) -> tuple[float, float, str]:
    """Return the area for adding, and the area and the filling for removing, with the best scores.

    `transfer` is the mean of the score of adding and that of removing, so each is chosen alone.
    """
    a, b = val.test_pairs
    family = Registry().find("metric", SCORES).load()()

    def score(metric: str, images: Mapping[str, Tensor]) -> float:
        result = family.score([metric], Artefacts(images), val, Settings())[metric]
        return -1.0 if result.value is None else float(result.value)

    def of_adding(area: float) -> float:
        images = {"add": place.add(a, b, area), "other": place.add(a, of_neighbours(b), area)}
        return score(ADD_SCORE, images)

    def of_removing(chosen: tuple[float, str]) -> float:
        return score(REMOVE_SCORE, {"remove": place.remove(b, *chosen)})

    return max(AREAS, key=of_adding), *max(product(AREAS, ("mean", "nearest")), key=of_removing)


SCORES, ADD_SCORE, REMOVE_SCORE = "counterfactual", "cf_skill_in_add", "cf_skill_in_remove"
"""The family of metrics that chooses on *val*, and its two numbers."""


def otsu_area(difference: Tensor) -> float:
    """Return the share of pixels above Otsu's threshold of their values.

    It splits the sorted values into two groups with the largest variance between the groups.
    """
    values = np.sort(difference.flatten().numpy())[::-1]
    sums = np.cumsum(values)
    above = np.arange(1, len(values))
    below = len(values) - above
    gap = sums[:-1] / above - (sums[-1] - sums[:-1]) / below
    return float(above[np.argmax(above * below * gap**2)] / len(values))


def _mean(images: Tensor) -> Tensor:
    """Return the mean of uint8 (N, 3, S, S) as float64 (3, S, S); sums are exact."""
    total = torch.zeros(images.shape[1:], dtype=torch.int64)
    for chunk in images.split(_CHUNK):
        total += chunk.sum(0, dtype=torch.int64)
    return total.to(torch.float64) / len(images)


def _as_image(mean: Tensor) -> Tensor:
    return mean.round().to(torch.uint8)


def _nearest(images: Tensor, among: Tensor, where: Tensor) -> Tensor:
    """Return for each image the index of the nearest one of `among`, int64 (n,).

    The distance is the squared error over the pixels `where`, bool (S, S). In float64 it is exact,
    so the index is the same on every machine; of equal ones, the first counts.
    """
    x = images[:, :, where].flatten(1).to(torch.float64)
    found = []
    for chunk in among.split(_CHUNK):
        y = chunk[:, :, where].flatten(1).to(torch.float64)
        found.append((y.square().sum(1) - 2 * (x @ y.T)).numpy())
    return torch.from_numpy(np.concatenate(found, 1).argmin(1))
