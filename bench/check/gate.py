"""The three-way gate: is a number worse by more than is tolerated, surely not, or can none tell?

Pure statistics over seeds. Values are oriented first, so that larger is worse, and put on the log
scale where their spread is relative; all else is Welch's test, or the paired one where both sides
have the same seeds, with Holm's correction over all comparisons of a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
ALARM = 0.01
"""The chance, over all comparisons of a check, of calling worse what is not."""
CERTAINTY = 0.05
"""The chance, of one comparison, of calling fine what is worse by more than is tolerated."""
FEWEST_SEEDS = 3
"""Seeds of each side below which a spread means nothing."""
SLOWER = 0.35
"""How much slower, in CPU seconds, is put down to noise."""
SPREADS = 2.0
"""How many standard deviations of the baseline's seeds are always tolerated."""


class Shift(NamedTuple):
    """By how much the second sample is larger, with its standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float


UNKNOWN = Shift(0.0, float("inf"), 1.0)
"""What is said of values that are too far apart to compute with: nothing."""
HUGE = 1e150
"""The variance above which its square is no number."""


def oriented(values: Sequence[float], better: str, relative: bool) -> Values:
    """Return values so that larger is worse: negated, or the distance from 1; logs if relative.

    Raises:
        ValueError: a relative value is not above zero.
    """
    x = np.asarray(values, dtype=np.float64)
    if relative:
        if (x <= 0).any():
            raise ValueError("a value on the log scale must be above zero")
        x = np.log(x)
    if better == "near 1":
        return np.abs(x if relative else x - 1)
    return -x if better == "higher" else x


def welch(base: Values, new: Values) -> Shift:
    """Return the shift between two samples of unequal variance (Welch, Biometrika 1947)."""
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [sample.var(ddof=1) / len(sample) for sample in (base, new)]
        total = float(sum(parts))
        below = sum(p**2 / (len(x) - 1) for p, x in zip(parts, (base, new), strict=True))
    if not total < HUGE:
        return UNKNOWN
    freedom = total**2 / below if below > 0 else len(base) + len(new) - 2.0
    return Shift(float(new.mean() - base.mean()), total**0.5, float(freedom))


def paired(base: Values, new: Values) -> Shift:
    """Return the shift between two samples whose items belong together."""
    with np.errstate(over="ignore", invalid="ignore"):
        apart = new - base
        shift = Shift(
            float(apart.mean()), float(apart.std(ddof=1) / len(apart) ** 0.5), len(apart) - 1.0
        )
    return shift if np.isfinite(shift).all() else UNKNOWN


def chance_above(shift: Shift, limit: float) -> float:
    """Return the p value of "the true shift is at most the limit", against "it is larger"."""
    if shift.error == 0:
        return 0.0 if shift.mean > limit else 1.0
    chance = float(stats.t.sf((shift.mean - limit) / shift.error, shift.freedom))
    return 1.0 if np.isnan(chance) else chance  # of what cannot be computed nothing is sure


def holm(chances: Sequence[float], level: float) -> list[bool]:
    """Return which hypotheses Holm's procedure rejects (Scandinavian J. of Statistics 1979)."""
    rejected = [False] * len(chances)
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    for place, at in enumerate(order):
        if chances[at] > level / (len(chances) - place):
            break
        rejected[at] = True
    return rejected


@dataclass(frozen=True)
class Comparison:
    """What is known of one number: its shift towards worse, and how much of it is tolerated."""

    shift: Shift
    delta: float


def judge(
    comparisons: Sequence[Comparison], alarm: float = ALARM, certainty: float = CERTAINTY
) -> list[str]:
    """Return "regressed", "improved", "pass" or "inconclusive" for each comparison of a check.

    regressed: surely worse by more than delta, Holm's correction over all. improved: the same in
    the other direction. pass: surely not worse by more than delta. Otherwise none can tell.
    """
    worse = holm([chance_above(c.shift, c.delta) for c in comparisons], alarm)
    better = holm([chance_above(_turned(c.shift), c.delta) for c in comparisons], alarm)
    verdicts = []
    for at, c in enumerate(comparisons):
        if worse[at]:
            verdicts.append("regressed")
        elif better[at]:
            verdicts.append("improved")
        else:
            fine = chance_above(_turned(c.shift), -c.delta) <= certainty
            verdicts.append("pass" if fine else "inconclusive")
    return verdicts


def _turned(shift: Shift) -> Shift:
    return shift._replace(mean=-shift.mean)
