"""Intervals stay inside their bounds and cover the truth; items explain the value."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import hmean

from bench.contracts.metric import MetricInfo
from tests.helpers import REGISTRY, module

st = module("_statistics")
probes, probing = module("_probes"), module("_probing")
INFOS = REGISTRY.infos()
RANDOM = np.random.default_rng(0)
N = 300
X, Y = RANDOM.normal(1, 1, N), RANDOM.gamma(2, 1, N)
RIGHT, LABELS = RANDOM.integers(0, 2, N).astype(float), RANDOM.integers(0, 3, N)
SHARE = MetricInfo(
    id="share", unit="", better="higher", meaning="", scale="logit", bounds=(0, 1), keeps_items=True
)
PLAIN = dataclasses.replace(SHARE, scale="linear")


def mean(weights):
    return weights @ X / weights.sum(1)


def clipped(weights):
    """Return a harmonic mean of three clipped ratios, of which one is at its bound."""
    ratios = [1 - st.ratio_of_sums(weights, Y, by) for by in (4 * Y + X, 3 + X, Y.mean() / 1e6 + X)]
    return hmean([ratios[0].clip(0, 1), ratios[1].clip(0, 1), (ratios[2] + 9).clip(0, 1)], axis=0)


STATISTICS = {
    "mean": mean,
    "ratio": lambda weights: st.ratio_of_sums(weights, Y, X + 5),
    "clipped": clipped,
    "balanced": lambda weights: probing.weighted_accuracy(RIGHT, LABELS, weights),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_items_average_to_the_value_and_have_its_standard_error(name):
    statistic = STATISTICS[name]
    items = st.contributions(statistic, N)
    weights = st.generator("test").multinomial(N, np.full(N, 1 / N), size=4000).astype(float)
    assert items.mean() == pytest.approx(statistic(np.ones((1, N)))[0], abs=1e-9)
    assert items.std() / np.sqrt(N) == pytest.approx(np.std(statistic(weights)), rel=0.08)


def test_items_of_a_mean_are_the_items():
    assert st.contributions(mean, N) == pytest.approx(X, abs=1e-5)

    less = st.contributions(STATISTICS["balanced"], N)
    of_class = (LABELS[7] == LABELS).sum()
    recall = RIGHT[LABELS[7] == LABELS].mean()
    balanced = STATISTICS["balanced"](np.ones((1, N)))[0]
    assert less[7] == pytest.approx(balanced + N / 3 / of_class * (RIGHT[7] - recall), abs=1e-3)


@pytest.mark.parametrize("trials", [1, 4, 100, 4000])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("factor", [0, 1, 3])
def test_intervals_of_shares_have_a_width_inside_the_bounds(trials, value, factor):
    error = factor * np.sqrt(value * (1 - value) / trials)
    lo, hi = st.share_interval(value, error, trials)
    assert 0 <= lo < hi <= 1
    assert hi - lo > 0.5 / (trials + 1)
    assert lo <= value or value == 0
    assert hi >= value or value == 1


def test_an_uncertain_share_near_its_bound_keeps_a_sensible_interval():
    """On the logit scale, .999 with an error of .01 would reach from 0 to 1."""
    lo, _ = st.share_interval(0.999, 0.01, 500)
    assert 0.97 < lo < 0.98


@pytest.mark.parametrize("n", [60, 400])
def test_intervals_of_shares_cover_the_truth(n):
    """Averaged over shares: for one share, the coverage depends on how many of n can be right."""
    random = np.random.default_rng(n)
    covered = []
    for share in random.uniform(0.5, 0.99, 4000):
        value = random.binomial(n, share) / n
        lo, hi = st.share_interval(value, np.sqrt(value * (1 - value) / n), n)
        covered.append(lo <= share <= hi)
    assert np.mean(covered) > 0.94


@pytest.mark.parametrize("of", [0, 1])
def test_a_share_of_none_or_all_has_a_width(of):
    for info in (SHARE, dataclasses.replace(SHARE, id="other")):
        result = st.mean_result(info, np.full(200, float(of)), "test")
        assert result.value == of
        assert 0.005 < result.hi - result.lo < 0.1
        assert 0 <= result.lo <= result.hi <= 1
        assert set(result.items) == {float(of)}


def test_a_clipped_value_and_its_items():
    """The value is clipped; the items keep their spread, and their mean is the clipped value."""
    result = st.estimate(PLAIN, lambda weights: 0.4 + mean(weights), N, "test")
    assert result.value == 1
    assert result.hi == 1
    assert np.mean(result.items) == pytest.approx(1)
    assert np.std(result.items) == pytest.approx(X.std(), rel=1e-3)
    bare = st.estimate(dataclasses.replace(PLAIN, keeps_items=False), mean, N, "test")
    assert bare.items == ()


def test_the_score_of_a_part_below_0_has_the_upper_end_that_the_part_allows():
    """A part of -.02 with an error of about .06 makes a score of 0, but .1 is possible."""
    below = X - X.mean() - 0.02
    result = st.estimate(PLAIN, lambda weights: (weights @ below / N).clip(0, 1), N, "test")
    assert (result.value, result.lo) == (0, 0)
    assert 0.05 < result.hi < 0.15


def test_a_judge_that_is_sure_of_all_results_leaves_a_width():
    judged_parts = module("judged_parts")
    images = torch.zeros(100, 3, 4, 4, dtype=torch.uint8)

    class Sure:
        extractor = type("E", (), {"name": "none"})
        domain_accuracy = staticmethod(lambda data: 1.0)
        domain = second_opinion = staticmethod(lambda x: x[:, 0, 0, 0].long())

    made = {of: type("D", (), {"images": images + of}) for of in (0, 1)}
    task = type("T", (), {"domains": {"test": [made[0], made[1]]}})
    result = judged_parts.domain_success(
        INFOS["tr_domain_success"], Sure(), images + 1, 1, task
    )  # as B as B itself
    assert (result.value, result.hi) == (1, 1)
    assert 0.95 < result.lo < 1


def test_items_of_a_jackknife_have_its_error():
    left_out = [0.2, 0.25, 0.31, 0.18, 0.22]
    items = st.jackknife_items(0.24, left_out)
    assert items.mean() == pytest.approx(0.24)
    error = items.std(ddof=1) / np.sqrt(len(items))
    assert error == pytest.approx(st.jackknife_error(left_out))


def test_intervals_include_the_fitting_of_a_probe():
    """Accuracies of probes fitted on few items, against their mean over many fits and tests.

    With a large test set, only the fitting matters. The interval over test items alone hardly ever
    covers the mean.
    """
    random = np.random.default_rng(5)
    logistic = {"logistic": probes.BATTERY["logistic"][2:3]}
    values, narrow, wide = [], [], []
    for _ in range(120):
        y = random.integers(0, 2, 4080)
        x = torch.from_numpy(random.normal(size=(4080, 10)) + 0.5 * y[:, None]).float()
        fitting = probing.Probing((x[:80], y[:80, None]), x[80:], (2,))
        best = fitting.tell(logistic)[0][0]
        again = fitting.refit_one(best)
        right = (best.said == y[80:]).astype(float)
        without = [float((told.said == y[80:]).mean()) for told in again]
        values.append(right.mean())
        for found, left_out in ((narrow, []), (wide, without)):
            result = st.mean_result(SHARE, right, "test", left_out=left_out)
            found.append((result.lo, result.hi))
    expected = np.mean(values)
    covered = {
        name: np.mean([lo <= expected <= hi for lo, hi in found])
        for name, found in (("narrow", narrow), ("wide", wide))
    }
    assert covered["narrow"] < 0.75
    assert covered["wide"] > 0.9


def test_refitting_changes_the_fit_only_a_little_and_keeps_rare_values():
    """A label with one item of its second value among the fitting items can still be fitted."""
    random = np.random.default_rng(6)
    x = torch.from_numpy(random.normal(size=(200, 5))).float()
    y = np.zeros((100, 2), dtype=np.int64)
    y[:, 0] = x[:100, 0].numpy() > 0
    fitted = np.flatnonzero(~probing.validating(y))
    y[fitted[0], 1] = 1
    fitting = probing.Probing((x[:100], y), x[100:], (2, 2))
    told = [best[0] for best in fitting.tell(probes.SHORT_BATTERY)]
    again = fitting.refit(told)
    assert len(again) == probing.GROUPS
    for of_group in again:
        assert [t.kind for t in of_group] == [t.kind for t in told]
        assert np.mean(of_group[0].said == told[0].said) > 0.85
    assert any((of_group[0].scores != told[0].scores).any() for of_group in again)


UNBOUNDED = {"kid_add", "kid_remove", "z1_leak_bits"}
"""Estimates without bias can be below 0, and a leak can have as many bits as there are domains."""


@pytest.mark.parametrize("info", INFOS.values(), ids=lambda info: info.id)
def test_every_number_states_its_bounds(info):
    low, high = info.bounds
    assert (info.bounds == (None, None)) == (info.id in UNBOUNDED)
    if info.scale == "logit":
        assert (low, high) == (0, 1)
    if info.scale == "log":
        assert low == 0
    for value, _ in info.exact.values():
        assert low is None or low <= value
        assert high is None or value <= high
    if info.main and info.kind == "estimated":
        assert info.keeps_items
