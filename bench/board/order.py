"""The order of a board: one number orders the methods, and these functions say how firm that is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.board.columns import badness, ordering_metrics
from bench.board.samples import LEVEL, Array, sample_of
from bench.contracts.metric import MetricInfo
from bench.utils.seeds import derive

DRAWS = 2000


@dataclass(frozen=True)
class Order:
    """The methods by one number, best first.

    metric: The id of the number, or '' if no row has one. better: its direction. values: the number
    of each row that has it, also of rows that are not ranked. ranks: the place of each ranked
    method, in order. Methods with equal numbers share a place.
    """

    metric: str
    better: str
    values: dict[str, float]
    ranks: dict[str, int]

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value of the number is better than another."""
        return badness(value, self.better) < badness(other, self.better)

    def badness(self, name: str) -> float:
        """Return a number that is lower for a better row, infinity for one without the number."""
        return badness(self.values[name], self.better) if name in self.values else math.inf


def order_rows(
    rows: pd.DataFrame, infos: Mapping[str, MetricInfo], methods: Collection[str]
) -> Order:
    """Return the order of the methods by the first number of `ordering_metrics` that a row has.

    Args:
        rows: The rows of the tidy frame for one board.
        infos: The facts of each metric.
        methods: The labels of the methods to rank. Other rows have a number and no place.
    """
    valued = rows[rows["value"].notna() & (rows["better"] != "")]
    there = set(valued["metric"])
    metric = next((name for name in ordering_metrics(infos) if name in there), "")
    of_metric = valued[valued["metric"] == metric]
    if not metric or of_metric.empty:
        return Order("", "", {}, {})
    better = str(of_metric["better"].iloc[0])
    values = dict(zip(of_metric["method"], map(float, of_metric["value"]), strict=True))
    return Order(metric, better, values, places(values, better, methods))


def places(values: Mapping[str, float], better: str, methods: Collection[str]) -> dict[str, int]:
    """Return the place of each method that has a value, best first. Equal values share a place."""
    bad = {name: badness(values[name], better) for name in methods if name in values}
    ordered = sorted(bad, key=lambda name: (bad[name], name))
    return {name: 1 + sum(one < bad[name] for one in bad.values()) for name in ordered}


def rank_intervals(
    order: Order, entries: Mapping[str, Mapping[int, Mapping[str, Any]]], info: MetricInfo
) -> dict[str, tuple[int, int]]:
    """Return the 95 % interval of the place of each ranked method, by resampling.

    Each of 2,000 draws takes as many seeds and as many test items as there are, with replacement,
    and the same ones for all methods. The mean of a method changes by the drawn seeds and, by the
    contributions of its items, by the drawn items. The interval holds the middle 95 % of the
    places, and the place of the method on the board.

    Args:
        order: The order of the methods.
        entries: For each ranked method the entry of the number, by seed. Only seeds that all
            methods have are drawn, and items only if all have equally many.
        info: The facts about the number that orders.

    Returns:
        The best and the worst place; {} if there is nothing to draw: no seed is common to all, or
        there is one without items.
    """
    seeds = set.intersection(*(set(entries[name]) for name in order.ranks)) if order.ranks else ()
    if not seeds:
        return {}
    samples = [sample_of([entries[name][at] for at in sorted(seeds)]) for name in order.ranks]
    relative = info.scale == "log" and all((one.values > 0).all() for one in samples)
    if relative:
        samples = [one.log() for one in samples]
    n_items = {one.deviations.shape[1] for one in samples}
    values = np.stack([one.values for one in samples])
    items = np.stack([one.deviations.mean(0) for one in samples]) if len(n_items) == 1 else None
    if len(seeds) == 1 and (items is None or items.size == 0):
        return {}
    rng = np.random.default_rng(derive("rank intervals", order.metric))
    drawn = _resampled(rng, values)
    if items is not None and items.size:
        drawn = drawn + _resampled(rng, items)
    bad = badness(np.exp(drawn) if relative else drawn, order.better)
    ranks = np.stack([1 + (bad < one).sum(0) for one in bad])
    ends = np.quantile(ranks, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1, method="inverted_cdf")
    return {
        name: (min(place, int(lo)), max(place, int(hi)))
        for (name, place), lo, hi in zip(order.ranks.items(), *ends, strict=True)
    }


def _resampled(rng: np.random.Generator, values: Array) -> Array:
    """Return the means of (k, n) values in draws of n with replacement: (k, draws)."""
    n = values.shape[1]
    in_parts = (rng.multinomial(n, np.full(n, 1 / n), DRAWS // 10) for _ in range(10))
    return np.concatenate([values @ weights.T / n for weights in in_parts], axis=1)


def without_each_part(
    order: Order, parts: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, int]]:
    """Return the places of the ranked methods when each part of the number is left out.

    parts: The number without each part, for each method that has parts. A part that a ranked method
        lacks is not tried.
    """
    of_ranked = [parts.get(name, {}) for name in order.ranks]
    first = of_ranked[0] if of_ranked else {}
    names = [part for part in first if all(part in of_method for of_method in of_ranked)]
    return {
        part: places({name: parts[name][part] for name in order.ranks}, order.better, order.ranks)
        for part in names
    }


def changed_without_a_method(
    rows: pd.DataFrame, infos: Mapping[str, MetricInfo], order: Order
) -> dict[str, Order]:
    """Return the order of the other methods, for each method without which it changes."""
    found = {}
    for name in order.ranks:
        others = [other for other in order.ranks if other != name]
        left = order_rows(rows[rows["method"] != name], infos, others)
        if list(left.ranks) != others:
            found[name] = left
    return found


def agreement(values: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Return Kendall's tau-b of two numbers over the rows that have both; NaN if it is undefined.

    1 = the same order, 0 = unrelated, -1 = the reverse. Kendall, Biometrika 1945.
    """
    from scipy.stats import kendalltau  # its import takes a second

    both = [name for name in values if name in others]
    if len(both) < 2:
        return math.nan
    return float(kendalltau([values[m] for m in both], [others[m] for m in both]).statistic)
