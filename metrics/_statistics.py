"""Confidence intervals. The seed of each random draw follows from its role."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.utils.seeds import derive

Array = NDArray[np.float64]
LEVEL = 0.95
DRAWS = 1000


def generator(*role: object) -> np.random.Generator:
    """Return the random generator of a role."""
    return np.random.default_rng(derive("statistics", *role))


def bootstrap(
    statistic: Callable[[Array], Array], n: int, *role: object, draws: int = DRAWS
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a statistic of n items.

    The statistic takes weights, (draws, n): how often each item was drawn. It returns (draws,)
    values. Draws without a value are ignored.
    """
    weights = generator("bootstrap", n, *role).multinomial(n, np.full(n, 1 / n), size=draws)
    values = statistic(weights.astype(np.float64))
    lo, hi = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(lo), float(hi)


def couples(items: Array) -> Array:
    """Return the sums over couples of neighbouring pairs of (..., n) values: (..., n / 2)."""
    return np.asarray(items.reshape(*items.shape[:-1], -1, 2).sum(-1), dtype=np.float64)


def ratio_of_sums(weights: Array, above: Array, below: Array) -> Array:
    """Return sum(above) / sum(below) over n items for (draws, n) weights: (draws,).

    A draw whose second sum is 0 has no finite value.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ above) / (weights @ below))


def ratio_interval(above: Array, below: Array, *role: object) -> tuple[float, float]:
    """Return the bootstrap interval of `ratio_of_sums` of (n,) items."""
    return bootstrap(lambda w: ratio_of_sums(w, above, below), len(above), *role)


def mean_interval(items: Array, *role: object) -> tuple[float, float]:
    """Return the bootstrap interval of the mean of (n,) items."""
    return bootstrap(lambda w: w @ items / w.sum(1), len(items), *role)


def jackknife_interval(value: float, left_out: Sequence[float]) -> tuple[float, float, float]:
    """Return the 95 % jackknife interval (lo, hi) of a value, and its bias-corrected value.

    ``left_out`` holds the statistic without each of K groups of items. The interval is Student's
    with K - 1 degrees of freedom. It is not a bootstrap, because the plain bootstrap interval of a
    Frechet distance never covers the true value.
    """
    groups = np.asarray(left_out)
    k = len(groups)
    error = float(np.sqrt((k - 1) / k * np.square(groups - groups.mean()).sum()))
    corrected = float(k * value - (k - 1) * groups.mean())
    reach = float(stats.t.ppf((1 + LEVEL) / 2, k - 1)) * error
    return value - reach, value + reach, corrected
