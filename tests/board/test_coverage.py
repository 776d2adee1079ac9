"""Nominal 95 % intervals over 3, 5 and 10 seeds cover the true value, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from bench.board.intervals import interval
from bench.contracts.metric import MetricInfo

RUNS, N_ITEMS = 400, 512
PLAIN = {"unit": "", "better": "higher", "meaning": "of a simulation"}
MEAN = MetricInfo(id="mean", **PLAIN)
SHARE = MetricInfo(id="share", scale="logit", bounds=(0, 1), **PLAIN)
DISTANCE = MetricInfo(id="distance", scale="log", bounds=(0, None), **PLAIN)
SCORE = MetricInfo(id="score", bounds=(0, 1), **PLAIN)
SEEDS = pytest.mark.parametrize("n_seeds", [3, 5, 10])
ENOUGH = 0.93


def rng_of(*role):
    return np.random.default_rng([7, *role])


def entries_of(values, items=None, n=N_ITEMS, details=None):
    return [
        {"value": float(value), "lo": None, "hi": None, "n": n,
         "items": [] if items is None else items[at],
         "detail": {} if details is None else details[at]}
        for at, value in enumerate(values)
    ]  # fmt: skip


def coverage(ends, truth):
    ends = np.array(ends)
    return np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))


@SEEDS
@pytest.mark.parametrize(("of_seed", "of_items"), [(0.05, 0.5), (0.01, 1.0), (0.05, 0.0)])
def test_a_normal_mean_with_items(n_seeds, of_seed, of_items):
    """The truth is the mean over all seeds and all test sets."""
    rng, ends = rng_of(n_seeds, int(1000 * of_items)), []
    for _ in range(RUNS):
        shared = rng.normal(0, of_items, N_ITEMS)
        own = rng.normal(0, of_items, (n_seeds, N_ITEMS)) / 2
        items = 0.5 + rng.normal(0, of_seed, (n_seeds, 1)) + shared + own
        ends.append(interval(MEAN, entries_of(items.mean(1), items)))
    assert coverage(ends, 0.5) >= ENOUGH


def test_without_its_items_a_mean_is_covered_too_rarely():
    """The items of one test set are common to all seeds, so the seeds alone do not show them."""
    rng, ends = rng_of(1), []
    for _ in range(RUNS):
        items = rng.normal(0.5, 1, N_ITEMS) + rng.normal(0, 0.01, (5, 1))
        ends.append(interval(MEAN, entries_of(items.mean(1))))
    assert coverage(ends, 0.5) < 0.8


@SEEDS
@pytest.mark.parametrize(
    ("share", "of_seed"), [(0.5, 0.1), (0.9, 0.1), (0.98, 0.1), (0.5, 1.0), (0.9, 0.5), (0.98, 0.3)]
)
def test_a_share_of_items(n_seeds, share, of_seed):
    """Each seed and each item have their own difficulty, in probits."""
    rng, ends = rng_of(n_seeds, int(100 * share)), []
    of_item = 0.5
    cut = {0.5: 0.0, 0.9: 1.2815515655, 0.98: 2.0537489106}[share]
    cut *= np.sqrt(1 + of_seed**2 + of_item**2)
    for _ in range(RUNS):
        ability = cut + rng.normal(0, of_seed, (n_seeds, 1)) + rng.normal(0, of_item, N_ITEMS)
        right = rng.random((n_seeds, N_ITEMS)) < ndtr(ability)
        ends.append(interval(SHARE, entries_of(right.mean(1), right.astype(float))))
    assert coverage(ends, share) >= ENOUGH
    assert np.min(ends) >= 0
    assert np.max(ends) <= 1


def test_equal_shares_without_items_have_the_interval_of_independent_items():
    lo, hi = interval(SHARE, entries_of([0.5] * 5, n=100))
    assert (lo, hi) == pytest.approx((0.5 - 0.139, 0.5 + 0.139), abs=0.01)  # t(4) * 0.05


@SEEDS
def test_a_log_normal_distance(n_seeds):
    rng, ends = rng_of(n_seeds), []
    for _ in range(2000):
        values = np.exp(rng.normal(np.log(20), 0.5, n_seeds))
        ends.append(interval(DISTANCE, entries_of(values)))
    assert coverage(ends, 20) >= ENOUGH
    assert np.min(ends) > 0


@SEEDS
@pytest.mark.parametrize("middle", [-0.02, 0.0, 0.02, 0.05])
def test_a_clipped_score_near_0(n_seeds, middle):
    """The truth is the mean of the score over all seeds."""
    rng, ends = rng_of(n_seeds, int(1000 + 1000 * middle)), []
    parts = rng.normal([middle, 0.8, 0.7], [0.03, 0.02, 0.02], (2000, n_seeds, 3))
    scores = score_of(parts)
    for values, unclipped in zip(scores, parts, strict=True):
        details = [{"unclipped": dict(zip("AKF", one, strict=True))} for one in unclipped]
        ends.append(interval(SCORE, entries_of(values, details=details)))
    assert coverage(ends, scores.mean()) >= ENOUGH
    assert np.min(ends) >= 0
    plain = [interval(SCORE, entries_of(values)) for values in scores]
    if middle < 0 and n_seeds < 10:
        assert coverage(plain, scores.mean()) < 0.8  # the scores alone do not show it


def score_of(parts):
    with np.errstate(divide="ignore"):
        return 3 / (1 / parts.clip(0, 1)).sum(-1)


def test_sides_of_a_score_are_averaged():
    detail = {"scores": {"add": 0, "remove": 0}, "sides": {"add": ["A"], "remove": ["R"]}}
    details = [detail | {"unclipped": {"A": a, "R": 0.5}} for a in (-0.1, 0.1)]
    lo, hi = interval(SCORE, entries_of([0.25, 0.3], details=details))
    assert (lo, hi) == (0.25 - 0.25, pytest.approx((1 + 0.5) / 2))
    del detail["sides"]  # records of an older version do not say which part is on which side
    details = [detail | {"unclipped": {"A": a, "R": 0.5}} for a in (-0.1, -0.1)]
    assert interval(SCORE, entries_of([0.25, 0.25], details=details)) == (0.25, 0.25)


@pytest.mark.parametrize(
    "detail",
    [{"unclipped": {"A": "x"}}, {"unclipped": {}}, {"unclipped": 0}, {},
     {"unclipped": {"A": -1.0}, "sides": 5}, {"unclipped": {"A": -1.0}, "sides": {"add": ["B"]}}],
)  # fmt: skip
def test_a_plugin_may_use_the_same_keys_for_something_else(detail):
    assert interval(SCORE, entries_of([0.0, 0.0], details=[detail] * 2)) == (0, 0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_at_its_bound_in_all_seeds_has_an_interval(share):
    lo, hi = interval(SHARE, entries_of([share] * 3, np.full((3, 20), share), n=20))
    assert 0.1 < hi - lo < 0.2
    assert share in (lo, hi)


def test_no_interval_leaves_its_bounds_and_each_holds_the_value():
    rng = rng_of(2)
    for _ in range(300):
        n_seeds = rng.integers(2, 6)
        values = expit(rng.normal(rng.normal(0, 3), 2, n_seeds))
        items = rng.normal(values[:, None], 3, (n_seeds, 8))
        for info in (SHARE, DISTANCE, SCORE):
            lo, hi = interval(info, entries_of(values, items, n=8))
            assert 0 <= lo <= values.mean() or info is DISTANCE
            assert info.bounds[1] is None or hi <= 1
            assert lo <= np.exp(np.log(values).mean()) <= hi or info is not DISTANCE
    one = {"value": 0.9, "lo": -0.5, "hi": 1.5, "n": 8, "detail": {}}
    assert interval(SHARE, [one]) == (0, 1)
