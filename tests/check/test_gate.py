"""The gate gives the p-values and the verdicts of the formulas that were written by hand before."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.check import gate
from bench.check.gate import Comparison, Shift


def by_hand(base, new, limit):
    """Return the one-sided p-value by Welch, or of one sample if base is None."""
    if base is None:
        mean, error, freedom = new.mean(), new.std(ddof=1) / len(new) ** 0.5, len(new) - 1
    else:
        parts = [sample.var(ddof=1) / len(sample) for sample in (base, new)]
        mean, error = new.mean() - base.mean(), sum(parts) ** 0.5
        sizes = len(base), len(new)
        freedom = sum(parts) ** 2 / sum(p**2 / (n - 1) for p, n in zip(parts, sizes, strict=True))
    return stats.t.sf((mean - limit) / error, freedom)


def holm_by_hand(chances, level):
    rejected = [False] * len(chances)
    for place, at in enumerate(sorted(range(len(chances)), key=lambda at: chances[at])):
        if chances[at] > level / (len(chances) - place):
            break
        rejected[at] = True
    return rejected


@pytest.mark.parametrize("limit", [-2.0, -0.1, 0.0, 0.4, 3.0])
@pytest.mark.parametrize("sizes", [(3, 3), (10, 3), (10, 10)])
def test_p_values_are_those_of_the_formulas(limit, sizes):
    random = np.random.default_rng(7)
    for spread in (1e-6, 1.0, 1e6):
        base, new = (random.normal(1, spread, size) for size in sizes)
        limit_here = limit * spread
        ours = gate.chance_above(gate.welch(base, new), limit_here)
        assert ours == pytest.approx(by_hand(base, new, limit_here), rel=1e-9)
        if sizes[0] == sizes[1]:
            ours = gate.chance_above(gate.paired(base, new), limit_here)
            assert ours == pytest.approx(by_hand(None, new - base, limit_here), rel=1e-9)


def test_holm_rejects_what_the_procedure_rejects():
    random = np.random.default_rng(1)
    for count in (0, 1, 2, 5, 40):
        chances = list(random.uniform(0, 1, count) ** 6)
        assert gate.rejected(chances, 0.05) == holm_by_hand(chances, 0.05)


@pytest.mark.parametrize("huge", [1e160, 1e308, np.inf, np.nan])
def test_values_too_large_to_compute_with_give_no_verdict(huge):
    base, new = np.array([1.0, 2.0, 3.0]), np.array([huge, -huge, 1.0])
    for shift in (gate.welch(base, new), gate.paired(base, new)):
        assert gate.judge([Comparison(shift, 0.1)]) == ["inconclusive"]
        assert shift.mean == 0.0


def test_an_interval_without_spread_is_a_point():
    assert gate.interval(np.array([0.5, 0.5, 0.5])) == (0.5, 0.5)
    lo, hi = gate.interval(np.array([0.4, 0.5, 0.6]))
    assert (lo + hi) / 2 == pytest.approx(0.5)
    assert Shift(np.array([0.4, 0.5])).turned().mean == pytest.approx(-0.45)


@pytest.mark.parametrize("limit", [0.0, 0.4, 2.0])
def test_the_tests_are_those_of_scipy(limit):
    random = np.random.default_rng(0)
    base, new = random.normal(0, 1, 10), random.normal(0.8, 2, 5)
    ours = gate.chance_above(gate.welch(base, new), limit)
    theirs = stats.ttest_ind(new - limit, base, equal_var=False, alternative="greater").pvalue
    assert ours == pytest.approx(theirs, rel=1e-10)
    ours = gate.chance_above(gate.paired(base[:5], new), limit)
    theirs = stats.ttest_rel(new - limit, base[:5], alternative="greater").pvalue
    assert ours == pytest.approx(theirs, rel=1e-10)


def test_holm_by_hand():
    assert gate.rejected([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert gate.rejected([0.03, 0.02], 0.05) == [True, True]
    assert gate.rejected([], 0.05) == []


def simulated(base_seeds, new_seeds, shift, tolerance, draws=1500):
    """Return the share of each verdict where the tolerance is a multiple of the true spread."""
    random = np.random.default_rng(base_seeds * 100 + new_seeds)
    verdicts = []
    for _ in range(draws):
        base = random.normal(0, 1, base_seeds)
        new = random.normal(shift, 1, new_seeds)
        verdicts += gate.judge([gate.Comparison(gate.welch(base, new), tolerance)])
    return {name: verdicts.count(name) / draws for name in {*verdicts, "regressed"}}


@pytest.mark.parametrize(
    ("seeds", "tolerance", "passed"),
    [((3, 3), 2, 0.59), ((5, 5), 2, 0.88), ((10, 5), 2, 0.95), ((10, 10), 1, 0.69)],
)
def test_unchanged_code_passes_as_often_as_was_worked_out(seeds, tolerance, passed):
    """STATS, section 2: the chance that no change passes a non-inferiority test."""
    found = simulated(*seeds, shift=0, tolerance=tolerance)
    assert found["pass"] == pytest.approx(passed, abs=0.04)
    assert found["regressed"] < 0.01


def test_a_shift_of_four_spreads_is_found_and_never_passed():
    found = simulated(10, 5, shift=4, tolerance=2)
    assert found["regressed"] == pytest.approx(0.742, abs=0.04)
    assert found.get("pass", 0) == 0


def test_no_spread_at_all_is_judged_by_the_mean():
    same = np.array([1.0, 2.0, 3.0])
    equal = gate.Comparison(gate.paired(same, same), 0.1)
    worse = gate.Comparison(gate.paired(same, same + 1), 0.1)
    better = gate.Comparison(gate.paired(same, same - 1), 0.1)
    assert gate.judge([equal, worse, better]) == ["pass", "regressed", "improved"]


def test_larger_is_worse_after_orientation():
    assert gate.oriented([1, 3], "lower", False).tolist() == [1, 3]
    assert gate.oriented([1, 3], "higher", False).tolist() == [-1, -3]
    assert gate.oriented([0.5, 1.5], "near 1", False).tolist() == [0.5, 0.5]
    assert gate.oriented([1, np.e], "lower", True).tolist() == pytest.approx([0, 1])
    with pytest.raises(ValueError, match="above zero"):
        gate.oriented([0.0, 1.0], "lower", True)
