"""The three-way gate: is a number worse by more than the tolerance, is it not, or is it unclear?

The gate compares values over seeds. It first orients the values so that larger is worse, and takes
logs if the spread over seeds is proportional to the value. The test is Welch's t-test, or the
paired t-test if both sides have the same seeds. Holm's correction covers all comparisons of a
check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr  # importing scipy.stats takes a second

from bench.board.samples import holm, t_interval

Values = NDArray[np.float64]
ALARM = 0.01
"""The chance that a check calls any number worse if none is."""
CERTAINTY = 0.05
"""The chance that one comparison passes a number that is worse by more than is tolerated."""
FEWEST_SEEDS = 3
"""The fewest seeds of each side from which a spread is computed."""
SLOWER = 0.35
"""The share of CPU seconds by which noise may slow a training down."""
SPREADS = 2.0
"""The number of standard deviations over the baseline's seeds that is always tolerated."""
HUGE = 1e150
"""The variance from which on squares overflow."""


@dataclass(frozen=True)
class Shift:
    """The samples of a test. The shift is the second mean minus the first.

    Attributes:
        new: The second sample, or the differences if samples are paired, (n,).
        base: The first sample, (m,), or None if samples are paired.
    """

    new: Values
    base: Values | None = None

    @property
    def mean(self) -> float:
        """The mean shift, or 0 if the values are too large for a computation."""
        if not self.is_computable:
            return 0.0
        return float(self.new.mean() - (0.0 if self.base is None else self.base.mean()))

    @property
    def is_computable(self) -> bool:
        """Whether the squares of means and variances are finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            moments = [(x.mean(), x.var(ddof=1)) for x in self._samples]
        return all(np.isfinite(mean) and variance < HUGE for mean, variance in moments)

    @property
    def has_spread(self) -> bool:
        """Whether a sample has values that differ."""
        return any(x.std(ddof=1) > 0 for x in self._samples)

    @property
    def _samples(self) -> list[Values]:
        return [x for x in (self.base, self.new) if x is not None]

    def turned(self) -> Shift:
        """Return the shift in the other direction."""
        return Shift(-self.new, None if self.base is None else -self.base)


def oriented(values: Sequence[float], better: str, relative: bool) -> Values:
    """Return values oriented so that larger is worse, as logs if relative.

    For "near 1", return the distance from 1.

    Raises:
        ValueError: A relative value is not positive.
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
    """Return the shift between two samples whose variances may differ."""
    return Shift(new, base)


def paired(base: Values, new: Values) -> Shift:
    """Return the shift between two samples whose items form pairs."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Shift(new - base)


def chance_above(shift: Shift, limit: float) -> float:
    """Return the p-value of "the true shift is at most the limit" against "it is larger"."""
    if not shift.is_computable:
        return 1.0
    if not shift.has_spread:
        return 0.0 if shift.mean > limit else 1.0
    new, base = shift.new, shift.base
    with np.errstate(all="ignore"):
        squares = [x.var(ddof=1) / len(x) for x in ((new,) if base is None else (new, base))]
        error = np.sqrt(sum(squares))
        # Welch-Satterthwaite; for one sample these are its n - 1 degrees of freedom
        sizes = (len(new),) if base is None else (len(new), len(base))
        freedom = error**4 / sum(v**2 / (n - 1) for v, n in zip(squares, sizes, strict=True))
        chance = float(stdtr(freedom, -(shift.mean - limit) / error))
    return 1.0 if np.isnan(chance) else chance


def interval(values: Values) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of (n,) values."""
    if not values.std(ddof=1) > 0:
        return float(values.mean()), float(values.mean())
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return t_interval(float(values.mean()), error, len(values) - 1)


@dataclass(frozen=True)
class Comparison:
    """One number: its shift towards worse, and the tolerance delta."""

    shift: Shift
    delta: float


def rejected(chances: Sequence[float], level: float) -> list[bool]:
    """Return which hypotheses Holm's procedure rejects at a level."""
    return [chance <= level for chance in holm(chances)]


def judge(
    comparisons: Sequence[Comparison], alarm: float = ALARM, certainty: float = CERTAINTY
) -> list[str]:
    """Return "regressed", "improved", "pass" or "inconclusive" for each comparison of a check.

    regressed: significantly worse by more than delta, with Holm's correction over all comparisons.
    improved: significantly better by more than delta, with the same correction. pass: significantly
    not worse by more than delta. inconclusive: none of these.
    """
    worse = rejected([chance_above(c.shift, c.delta) for c in comparisons], alarm)
    better = rejected([chance_above(c.shift.turned(), c.delta) for c in comparisons], alarm)
    verdicts = []
    for at, c in enumerate(comparisons):
        if worse[at]:
            verdicts.append("regressed")
        elif better[at]:
            verdicts.append("improved")
        else:
            fine = chance_above(c.shift.turned(), -c.delta) <= certainty
            verdicts.append("pass" if fine else "inconclusive")
    return verdicts
