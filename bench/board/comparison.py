"""Compares two methods by the same seeds and the same test items.

What two methods share, such as an easy test set, cancels in their difference. So the interval of a
difference can exclude 0 where the intervals of the two methods overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import stdtr  # importing scipy.stats takes a second

from bench.board.columns import badness
from bench.board.samples import LEVEL, Sample, errors, holm, t_interval
from bench.board.side import Scale, Side, on_scale, paired
from bench.contracts.metric import Better, MetricInfo
from bench.contracts.record import Record

FEWEST_SEEDS = 2
"""With one common seed nothing is tested: its items do not show how another training would end."""
_TOGETHER = 64
"""How many pairs are computed at once."""


@dataclass(frozen=True)
class Difference:
    """A metric of one method minus that of another.

    Args:
        left, right: The labels of the two.
        metric: The id of the metric.
        value: left - right, the mean over the seeds that both have. See ``scale``.
        lo, hi: Its interval: 95 % for a single difference; see `adjusted` for several. With one
            seed, it is for other test items only. NaN for one seed without items.
        chance: The p of a two-sided test: the chance of a difference at least as far from ``null``
            if the true one is ``null``. NaN if nothing is tested (see `FEWEST_SEEDS`).
        n_seeds: The number of seeds that both have.
        better: The direction of ``value`` that is better for the left one.
        tolerance: The largest absolute difference without practical importance.
        error, df: The standard error and its degrees of freedom.
        scale: What is subtracted: the values, their logarithms, or their distances from 1.
        null: The difference that ``chance`` tests.
    """

    left: str
    right: str
    metric: str
    value: float
    lo: float
    hi: float
    chance: float
    n_seeds: int
    better: Better
    tolerance: float
    error: float
    df: float
    scale: Scale
    null: float = 0.0

    @property
    def is_tested(self) -> bool:
        """Whether there are enough seeds for a test."""
        return not math.isnan(self.chance)

    @property
    def is_tie(self) -> bool:
        """Whether the two count as equal: 0 lies in the interval, or all of it is tolerable.

        Nothing is said of two that were not tested.
        """
        return self.is_tested and self._is_small

    @property
    def _is_small(self) -> bool:
        return self.lo <= 0 <= self.hi or max(-self.lo, self.hi) <= self.tolerance

    @property
    def winner(self) -> str:
        """The label of the better one. It is '' if they tie, or if nothing was tested."""
        if self._is_small or not self.is_tested:
            return ""
        return self.left if (self.value > 0) == (self.better == "higher") else self.right


def difference(
    left: Sequence[Record],
    right: Sequence[Record],
    info: MetricInfo,
    details: tuple[str, str] = ("", ""),
    budget: float = 1.0,
    labels: tuple[str, str] | None = None,
    null: float = 0.0,
) -> Difference | None:
    """Return the difference of two methods in one metric, paired over seeds and items.

    The variance of the mean difference is that of `bench.board.samples`, for the differences of
    each seed and each item. Items count if both have equally many; they must be in the same order.
    A metric on the log scale is compared by its logarithm, so that the difference is that of a
    ratio. A share is compared as it is: its difference is near normal also where the share itself
    is not. A metric that should be near 1 is compared by its distance from 1. If parts of a score
    are clipped, the seeds look more alike than they are: what the parts show before they are
    clipped is added to the variance (see `bench.board.intervals.interval_of_parts`).

    Args:
        left: The records of one row, one for each seed.
        right: Those of another row. Seeds that only one of them has are left out. An anchor that
            depends on no seed is compared with each seed of the other.
        info: The facts about the metric.
        details: For each side the path of a number in the detail of the metric, or '' for the
            metric itself (see `bench.board.samples.entries_of`).
        budget: The fraction of the training at which they are compared. Below 1 it is a point of
            the curve, which has no items. An anchor without training is the same at each budget.
        labels: The labels of the two; None for those of the records.
        null: The difference that ``chance`` tests.

    Returns:
        The difference with its 95 % interval; None if they have no seed in common.
    """
    sides = [
        Side(records, info, detail, budget)
        for records, detail in zip((left, right), details, strict=True)
    ]
    names = labels or (str(left[0]["label"]), str(right[0]["label"]))
    return next(_differences([_Pair(names, *sides)], info, null), None)


@dataclass(frozen=True)
class _Pair:
    """Two rows to compare. labels: those of both."""

    labels: tuple[str, str]
    left: Side
    right: Side


def _differences(
    pairs: Iterable[_Pair], info: MetricInfo, null: float = 0.0
) -> Iterator[Difference]:
    """Yield the difference of each pair that has a seed in common, with its 95 % interval."""
    seeds = {pair: found for pair in pairs if (found := paired(pair.left, pair.right))[0]}
    chosen = [(pair.left.at(one), pair.right.at(other)) for pair, (one, other) in seeds.items()]
    scaled = [on_scale(*sides, info) for sides in chosen]
    measured = _measured([(one, other) for one, other, _, _ in scaled])
    for pair, sides, (_, _, scale, tolerance), (value, error, df) in zip(
        seeds, chosen, scaled, measured, strict=True
    ):
        n_seeds = len(sides[0].entries)
        if scale == "difference" and n_seeds > 1:
            error = math.hypot(error, *(side.clipped_error for side in sides))
        has_seeds = not (pair.left.has_no_seed and pair.right.has_no_seed)
        tested = n_seeds >= FEWEST_SEEDS or not has_seeds
        lo, hi = t_interval(value, error, df)
        yield Difference(
            *pair.labels,
            metric=info.id,
            value=value,
            lo=lo,
            hi=hi,
            chance=_chance(value - null, error, df) if tested else math.nan,
            n_seeds=n_seeds,
            better="lower" if info.better == "near 1" else info.better,
            tolerance=tolerance,
            error=error,
            df=df,
            scale=scale,
            null=null,
        )


def _measured(pairs: Sequence[tuple[Sample, Sample]]) -> list[tuple[float, float, float]]:
    """Return the mean difference of each pair of samples, its standard error, its degrees.

    Pairs of one shape are computed together, some at a time so that they need little memory.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for at, (one, other) in enumerate(pairs):
        same = one.deviations.shape == other.deviations.shape  # otherwise items do not match
        alike.setdefault((len(one.values), one.deviations.shape[1] if same else 0), []).append(at)
    found = [(math.nan, math.nan, math.nan)] * len(pairs)
    for (_, n_items), places in alike.items():
        for first in range(0, len(places), _TOGETHER):
            some = places[first : first + _TOGETHER]
            values, items = (
                np.stack([one - other for one, other in sides])
                for sides in (
                    [(pairs[at][0].values, pairs[at][1].values) for at in some],
                    [tuple(one.deviations[:, :n_items] for one in pairs[at]) for at in some],
                )
            )
            of_some, df = errors(values, items)
            for at, mean, error in zip(some, values.mean(1), of_some, strict=True):
                found[at] = float(mean), float(error), df
    return found


def adjusted(differences: Sequence[Difference], family: int = 0) -> list[Difference]:
    """Return differences with p and intervals adjusted for their number, in the same order.

    Holm (1979): among m tested differences, the one with the k-th lowest p has an interval of level
    1 - .05 / (m - k + 1). From the first one on that contains its ``null``, all have the level of
    this one. So an interval contains the null if and only if the adjusted p is not below .05. If
    all nulls are true, the chance that an interval excludes its null is at most 5 %.

    Args:
        differences: The differences. Those that are not tested stay as they are.
        family: The number m of hypotheses, if more were stated than are tested here. The others
            count as not rejected.
    """
    tested = sorted(
        (at for at, one in enumerate(differences) if one.is_tested),
        key=lambda at: differences[at].chance,
    )
    m = max(family, len(tested))
    divisors = m - np.arange(len(tested))
    chances = holm([differences[at].chance for at in tested], m)
    rejected = sum(chance < 1 - LEVEL for chance in chances)
    divisors = divisors.clip(min=max(1, m - rejected))
    found = list(differences)
    for at, chance, divisor in zip(tested, chances, divisors, strict=True):
        one = found[at]
        lo, hi = t_interval(one.value, one.error, one.df, 1 - (1 - LEVEL) / divisor)
        found[at] = replace(one, lo=lo, hi=hi, chance=chance)
    return found


def every_pair(rows: Mapping[str, Sequence[Record]], info: MetricInfo) -> list[Difference]:
    """Return the difference of each pair of rows in one metric, adjusted for their number.

    rows: The records of each row, by its label. Of two rows, the first one is on the left.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # values can be near the largest number
        sides = {label: Side(records, info) for label, records in rows.items()}
        pairs = (_Pair(both, *(sides[one] for one in both)) for both in combinations(rows, 2))
        return adjusted(list(_differences(pairs, info)))


def best_and_ties(
    values: Mapping[str, float], better: Better, differences: Sequence[Difference]
) -> set[str]:
    """Return the best method and all that tie with it.

    It is empty if fewer than two methods have a value, or if the best was tested against none: one
    seed makes no best.

    Args:
        values: The value of each method.
        better: The direction of the metric.
        differences: The adjusted differences of these methods.
    """
    if len(values) < 2:
        return set()
    best = min(values, key=lambda name: (badness(values[name], better), name))
    pairs = [one for one in differences if best in (one.left, one.right) and one.is_tested]
    ties = {name for one in pairs if one.is_tie for name in (one.left, one.right)}
    return {best} | ties if pairs else set()


def _chance(value: float, error: float, df: float) -> float:
    """Return the two-sided p of Student's test."""
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(df, -abs(value) / error))
