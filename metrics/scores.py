"""Scores of transfer that copying or a constant cannot earn: harmonic means of parts.

Each part compares the results with true pixels, and each is 1 for the truth. A part is 0 for a
trick: copying the source changes nothing, copying the guide or a random face keeps nothing, and a
constant picture or the truth of another pair does not follow the pair. The harmonic mean is 0 if
one part is 0, so a trick earns nothing, whatever its other parts are.

All parts have the form 1 - sum(above) / sum(below) over the test pairs, bounded to [0, 1].
`metrics.judged` combines parts of another kind in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import hmean
from torch import Tensor

from bench.contracts.images import of_neighbours
from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData
from bench.metrics._statistics import Array, couples, estimate, ratio_of_sums
from bench.metrics.counterfactual import harm, nearer, rank, skill


@dataclass(frozen=True)
class Part:
    """One part of a score.

    says: what it means. unclipped: a function that returns the part before it is bounded to [0, 1],
    for (draws, n / 2) weights of the couples of neighbouring pairs: (draws,). empty: why it has no
    value, or ''.
    """

    says: str
    unclipped: Callable[[Array], Array]
    empty: str = ""

    def value(self, weights: Array) -> Array:
        """Return the part, bounded to [0, 1], for (draws, n / 2) weights: (draws,)."""
        return self.unclipped(weights).clip(0, 1)


Parts = Mapping[str, Part]
"""The parts of a score by their letters."""


def combined(
    info: MetricInfo,
    sides: Mapping[str, Parts],
    n: int,
    extractor: str = "",
    judge: Mapping[str, Any] | None = None,
) -> Result:
    """Return the mean over sides of the harmonic mean of the parts of a side.

    The interval draws couples of neighbouring pairs, because two neighbours share their guides. The
    parts are bounded in each draw, so the score of a part just below 0 has an upper end above 0.

    Args:
        info: The score.
        sides: The parts of each side, by its name.
        n: The number of pairs.
        extractor: The extractor of the judge, or ''.
        judge: What the detail says about the judge, if there is one.

    Returns:
        The score. Its detail has the keys ``order`` (the letters), ``sides`` (the letters of each
        side), ``parts`` (values in [0, 1] by letter), ``says`` (what each part means),
        ``unclipped`` (the parts before they are bounded),
        ``without`` (the score that results if one part, or one of several sides, is left out) and,
        if there are several sides, ``scores`` (the value of each side). It is unavailable if a part
        has no value.
    """
    parts = {letter: part for side in sides.values() for letter, part in side.items()}
    for part in parts.values():
        if part.empty:
            return Result(status="unavailable", reason=part.empty, n=n, detail=dict(judge or {}))
    once = np.ones((1, n // 2))

    def score(of: Mapping[str, Parts], without: str = "") -> float:
        return _score(of, once, without)[0].item()

    several = list(sides) if len(sides) > 1 else []
    detail: dict[str, Any] = {
        "order": list(parts),
        "sides": {side: list(of_side) for side, of_side in sides.items()},
        "parts": {letter: part.value(once)[0].item() for letter, part in parts.items()},
        "says": {letter: part.says for letter, part in parts.items()},
        "unclipped": {letter: part.unclipped(once)[0].item() for letter, part in parts.items()},
        "without": {each: score(sides, each) for each in [*several, *parts]},
    }
    if several:
        detail["scores"] = {side: score({side: sides[side]}) for side in several}
    result = estimate(info, partial(_score, sides), n // 2, info.id)
    return replace(result, n=n, extractor=extractor, detail=detail | dict(judge or {}))


def _score(sides: Mapping[str, Parts], weights: Array, without: str = "") -> Array:
    """Return the score for weights of couples, (draws,).

    without: the letter of a part or the name of a side that is left out, or ''.
    """
    means = [
        hmean([part.value(weights) for letter, part in parts.items() if letter != without], axis=0)
        for name, parts in sides.items()
        if name != without
    ]
    return np.asarray(np.mean(means, axis=0))


class Scores(Metric):
    """Scores of add and of remove, and their mean, which orders the boards."""

    name = "scores"
    summary = "scores of add and remove from true pixels, which no copy and no constant earns"
    version = 2
    position = 35
    numbers = (
        MetricInfo(
            id="transfer",
            unit="",
            better="higher",
            meaning="mean of the add and the remove score; 1 = truth, 0 = a copy or a constant",
            label="transfer",
            group="Scores",
            bounds=(0.0, 1.0),
            keeps_items=True,
            main=True,
            orders=1,
            tolerance=0.01,
            exact={
                "ground-truth": (1.0, "the truth has a transfer of 1"),
                "copy-source": (0.0, "copying the source has a transfer of 0"),
            },
            in_curve=True,
            needs=("add", "other", "remove"),
            needs_truth=True,
        ),
        MetricInfo(
            id="add_score",
            unit="",
            better="higher",
            meaning="harmonic mean of A (change made right), K (source kept), F (guide followed)",
            label="add score",
            group="Scores",
            bounds=(0.0, 1.0),
            keeps_items=True,
            follows_guide=True,
            main=True,
            exact={
                "ground-truth": (1.0, "the truth has an add score of 1"),
                "copy-source": (0.0, "copying the source has an add score of 0"),
                "copy-guide": (0.0, "copying the guide has an add score of 0"),
            },
            in_curve=True,
            needs=("add", "other"),
            needs_truth=True,
        ),
        MetricInfo(
            id="remove_score",
            unit="",
            better="higher",
            meaning="harmonic mean of R (change made right), K' (image kept), I (own image)",
            label="remove score",
            group="Scores",
            bounds=(0.0, 1.0),
            keeps_items=True,
            main=True,
            exact={
                "ground-truth": (1.0, "the truth has a remove score of 1"),
                "copy-source": (0.0, "copying the source has a remove score of 0"),
            },
            in_curve=True,
            needs=("remove",),
            needs_truth=True,
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted scores. `combined` describes their detail."""
        ids = {info.id for info in wanted}
        sides = {
            name: make(artefacts.tensors, data)
            for name, make in MAKERS.items()
            if ids & {name, "transfer"}
        }
        n = len(data.test_pairs[0])
        results = {}
        for info in wanted:
            of_score = sides if info.id == "transfer" else {info.id: sides[info.id]}
            results[info.id] = combined(info, of_score, n)
        return results

    def point(self, name: str, images: Mapping[str, Tensor], data: TaskData) -> float | None:
        """Return the `add_score` or the `remove_score` of images, without its interval.

        It is None if a part has no value.
        """
        parts = MAKERS[name](images, data)
        if any(part.empty for part in parts.values()):
            return None
        return float(_score({name: parts}, np.ones((1, len(data.test_pairs[0]) // 2)))[0])


def add_parts(images: Mapping[str, Tensor], data: TaskData) -> Parts:
    """Return the parts A, K and F of the add score.

    A is `cf_skill_in_add`. K is 1 - (harm of the results) / (harm of the guides as results). F is
    2 P - 1, where P is `cf_rank_add`.
    """
    truth = data.truth
    assert truth is not None
    a, b = data.test_pairs
    won = rank(images["add"], images["other"], truth)
    return {
        "A": _right(images["add"], a, truth.add),
        "K": _kept("source kept", images["add"], b, a, truth.add),
        "F": _followed("guide followed", won, "the guides of all pairs give the same truth"),
    }


def remove_parts(images: Mapping[str, Tensor], data: TaskData) -> Parts:
    """Return the parts R, K' and I of the remove score.

    R is `cf_skill_in_remove`. K' is 1 - (harm of the results) / (harm of an image of A as result).
    That image is the test image of A with the same index: it is random, because the images of A and
    B are drawn independently. I is 2 P - 1, where P is the share of results that are nearer to
    their own truth than to that of the neighbouring pair. A tie counts half, and pairs with equal
    truths are left out.
    """
    truth = data.truth
    assert truth is not None
    a, b = data.test_pairs
    won = nearer(images["remove"], truth.remove, of_neighbours(truth.remove))
    return {
        "R": _right(images["remove"], b, truth.remove),
        "K'": _kept("image kept", images["remove"], a, b, truth.remove),
        "I": _followed(
            "own image, not its neighbour", won, "all neighbouring pairs have the same truth"
        ),
    }


MAKERS = {"add_score": add_parts, "remove_score": remove_parts}
"""What makes the parts of each side of `transfer`."""


def _right(output: Tensor, source: Tensor, truth: Tensor) -> Part:
    empty = "the truth of no pair changes a pixel"
    return _ratio("change made right", *skill(output, source, truth), empty)


def _kept(says: str, output: Tensor, stranger: Tensor, source: Tensor, truth: Tensor) -> Part:
    """Return 1 for no change outside the true change, and 0 for as much as by a stranger."""
    change, of_stranger = (harm(images, source, truth)[0] for images in (output, stranger))
    empty = "no other image differs from a source outside its true change"
    return _ratio(says, change, of_stranger, empty)


def _followed(says: str, won: Array, empty: str) -> Part:
    """Return 2 P - 1, where P is the share of wins among (n,) values, NaN for no value."""
    valued = ~np.isnan(won)
    return _ratio(says, np.where(valued, 2 * (1 - won), 0), valued.astype(np.float64), empty)


def _ratio(says: str, above: Array, below: Array, empty: str) -> Part:
    """Return the part 1 - sum(above) / sum(below) of (n,) values of the pairs."""
    above, below = couples(above), couples(below)

    def unclipped(weights: Array) -> Array:
        return 1 - ratio_of_sums(weights, above, below)

    return Part(says, unclipped, "" if below.any() else empty)
