"""Finds where two domains differ, and pastes pixels there: how the anchor `paste` is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from bench.contracts.images import of_neighbours
from bench.contracts.registry import Registry
from bench.contracts.task import TaskData

AREAS = (0.02, 0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4)
"""The areas that `paste` tries on *val*, as shares of all pixels."""
_CHUNK = 512
"""The images that one step of a sum or of a search over *train* reads."""
SCORES, ADD_SCORE, REMOVE_SCORE = "scores", "add_score", "remove_score"
"""The family of metrics that chooses on *val*, and its two numbers."""


def pasted(data: TaskData) -> tuple[dict[str, Tensor], str]:
    """Return the images of `bench.cell.untrained.anchors.paste` by their names, and its note."""
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
    return images, note


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
        mean_a, mean_b = mean_of(a), mean_of(b)
        return cls((mean_a - mean_b).abs().mean(0), as_image(mean_a), a)

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
        filling = self.mean if fill == "mean" else self.nearest(b, (area,))[area]
        return torch.where(self.mask(area), filling, b)

    def nearest(self, b: Tensor, areas: Sequence[float]) -> dict[float, Tensor]:
        """Return for each area the *train* image of A nearest to each image outside the place."""
        areas = sorted(areas, reverse=True)
        indices = _nearest(b, self.train, [~self.mask(area) for area in areas])
        return {area: self.train[index] for area, index in zip(areas, indices, strict=True)}


def _best_on_val(place: Place, val: TaskData) -> tuple[float, float, str]:
    """Return the area for adding, and the area and the filling for removing, with the best scores.

    `transfer` is the mean of the score of adding and that of removing, so each is chosen alone.
    """
    a, b = val.test_pairs
    family = Registry().find("metric", SCORES).load()()

    def score(metric: str, images: Mapping[str, Tensor]) -> float:
        value = family.point(metric, images, val)
        return -1.0 if value is None else float(value)

    def of_adding(area: float) -> float:
        images = {"add": place.add(a, b, area), "other": place.add(a, of_neighbours(b), area)}
        return score(ADD_SCORE, images)

    nearest = place.nearest(b, AREAS)

    def of_removing(chosen: tuple[float, str]) -> float:
        area, fill = chosen
        filling = place.mean if fill == "mean" else nearest[area]
        return score(REMOVE_SCORE, {"remove": torch.where(place.mask(area), filling, b)})

    return max(AREAS, key=of_adding), *max(product(AREAS, ("mean", "nearest")), key=of_removing)


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


def mean_of(images: Tensor) -> Tensor:
    """Return the mean of uint8 (N, 3, S, S) as float64 (3, S, S); sums are exact."""
    total = torch.zeros(images.shape[1:], dtype=torch.int64)
    for chunk in images.split(_CHUNK):
        total += chunk.sum(0, dtype=torch.int64)
    return total.to(torch.float64) / len(images)


def as_image(mean: Tensor) -> Tensor:
    """Return a mean as uint8 pixels, rounded."""
    return mean.round().to(torch.uint8)


def _nearest(images: Tensor, among: Tensor, regions: Sequence[Tensor]) -> list[Tensor]:
    """Return for each region the index of the nearest one of `among` to each image, int64 (n,).

    The distance is the squared error over the pixels of a region, bool (S, S). Each region holds
    the one before it, so only the new pixels are compared. In float64 the distance is exact, so the
    index is the same on every machine. Of equally near ones, the first counts.
    """
    pairs = zip(regions, [torch.zeros_like(regions[0]), *regions], strict=False)
    new = [region & ~before for region, before in pairs]
    ours = [images[:, :, where].flatten(1).to(torch.float64) for where in new]
    least = np.full((len(regions), len(images)), np.inf)
    index = np.zeros(least.shape, dtype=np.int64)
    for start in range(0, len(among), _CHUNK):
        chunk = among[start : start + _CHUNK]
        distance = torch.zeros((len(images), len(chunk)), dtype=torch.float64)
        for at, (where, x) in enumerate(zip(new, ours, strict=True)):
            y = chunk[:, :, where].flatten(1).to(torch.float64)
            distance += y.square().sum(1) - 2 * (x @ y.T)  # without the square of x: it is constant
            first = distance.numpy().argmin(1)
            value = distance.numpy()[np.arange(len(images)), first]
            better = value < least[at]
            least[at][better], index[at][better] = value[better], start + first[better]
    return list(torch.from_numpy(index))
