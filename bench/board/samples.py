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
from scipy.special import logit, stdtrit  # importing scipy.stats takes a second

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
        n_seeds, n_items = self.deviations.shape
        items = self.deviations.mean(0).var(ddof=1) / n_items if n_items else 0.0
        if n_seeds > 1:
            return float(np.sqrt(self.values.var(ddof=1) / n_seeds + items)), n_seeds - 1
        return (float(np.sqrt(items)), n_items - 1) if n_items else (np.nan, np.nan)

    def log(self) -> Sample:
        """Return the logarithm of positive values. Items follow by the delta method."""
        return Sample(np.log(self.values), self.deviations / self.values[:, None])

    def log_odds(self, n: Array) -> Sample:
        """Return the log odds of shares of n items, after (right + 1/2) / (n + 1)."""
        shares = (self.values * n + 0.5) / (n + 1)
        return Sample(logit(shares), self.deviations / (shares * (1 - shares))[:, None])

    def distance_from_1(self) -> Sample:
        """Return |value - 1|, for a number that should be near 1."""
        signs = np.sign(self.values - 1)
        return Sample(np.abs(self.values - 1), self.deviations * signs[:, None])


def entries_of(
    records: Sequence[Record], metric: str, factor: str = "", budget: float = 1.0
) -> dict[int, dict[str, Any]]:
    """Return value, version and items of a metric in each record that has a value, by seed.

    Args:
        records: The records of one row, one for each seed.
        metric: The id of the metric.
        factor: The factor whose value in the detail is wanted, or '' for the metric itself.
        budget: The fraction of the training. Below 1, it is a point of the curve.
    """
    found: dict[int, dict[str, Any]] = {}
    for record in records:
        entry: Any = record["metrics"].get(metric) or {}
        if budget < 1:
            points = (one for one in record["curve"] if math.isclose(one["budget"], budget))
            entry = next((one["metrics"].get(metric) for one in points), None) or {}
        elif entry.get("status") != "ok":
            continue
        value = entry.get("value")
        if factor:
            of_factor = (entry.get("detail") or {}).get(factor)
            value = of_factor.get("value") if isinstance(of_factor, dict) else None
        if isinstance(value, int | float):
            items = () if factor else entry.get("items", ())
            seed = record["identity"]["seed"]
            found[seed] = {"value": value, "version": entry["version"], "items": items}
    return found


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


def t_interval(value: float, error: float, df: float, level: float = LEVEL) -> tuple[float, float]:
    """Return Student's interval of a value with a standard error: (lo, hi)."""
    reach = float(stdtrit(df, (1 + level) / 2)) * error
    return value - reach, value + reach
