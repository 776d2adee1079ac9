"""Distances between sets of features: Frechet, KID, precision, recall, density, coverage.

All computations are in float64 and need one feature pass over each set. `real_side` computes what
depends only on the real images once, as tensors that can be cached on disk and shared by all
methods. For the jackknife interval, each distance is also computed `FOLDS` times, each time without
one group of items. Group k is left out of both sides.

`reference` computes the real side of a task once per machine, and all methods share it. Its cache
key is a hash of the images, the extractor with its weights, the dtype and the numbers of images.
Names are not part of the key, so other images or weights never get a wrong entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import MetricInfo, Result
from bench.contracts.task import TaskData
from bench.metrics._extractor import Extractor
from bench.metrics._statistics import generator, jackknife_interval, jackknifed
from bench.utils.files.tensor_files import content_hash, keep_if_possible

FOLDS = 10
NEIGHBOURS = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}
"""Which nearest neighbour's distance is the radius of a ball (an item is no neighbour of itself).

3 as Kynkaanniemi et al., NeurIPS 2019; 5 as Naeem et al., ICML 2020.
"""

FORMAT = 3
"""The version of the cached files. Increase it with every change of their content."""
FEWEST = 20
"""Items of each side that KID, neighbours and their jackknife need."""

Real = Mapping[str, Tensor]


class Distance(NamedTuple):
    """A distance, and its values without each group of items (empty if there is no jackknife)."""

    value: float
    left_out: list[float]


def folds(n: int, side: str) -> Tensor:
    """Return the jackknife group of each item, (n,)."""
    return torch.from_numpy(generator("jackknife", side, n).permutation(n) % FOLDS)


def real_side(features: Tensor, matched: int) -> dict[str, Tensor]:
    """Compute from real (n, D) features all that the distances need.

    matched: the number of generated items. Precision, recall, density and coverage compare equal
    numbers of items, so they use the first `matched` distinct real items. With fewer than `FEWEST`
    distinct items, the result has no entries for KID and for the nearest neighbours.
    """
    side = gaussian_side(features)
    x = side["features"]
    side["alone"] = alone = x[_first_of_equals(x)][:matched]
    if len(alone) < FEWEST:
        return side
    radii = _radii(_squared_distances(alone, alone), _KS, folds(len(alone), "real"))
    kernel = _block_sums(_kernel(x, x).fill_diagonal_(0), folds(len(x), "real"), None)
    return side | {"kernel": kernel} | {f"radii{k}": of_k for k, of_k in radii.items()}


def gaussian_side(features: Tensor) -> dict[str, Tensor]:
    """Compute from real (n, D) features what the Frechet distance needs. No root if n <= D."""
    x = features.double()
    if len(x) < 2:
        return {"features": x}
    mean, covariance = moments(x)
    root = symmetric_root(covariance) if len(x) > x.shape[1] else torch.empty(0)
    return {"features": x, "mean": mean, "covariance": covariance, "root": root}


_KS = sorted(set(NEIGHBOURS.values()))


# --- Frechet -----------------------------------------------------------------------------------


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the covariance of float64 (n, D) features."""
    return x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])


def symmetric_root(covariance: Tensor) -> Tensor:
    """Return the symmetric square root of a (D, D) covariance."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def gaussian_distance(mean1: Tensor, root1: Tensor, mean2: Tensor, covariance2: Tensor) -> float:
    """Return the Frechet distance of two Gaussians.

    The first is given by its mean and the root of its covariance. The distance is
    ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2). The root of S1 S2 has the same trace,
    but S1 S2 is not symmetric. The form above has real eigenvalues that are negative only by
    rounding. Equal Gaussians can have a tiny negative distance by rounding: it is returned as 0.
    """
    product = root1 @ covariance2 @ root1
    cross = torch.linalg.eigvalsh((product + product.T) / 2).clamp_min(0).sqrt().sum()
    spread = root1.square().sum() + covariance2.trace()  # tr S1 = ||root||^2
    return max(0.0, float((mean1 - mean2).square().sum() + spread - 2 * cross))


def frechet(real: Real, made: Tensor, jackknife: bool = True) -> Distance:
    """Return the Frechet distance of (n, D) features to the real side.

    Heusel et al., NeurIPS 2017. If n <= D, the covariances are singular. Then the trace of the root
    is computed as the sum of the singular values of the product of the centred features. This is
    exact, whereas the eigenvalues of the D x D form are not.
    """
    x = made.double()
    mean, covariance = moments(x)
    n, dimensions = x.shape
    if min(n, len(real["features"])) <= dimensions:
        ours = (x - mean) / (n - 1) ** 0.5
        theirs = (real["features"] - real["mean"]) / (len(real["features"]) - 1) ** 0.5
        cross = torch.linalg.svdvals(ours @ theirs.T).sum()
        spread = covariance.trace() + real["covariance"].trace()
        value = max(0.0, float((mean - real["mean"]).square().sum() + spread - 2 * cross))
    else:
        value = gaussian_distance(real["mean"], real["root"], mean, covariance)
    return Distance(value, _frechet_left_out(real["features"], x) if jackknife else [])


def distance(info: MetricInfo, made: Tensor, real: Real) -> Result:
    """Return the Frechet distance of float32 (n, D) features; an interval needs n >= 2 D."""
    return distance_by_kind(info, made, lambda _: real, torch.zeros(len(made)))


def distance_by_kind(
    info: MetricInfo, made: Tensor, real: Callable[[int], Real], kinds: Tensor
) -> Result:
    """Return the Frechet distance within each kind of content, averaged over kinds.

    made: generated features, (n, D). kinds: the kind of content of each, (n,). real: returns the
    real side of a kind. A method that adds the same glasses for every guide has no low distance
    here. The jackknife leaves out a group in all kinds at once: kinds may share a real side.
    """
    parts = [(made[kinds == kind], real(int(kind))) for kind in kinds.unique()]
    fewest, n = min(min(len(part), len(side["features"])) for part, side in parts), len(made)
    if fewest < 2:
        return Result(status="unavailable", reason=f"{fewest} image: a covariance needs 2", n=n)
    enough = fewest >= 2 * (dimensions := made.shape[1])
    found = [frechet(side, part, jackknife=enough) for part, side in parts]
    detail: dict[str, Any] = {"dimensions": dimensions, "fewest": fewest}
    if len(parts) > 1:
        detail["kinds"] = [of_kind.value for of_kind in found]
    value = float(np.mean([of_kind.value for of_kind in found]))
    if not enough:
        detail["warning"] = f"n below 2 x {dimensions} dimensions: biased, without an interval"
        return Result(value, n=n, detail=detail)
    whole = Distance(value, np.mean([of_kind.left_out for of_kind in found], axis=0).tolist())
    _, hi, corrected = jackknife_interval(*whole)
    detail["bias_corrected"] = [corrected, corrected - (hi - value), corrected + (hi - value)]
    return replace(jackknifed(info, *whole, n), detail=detail)


def _frechet_left_out(real: Tensor, made: Tensor) -> list[float]:
    centre = real.mean(0)  # small sums, so that their differences are exact
    without_real = _moments_left_out(real - centre, "real")
    without_made = _moments_left_out(made - centre, "made")
    return [
        gaussian_distance(mean, symmetric_root(covariance), *other)
        for (mean, covariance), other in zip(without_real, without_made, strict=True)
    ]


def _moments_left_out(x: Tensor, side: str) -> list[tuple[Tensor, Tensor]]:
    """Return the mean and covariance without each group, from sums over the groups."""
    group = folds(len(x), side)
    parts = [x[group == k] for k in range(FOLDS)]
    sums = torch.stack([part.sum(0) for part in parts])
    squares = torch.stack([part.T @ part for part in parts])
    found = []
    for k, part in enumerate(parts):
        n = len(x) - len(part)
        mean = (sums.sum(0) - sums[k]) / n
        square = squares.sum(0) - squares[k]
        found.append((mean, (square - n * torch.outer(mean, mean)) / (n - 1)))
    return found


# --- KID ---------------------------------------------------------------------------------------


def kid(real: Real, made: Tensor) -> Distance:
    """Return the unbiased squared MMD with the cubic kernel (x.y / D + 1)^3.

    Binkowski et al., ICLR 2018. The mean is over all pairs instead of random subsets. It has the
    same expectation and less variance, and needs no random numbers. It can be slightly negative.
    """
    x, y = made.double(), real["features"]
    group_x, group_y = folds(len(x), "made"), folds(len(y), "real")
    xx = _block_sums(_kernel(x, x).fill_diagonal_(0), group_x, None)
    xy = _block_sums(_kernel(x, y), group_x, group_y)
    counts = [torch.bincount(group, minlength=FOLDS).double() for group in (group_x, group_y)]
    values = []
    for leave in (None, *range(FOLDS)):
        keep = torch.ones(FOLDS, dtype=torch.float64)
        if leave is not None:
            keep[leave] = 0
        n, m = (float(count @ keep) for count in counts)
        within = float(keep @ xx @ keep) / (n * (n - 1))
        within += float(keep @ real["kernel"] @ keep) / (m * (m - 1))
        values.append(within - 2 * float(keep @ xy @ keep) / (n * m))
    return Distance(values[0], values[1:])


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def _block_sums(values: Tensor, rows: Tensor, columns: Tensor | None) -> Tensor:
    """Sum (n, m) values over each pair of groups: (K, K) sums."""
    by_row = torch.zeros(FOLDS, values.shape[1], dtype=values.dtype).index_add_(0, rows, values)
    of = rows if columns is None else columns
    return torch.zeros(FOLDS, FOLDS, dtype=values.dtype).index_add_(1, of, by_row)


# --- nearest neighbours ------------------------------------------------------------------------


def neighbourhood(real: Real, made: Tensor, jackknife: bool = True) -> dict[str, Distance]:
    """Return precision, recall, density and coverage of (n, D) features.

    The ball of an item reaches to its k-th nearest neighbour. `NEIGHBOURS` gives k. precision:
    share of generated items inside the ball of a real item. recall: share of real items inside the
    ball of a generated item. density: mean number of real balls that contain a generated item,
    divided by k. coverage: share of real items whose ball contains a generated item. Both sides
    have the same number of items.
    """
    y = real["alone"]
    x = made.double()[: len(y)]
    y = y[: len(x)]
    group_x, group_y = folds(len(x), "made"), folds(len(y), "real")
    between = _squared_distances(x, y)
    k = NEIGHBOURS["recall"]
    ours = _radii(_squared_distances(x, x), (k,), group_x, jackknife)[k]
    precise, dense = (
        real[f"radii{NEIGHBOURS[name]}"][: len(ours)] for name in ("precision", "density")
    )
    of_real = _within(between, dense.nan_to_num(0).amax(0))
    of_made = _within(between, ours.nan_to_num(0).amax(0).unsqueeze(1))
    found: dict[str, list[float]] = {name: [] for name in NEIGHBOURS}
    for at in range(len(ours)):  # items left out have radius NaN: empty balls
        some_x, some_y = group_x != at - 1, group_y != at - 1
        made_left, real_left = int(some_x.sum()), int(some_y.sum())

        row, column, d = of_real
        kept = some_x.index_select(0, row)
        near = row[kept & (d <= precise[at].index_select(0, column))]
        wide = column[kept & (d <= dense[at].index_select(0, column))]
        found["precision"].append(_distinct(near, len(x)) / made_left)
        found["density"].append(len(wide) / made_left / NEIGHBOURS["density"])
        found["coverage"].append(_distinct(wide, len(y)) / real_left)

        row, column, d = of_made
        kept = some_y.index_select(0, column)
        reached = column[kept & (d <= ours[at].index_select(0, row))]
        found["recall"].append(_distinct(reached, len(y)) / real_left)
    return {name: Distance(values[0], values[1:]) for name, values in found.items()}


Pairs = tuple[Tensor, Tensor, Tensor]
"""Pairs of a generated and a real item: rows, columns and squared distances, each (P,)."""


def _within(distances: Tensor, reach: Tensor) -> Pairs:
    """Return the pairs whose distance is at most `reach`, an upper bound of all radii.

    There are usually few such pairs, so that leaving out a group is cheap.
    """
    row, column = (distances <= reach).nonzero(as_tuple=True)
    return row, column, distances[row, column]


def _distinct(indices: Tensor, n: int) -> int:
    return int(torch.zeros(n, dtype=torch.bool).index_fill_(0, indices, True).sum())


_SPARE = 10
"""Number of extra neighbours that are kept, because a group that is left out removes some."""


def _radii(
    distances: Tensor, ks: Sequence[int], group: Tensor, jackknife: bool = True
) -> dict[int, Tensor]:
    """Return for each k the squared distance of each item to its k-th neighbour, (1 + K, n).

    The first row uses all items. Each further row leaves out one group, whose items get NaN. An
    item is not its own neighbour.
    """
    n = len(distances)
    near = distances.topk(min(n, max(ks) + 1 + _SPARE * jackknife), largest=False)
    found = {k: near.values[:, k].repeat(1 + FOLDS * jackknife, 1) for k in ks}
    for fold in range(FOLDS * jackknife):
        left = group != fold
        rank = left[near.indices].cumsum(1)  # 1 is the item itself, k + 1 its k-th neighbour
        for k, radii in found.items():
            at = (rank <= k).sum(1, keepdim=True)
            radii[1 + fold] = near.values.gather(1, at.clamp_max(rank.shape[1] - 1)).squeeze(1)
            for row in (left & (rank[:, -1] <= k)).nonzero().flatten():  # too few neighbours left
                radii[1 + fold, row] = distances[row, left].kthvalue(k + 1).values
            radii[1 + fold, ~left] = torch.nan
    return found


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return squared distances, (n, m). The inputs are float64, so that rounding is negligible."""
    centre = y.mean(0)
    x, y = x - centre, y - centre
    total = x.square().sum(1, keepdim=True) + y.square().sum(1)
    return total.sub_(2 * x @ y.T).clamp_min_(0)  # in place: allocation costs more than the sums


def _first_of_equals(x: Tensor) -> Tensor:
    """Return the sorted indices of the items that differ from all earlier items."""
    _, which = torch.unique(x, dim=0, return_inverse=True)
    first = torch.full((int(which.max()) + 1,), len(x))
    first.scatter_reduce_(0, which, torch.arange(len(x)), "amin")
    return first.sort().values


@dataclass(frozen=True)
class Reference:
    """The data that distances need: for the real images of a domain and of each kind of content."""

    tensors: Mapping[str, Tensor]
    kinds: Tensor | None

    def of_kind(self, kind: int) -> Mapping[str, Tensor]:
        """Return the real side of the images with one kind of content."""
        assert self.kinds is not None
        return gaussian_side(self.tensors["features"][self.kinds == kind])

    def floor(self, measure: str) -> dict[str, float]:
        """Return {"floor": the distance between real images}, or {} if there are too few images."""
        name = f"floor_{measure}"
        return {"floor": float(self.tensors[name])} if name in self.tensors else {}


def reference(
    extractor: Extractor, data: TaskData, domain: int, matched: int, cache: Path | None
) -> Reference:
    """Return the real side of a domain, which consists of its *probe* images.

    matched: the number of generated images. The floors are the distances between the *probe* images
    and at most `matched` *test* images of the domain. Without a cache folder, everything is
    computed.
    """
    real = data.domains["probe"][domain].images
    held_out = data.domains["test"][domain].images[:matched]

    def make() -> dict[str, Tensor]:
        tensors = real_side(extractor.features(real), matched)
        others = extractor.features(held_out)
        floors = {}
        if min(len(others), len(real)) > 1:
            floors["floor_fd"] = frechet(tensors, others, jackknife=False).value
        if "kernel" in tensors and len(others) >= FEWEST:
            floors["floor_kid"] = kid(tensors, others).value
        return tensors | {k: torch.tensor(v, dtype=torch.float64) for k, v in floors.items()}

    if cache is None:
        tensors = make()
    else:
        images = content_hash({"real": real, "held_out": held_out})
        key = (
            f"{FORMAT}|{images}|{extractor.name}|float32|{len(real)}|{matched}|{torch.__version__}"
        )
        name = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        tensors = keep_if_possible(cache / f"real-{name}.safetensors", make)
    kinds = data.kinds("probe", domain) if data.spec.kinds else None
    return Reference(tensors, kinds)
