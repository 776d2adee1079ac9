"""One side of a comparison: the samples of a row in a metric, each computed once for all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from bench.board.intervals import interval_of_parts
from bench.board.samples import Sample, entries_of, sample_of, t_interval
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.metric import MetricInfo
from bench.contracts.record import Record

Scale = Literal["difference", "log ratio", "distance from 1"]
Seeds = tuple[int, ...]


class Side:
    """The entries of a row in one metric, by seed.

    Args:
        records: The records of the row, one for each seed.
        info: The facts about the metric.
        detail: See `bench.board.samples.entries_of`.
        budget: The fraction of the training; an anchor without training is the same at each.
    """

    def __init__(
        self, records: Sequence[Record], info: MetricInfo, detail: str = "", budget: float = 1.0
    ) -> None:
        only = records[0]["identity"]["method"] if len(records) == 1 else ""
        self.has_no_seed = only in WITHOUT_SEED
        self._entries = entries_of(records, info.id, detail, 1.0 if self.has_no_seed else budget)
        self.newest = max((entry["version"] for entry in self._entries.values()), default=0)
        self._chosen: dict[Seeds, Chosen] = {}

    def seeds(self, version: int) -> list[int]:
        """Return the seeds whose value is of this version of the metric, rising."""
        return sorted(seed for seed, entry in self._entries.items() if entry["version"] == version)

    def at(self, seeds: Seeds) -> Chosen:
        """Return the sample of these seeds, as often as each is named."""
        if seeds not in self._chosen:
            self._chosen[seeds] = Chosen([self._entries[seed] for seed in seeds])
        return self._chosen[seeds]


@dataclass(frozen=True)
class Chosen:
    """The entries of some seeds of a row."""

    entries: Sequence[dict[str, Any]]

    @cached_property
    def sample(self) -> Sample:
        """Their sample."""
        return sample_of(self.entries)

    @cached_property
    def log(self) -> Sample:
        """The logarithm of the sample, whose values must be positive."""
        return self.sample.log()

    @cached_property
    def distance_from_1(self) -> Sample:
        """How far the sample is from 1."""
        return self.sample.distance_from_1()

    @cached_property
    def is_positive(self) -> bool:
        """Whether all values are above 0."""
        return bool((self.sample.values > 0).all())

    @cached_property
    def clipped_error(self) -> float:
        """The standard error that clipped parts hide in the mean of a score over its seeds."""
        value = float(np.mean([entry["value"] for entry in self.entries]))
        lo, hi = interval_of_parts([entry["detail"] for entry in self.entries]) or (value, value)
        reach = t_interval(0, 1, len(self.entries) - 1)[1]
        return max(value - lo, hi - value, 0.0) / reach


def paired(left: Side, right: Side) -> tuple[Seeds, Seeds]:
    """Return the seeds of two sides that are compared with each other, in order.

    Only values of the newest version of the metric count. Of two rows with seeds, these are the
    seeds that both have. A row without seeds is compared with each seed of the other.
    """
    newest = max(left.newest, right.newest)
    one, other = left.seeds(newest), right.seeds(newest)
    if left.has_no_seed != right.has_no_seed and one and other:
        if left.has_no_seed:
            return (one[0],) * len(other), tuple(other)
        return tuple(one), (other[0],) * len(one)
    common = tuple(seed for seed in one if seed in other)
    return common, common


def on_scale(one: Chosen, other: Chosen, info: MetricInfo) -> tuple[Sample, Sample, Scale, float]:
    """Return two samples on the scale on which they are compared, and the tolerance there."""
    if info.better == "near 1":
        return one.distance_from_1, other.distance_from_1, "distance from 1", info.tolerance
    if info.scale == "log" and one.is_positive and other.is_positive:
        smaller = math.exp(min(one.log.mean, other.log.mean))
        tolerance = info.tolerance if info.tolerance_is_relative else info.tolerance / smaller
        return one.log, other.log, "log ratio", math.log1p(tolerance)
    values = one.sample.mean, other.sample.mean
    return one.sample, other.sample, "difference", info.tolerance_at(*values)
