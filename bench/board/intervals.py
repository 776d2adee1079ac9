"""The interval of a row: on the scale of its metric, and within the bounds of the metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# importing scipy.stats takes a second
from scipy.special import betaincinv, chdtri, expit, logit, ndtr, stdtrit

from bench.board.samples import LEVEL, Array, Sample, sample_of, t_interval
from bench.contracts.metric import MetricInfo


def mean(info: MetricInfo, values: Array) -> float:
    """Return the mean over seeds. On the log scale it is geometric if all values are > 0."""
    if len(values) == 1:
        return float(values[0])
    relative = info.scale == "log" and bool((values > 0).all())
    return float(np.exp(np.log(values).mean()) if relative else values.mean())


def interval(info: MetricInfo, entries: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the 95 % interval of a number over seeds, within the bounds of the number.

    It is computed on the scale of the number (see `MetricInfo.scale` and `bench.board.samples`). If
    every seed has a share of 0, or every seed a share of 1, the seeds do not show how far the other
    end is: it is then that of Jeffreys' interval of the items. For a score with clipped parts, see
    `interval_of_parts`.

    Args:
        info: The facts about the number.
        entries: Its entry in the record of each seed, all with a value. For one seed, the interval
            is the one in the record, which is over the items.

    Returns:
        The ends (lo, hi). They are NaN for one seed without an interval.
    """
    if len(entries) == 1:
        lo, hi = (np.nan if entries[0][end] is None else entries[0][end] for end in ("lo", "hi"))
        return _within(info, lo, hi)
    sample = sample_of(entries)
    value = mean(info, sample.values)
    lo, hi = _on_scale(info, sample, np.array([entry["n"] for entry in entries], dtype=float))
    if parts := interval_of_parts([entry["detail"] for entry in entries]):
        lo, hi = min(lo, parts[0]), max(hi, parts[1])
    return _within(info, min(lo, value), max(hi, value))


def interval_of_parts(details: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Return the ends of a score that follow from its parts before they are clipped.

    A score is the harmonic mean of parts, each clipped to [0, 1] (see `bench.metrics.scores`). If a
    part is below 0 in every seed, the score is 0 in every seed. Its own interval would have no
    width, although other seeds could score above 0. So each unclipped part gets Student's interval
    over the seeds, and the ends of the parts give those of the score:

    - The lower end of a part is clipped to [0, 1].
    - The upper end of a part is the mean of a normal variable that is clipped at 0. Its mean before
      clipping is the upper end of the part. Its standard deviation is the upper 90 % limit of that
      of the seeds, because few seeds can look too much alike. (Clipping raises the mean over seeds:
      seeds above 0 count, and those below 0 do not.)
    - The harmonic mean of these ends is the end of a side of the score. Sides are averaged.

    The interval of the score is widened to these ends. It stays near 0 only if a part is so far
    below 0 that hardly any seed would be above it.

    Args:
        details: The detail of the score in the record of each seed, at least two, with the keys
            ``unclipped`` (values by part) and, if there are several sides, ``sides`` (the parts of
            each side).

    Returns:
        The ends (lo, hi), both in [0, 1]; None if no part was clipped, or the parts are unknown.
    """
    parts: list[Any] = [detail.get("unclipped") for detail in details]
    if not all(isinstance(one, dict) and one and one.keys() == parts[0].keys() for one in parts):
        return None
    if not all(isinstance(value, int | float) for one in parts for value in one.values()):
        return None
    table: dict[str, Array] = {
        name: np.array([one[name] for one in parts], dtype=float) for name in parts[0]
    }
    sides = details[0].get("sides", None if "scores" in details[0] else {"": [*table]})
    if not isinstance(sides, dict) or not sides:
        return None
    if not all(isinstance(side, list) and side and {*side} <= {*table} for side in sides.values()):
        return None
    if all((values > 0).all() for values in table.values()):
        return None
    ends = {name: _clipped(values) for name, values in table.items()}
    lo, hi = np.mean([_harmonic_mean([ends[name] for name in side]) for side in sides.values()], 0)
    return float(lo), float(hi)


def _clipped(part: Array) -> Array:
    """Return the ends of a clipped part from its unclipped values over seeds, (n_seeds,): (2,)."""
    lo, hi = _plain(Sample(part, np.empty((len(part), 0))))
    df = len(part) - 1
    spread = float(part.std(ddof=1) * np.sqrt(df / chdtri(df, 0.9)))
    if spread > 0:
        density = np.exp(-((hi / spread) ** 2) / 2) / np.sqrt(2 * np.pi)
        hi = hi * float(ndtr(hi / spread)) + spread * float(density)
    return np.array([lo, hi]).clip(0, 1)


def _harmonic_mean(parts: Sequence[Array]) -> Array:
    """Return the harmonic mean of parts, each (2,) values. It is 0 if a part is 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(len(parts) / (1 / np.stack(parts)).sum(0))


def _on_scale(info: MetricInfo, sample: Sample, n: Array) -> tuple[float, float]:
    """Return the interval that is computed on the scale of a number.

    n: the number of items of each seed, (n_seeds,).
    """
    values = sample.values
    if info.scale == "logit" and (n > 0).all() and (values >= 0).all() and (values <= 1).all():
        if np.ptp(values) == 0 and values[0] in (0, 1):
            return _jeffreys(float(values[0]), float(n.max()))
        return _of_share(sample, n)
    if sample.error[0] == 0:
        return float(values[0]), float(values[0])
    if info.scale == "log" and (values > 0).all():
        with np.errstate(over="ignore"):  # of few seeds that differ by large factors
            lo, hi = np.exp(_plain(sample.log()))
    else:
        lo, hi = _plain(sample)
    return float(lo), float(hi)


def _of_share(sample: Sample, n: Array) -> tuple[float, float]:
    """Return the interval of a mean share, symmetric on the logit scale.

    Half a right and half a wrong item are added to each seed, as (right + 1/2) / (n + 1). The
    standard error of the mean m is carried to the logit scale by its slope 1 / (m (1 - m)). The
    mean of the log odds of the seeds would be the wrong middle: it is not the log odds of the mean
    share, and for seeds that differ much the interval misses the mean. Without items, their
    variance is that of independent ones, m (1 - m) / n, which is the largest possible.
    """
    shares = Sample((sample.values * n + 0.5) / (n + 1), sample.deviations * (n / (n + 1))[:, None])
    middle, (error, df) = shares.mean, shares.error
    slope = middle * (1 - middle)
    if shares.deviations.size == 0:
        error = float(np.hypot(error, np.sqrt(slope / n.max())))
    reach = float(stdtrit(df, (1 + LEVEL) / 2)) * error / slope
    return float(expit(logit(middle) - reach)), float(expit(logit(middle) + reach))


def _plain(sample: Sample) -> tuple[float, float]:
    return t_interval(sample.mean, *sample.error)


def _jeffreys(share: float, n: float) -> tuple[float, float]:
    """Return Jeffreys' interval of a share of n items that is 0 or 1 (Brown et al., 2001)."""
    other = float(betaincinv(n + 0.5, 0.5, (1 - LEVEL) / 2))
    return (other, 1.0) if share == 1 else (0.0, 1 - other)


def _within(info: MetricInfo, lo: float, hi: float) -> tuple[float, float]:
    """Return the ends of an interval, moved into the bounds of the number."""
    least, most = info.bounds
    bounds = -np.inf if least is None else least, np.inf if most is None else most
    return float(np.clip(lo, *bounds)), float(np.clip(hi, *bounds))
