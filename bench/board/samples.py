"""A number over seeds and test items: its mean, its standard error and Student's interval.

The mean over seeds varies for two reasons: another run has other seeds, and another test set has
other items. Its variance is the sum of both:

    s_seed^2 / n_seeds + s_item^2 / n_items,

where s_seed is the standard deviation of the values of the seeds, and s_item that of the items
after their contributions are averaged over the seeds. The interval is Student's with n_seeds - 1
degrees of freedom. It is never a bootstrap over seeds: for 5 seeds of a normal number, a nominal
95 % interval by the percentile bootstrap covers the mean in 85 % of all cases.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # importing scipy.stats takes a second

from bench.contracts.record import Record

Array = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Sample:
    """A number of one method.

    values: the value of each seed, (n_seeds,). deviations: the contribution of each item minus the
    mean over the items, (n_seeds, n_items). n_items is 0 if the items are unknown, or if the seeds
    do not have equally many.
    """

    values: Array
    deviations: Array

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(self.values.mean())

    @property
    def error(self) -> tuple[float, float]:
        """The standard error of the mean, and its degrees of freedom.

        For one seed it comes from the items only, with n_items - 1 degrees of freedom. It is NaN
        for one seed without items.
        """
        found, df = errors(self.values[None], self.deviations[None])
        return float(found[0]), df

    def log(self) -> Sample:
        """Return the logarithm of positive values. Items follow by the delta method."""
        return Sample(np.log(self.values), self.deviations / self.values[:, None])

    def distance_from_1(self) -> Sample:
        """Return how far the mean is from 1, for a number that should be near 1.

        The mean of the sample is |mean - 1|. A seed on the other side of 1 has a negative distance.
        """
        sign = np.sign(self.mean - 1)
        return Sample(sign * (self.values - 1), sign * self.deviations)


def errors(values: Array, deviations: Array) -> tuple[Array, float]:
    """Return the standard errors of the means of several samples, and their degrees of freedom.

    Args:
        values: The values of each sample, (k, n_seeds).
        deviations: Those of their items, (k, n_seeds, n_items).

    Returns:
        The errors, (k,); see `Sample.error`.
    """
    n_samples, n_seeds, n_items = deviations.shape
    items = deviations.mean(1).var(1, ddof=1) / n_items if n_items else np.zeros(n_samples)
    if n_seeds > 1:
        return np.sqrt(values.var(1, ddof=1) / n_seeds + items), n_seeds - 1
    return (np.sqrt(items), n_items - 1) if n_items else (np.full(n_samples, np.nan), np.nan)


def entries_of(
    records: Sequence[Record], metric: str, detail: str = "", budget: float = 1.0
) -> dict[int, dict[str, Any]]:
    """Return value, version, items and detail of a metric in each record that has a value, by seed.

    Args:
        records: The records of one row, one for each seed.
        metric: The id of the metric.
        detail: The path of a number in the detail of the metric, as in "glasses.value", or '' for
            the value of the metric. Such a number has no items.
        budget: The fraction of the training. Below 1, it is a point of the curve, which has no
            items. A point of another version of the metric than that of the end is left out.
    """
    found: dict[int, dict[str, Any]] = {}
    for record in records:
        entry: Any = record["metrics"].get(metric) or {}
        if entry.get("status") != "ok":
            continue
        version = entry["version"]
        if budget < 1:
            entry = _of_curve(record, metric, budget)
        value = number_in(entry, detail) if detail else entry.get("value")
        if isinstance(value, int | float) and entry["version"] == version:
            plain = not detail and budget == 1
            found[record["identity"]["seed"]] = {
                "value": value,
                "version": version,
                "items": entry.get("items", ()) if plain else (),
                "detail": (entry.get("detail") or {}) if plain else {},
            }
    return found


def _of_curve(record: Record, metric: str, budget: float) -> Any:
    """Return the entry of a metric at a fraction of the training, or {}."""
    points = (point for point in record["curve"] if math.isclose(point["budget"], budget))
    return next((point["metrics"].get(metric) for point in points), None) or {}


def number_in(entry: Mapping[str, Any], path: str) -> float | None:
    """Return the number at a path of keys, joined by dots, in the detail of an entry, or None."""
    value: Any = entry.get("detail", {})
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def sample_of(entries: Sequence[Mapping[str, Any]]) -> Sample:
    """Return the sample of one metric.

    entries: its entry in the record of each seed, all with a value (see `MetricEntry`).
    """
    values = np.array([entry["value"] for entry in entries], dtype=float)
    items = [entry.get("items", ()) for entry in entries]
    n_items = len(items[0])
    if n_items < 2 or any(len(one) != n_items for one in items):
        return Sample(values, np.empty((len(values), 0)))
    table = np.array(items, dtype=float)
    return Sample(values, table - table.mean(1, keepdims=True))


def holm(chances: Sequence[float], family: int = 0) -> list[float]:
    """Return p-values after Holm's correction (Scandinavian Journal of Statistics 1979), in order.

    It is here because each call of `multipletests` of statsmodels collects garbage for 0.15 s.

    Args:
        chances: The p-values of single tests.
        family: The number of hypotheses, if more were stated than are tested here.
    """
    raw = np.asarray(chances, dtype=float)
    order = np.argsort(raw, kind="stable")
    divisors = max(family, len(raw)) - np.arange(len(raw))
    found = np.empty(len(raw))
    found[order] = np.maximum.accumulate(raw[order] * divisors).clip(max=1)
    return [float(chance) for chance in found]


def t_interval(value: float, error: float, df: float, level: float = LEVEL) -> tuple[float, float]:
    """Return Student's interval of a value with a standard error: (lo, hi)."""
    reach = float(stdtrit(df, (1 + level) / 2)) * error
    return value - reach, value + reach
