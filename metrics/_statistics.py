"""Values with their intervals and items. The seed of each random draw follows from its role.

`estimate` and `finish` make all results with an interval, so one rule holds for every metric: no
interval leaves the bounds of its number. An interval comes from one of three sources. Shares of
items have an interval on the logit scale. Distances have a jackknife interval. All others have a
bootstrap interval. For a number that a probe measures, the interval also includes the fitting of
the probe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from bench.contracts.metric import MetricInfo, Result
from bench.utils.seeds import derive

Array = NDArray[np.float64]
Interval = tuple[float, float]
Statistic = Callable[[Array], Array]
"""A function of weights, (draws, n): how often each item counts. It returns (draws,) values. It
does not change if all weights are multiplied by one number."""
LEVEL = 0.95
DRAWS = 1000
_Z = float(stats.norm.ppf((1 + LEVEL) / 2))
_STEP, _ROWS = 1e-4, 256


def generator(*role: object) -> np.random.Generator:
    """Return the random generator of a role."""
    return np.random.default_rng(derive("statistics", *role))


# --- results -------------------------------------------------------------------------------------


def estimate(
    info: MetricInfo,
    statistic: Statistic,
    n: int,
    *role: object,
    trials: int | None = None,
    left_out: Sequence[float] = (),
    draws: int = DRAWS,
) -> Result:
    """Return the value of a statistic of n items, with its 95 % interval and its items.

    Args:
        info: The number. If its scale is "logit", the interval is that of `share_interval`. All
            others have the interval of `bootstrap`.
        statistic: See `Statistic`.
        n: The number of items.
        role: What seeds the draws.
        trials: The number of independent items that count, if some of the n never do.
        left_out: The values without each group of the items that a probe was fitted on (see
            `widened`). Empty if there is no probe.
        draws: The number of bootstrap draws.
    """
    value = float(statistic(np.ones((1, n)))[0])
    items = contributions(statistic, n) if info.scale == "logit" or info.keeps_items else None
    if info.scale == "logit":
        assert items is not None
        error = float(items.std() / np.sqrt(n))
        interval = share_interval(value, error, n if trials is None else trials)
    else:
        interval = bootstrap(statistic, n, *role, draws=draws)
    return finish(info, value, interval, n, items, left_out)


def finish(
    info: MetricInfo,
    value: float,
    interval: Interval,
    n: int,
    items: Array | None = None,
    left_out: Sequence[float] = (),
) -> Result:
    """Return a value as a result whose interval includes the value and stays inside the bounds.

    Args:
        info: The number, with its bounds.
        value: Its value, which is clipped to the bounds.
        interval: Its 95 % interval over items, before it is clipped.
        n: The number of items that the board shows.
        items: Their contributions. They are kept if ``info.keeps_items`` is set, shifted so that
            their mean is the clipped value.
        left_out: See `estimate`.
    """
    lowest, highest = (
        end if bound is None else bound
        for bound, end in zip(info.bounds, (-np.inf, np.inf), strict=True)
    )
    found = min(max(value, lowest), highest)
    lo, hi = widened(value, interval, left_out)
    ends = max(lowest, min(lo, found)), min(highest, max(hi, found))
    stored = items - items.mean() + found if items is not None and info.keeps_items else ()
    return Result(found, *ends, n, items=tuple(map(float, stored)))


def mean_result(
    info: MetricInfo, items: Array, *role: object, left_out: Sequence[float] = ()
) -> Result:
    """Return the mean of (n,) items as a result. `estimate` explains ``left_out``."""

    def mean(weights: Array) -> Array:
        return np.asarray(weights @ items / weights.sum(1))

    return estimate(info, mean, len(items), *role, left_out=left_out)


def jackknifed(info: MetricInfo, value: float, left_out: Sequence[float], n: int) -> Result:
    """Return a value with its jackknife interval, of n items.

    ``left_out`` holds the value without each of K groups of items. Each group is an item of the
    result. A share has the standard error of the jackknife on the logit scale.
    """
    lo, hi, _ = jackknife_interval(value, left_out)
    if info.scale == "logit":
        quantile = jackknife_quantile(len(left_out))
        lo, hi = share_interval(value, jackknife_error(left_out), n, quantile)
    return finish(info, value, (lo, hi), n, jackknife_items(value, left_out))


# --- items ---------------------------------------------------------------------------------------


def contributions(statistic: Statistic, n: int) -> Array:
    """Return the contribution of each of n items to a statistic, (n,); their mean is its value.

    It is the value plus n times the change of the statistic with the weight of the item. The
    standard error of their mean is that of the infinitesimal jackknife (Efron, The Jackknife, the
    Bootstrap and Other Resampling Plans, SIAM 1982, chapter 6). For the mean of items, the
    contributions are the items.
    """
    value = statistic(np.ones((1, n)))[0]
    found = np.empty(n)
    for start in range(0, n, _ROWS):
        at = np.arange(start, min(start + _ROWS, n))
        weights = np.ones((len(at), n))
        weights[np.arange(len(at)), at] += _STEP
        found[at] = value + n * (statistic(weights) - value) / _STEP
    # where a clipped part is just at its bound, the change has two values, and the mean is not 0
    return np.asarray(found - found.mean() + value)


def couples(items: Array) -> Array:
    """Return the sums over couples of neighbouring pairs of (..., n) values: (..., n / 2)."""
    return np.asarray(items.reshape(*items.shape[:-1], -1, 2).sum(-1), dtype=np.float64)


def ratio_of_sums(weights: Array, above: Array, below: Array) -> Array:
    """Return sum(above) / sum(below) over n items for (draws, n) weights: (draws,).

    A draw whose second sum is 0 has no finite value.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ above) / (weights @ below))


# --- intervals -----------------------------------------------------------------------------------


def bootstrap(
    statistic: Statistic, n: int, *role: object, draws: int = DRAWS, chances: Array | None = None
) -> Interval:
    """Return the 95 % percentile bootstrap interval of a statistic of n items.

    Draws without a value are ignored. chances: how probable each of (m,) items is in a draw of n
    items, up to a factor; None for n equal chances.
    """
    shares = np.ones(n) if chances is None else chances
    weights = generator("bootstrap", n, *role).multinomial(n, shares / shares.sum(), size=draws)
    values = statistic(weights.astype(np.float64))
    lo, hi = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(lo), float(hi)


def share_interval(value: float, error: float, trials: int, quantile: float = _Z) -> Interval:
    """Return the 95 % interval of a share of items. It is inside [0, 1] and never has width 0.

    Half a success and half a failure are added to the items (Haldane, 1956; Anscombe, 1956), so a
    share of 0 or 1 has finite log odds. The interval is symmetric on the logit scale. What a share
    varies more than one of independent items is added as in `widened`.

    Args:
        value: The share, in [0, 1].
        error: Its standard error.
        trials: The number of independent items.
        quantile: How many standard errors the interval reaches.
    """
    of_independent = value * (1 - value) / trials
    variance = min(error**2, of_independent)
    share = (value * trials + 0.5) / (trials + 1)
    added = trials * (value - share) ** 2 + 0.5 * ((1 - share) ** 2 + share**2)
    error_of_share = np.sqrt(trials**2 * variance + added) / (trials + 1)
    reach = quantile * error_of_share / (share * (1 - share))
    ends = float(expit(logit(share) - reach)), float(expit(logit(share) + reach))
    more = quantile * float(np.sqrt(max(0.0, error**2 - of_independent)))
    lo, hi = _further(value, ends, more)
    return max(0.0, lo), min(1.0, hi)


def _further(value: float, interval: Interval, reach: float) -> Interval:
    """Return an interval with a further reach of independent origin (see `widened`)."""
    below, above = (max(0.0, side) for side in (value - interval[0], interval[1] - value))
    return value - float(np.hypot(below, reach)), value + float(np.hypot(above, reach))


def jackknife_error(left_out: Sequence[float]) -> float:
    """Return the standard error of a value from its values without each of K groups of items."""
    groups = np.asarray(left_out)
    return float(np.sqrt((len(groups) - 1) * groups.var()))


def jackknife_interval(value: float, left_out: Sequence[float]) -> tuple[float, float, float]:
    """Return the 95 % jackknife interval (lo, hi) of a value, and its bias-corrected value.

    ``left_out`` holds the statistic without each of K groups of items. The interval is Student's
    with K - 1 degrees of freedom. It is not a bootstrap, because the plain bootstrap interval of a
    Frechet distance never covers the true value.
    """
    k = len(left_out)
    corrected = float(k * value - (k - 1) * np.mean(left_out))
    reach = jackknife_quantile(k) * jackknife_error(left_out)
    return value - reach, value + reach, corrected


def jackknife_quantile(groups: int) -> float:
    """Return the quantile of Student's t for a jackknife with so many groups."""
    return float(stats.t.ppf((1 + LEVEL) / 2, groups - 1))


def jackknife_items(value: float, left_out: Sequence[float]) -> Array:
    """Return the contribution of each of K groups of items to a value, (K,).

    These are the pseudo-values of the jackknife (Tukey, 1958), shifted so that their mean is the
    value and not its bias-corrected form. The standard error of their mean is `jackknife_error`.
    """
    groups = np.asarray(left_out)
    return np.asarray(value + (len(groups) - 1) * (groups.mean() - groups))


def widened(value: float, interval: Interval, left_out: Sequence[float]) -> Interval:
    """Return an interval over test items that includes the fitting of a probe, too.

    ``left_out`` holds the value without each of K groups of the items that the probe was fitted on:
    the probe is fitted again without each group (delete-a-group jackknife; Kott, Journal of
    Official Statistics 2001). At each end, the two distances from the value are added as squares
    (Zou and Donner, Statistics in Medicine 2008), because the two sets of items are independent.
    """
    if not left_out:
        return interval
    return _further(value, interval, jackknife_quantile(len(left_out)) * jackknife_error(left_out))
