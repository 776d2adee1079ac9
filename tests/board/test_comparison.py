"""Two methods compared by the same seeds and items, and many pairs after Holm's correction."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.board.comparison import adjusted, best_and_ties, difference, every_pair
from bench.contracts.metric import MetricInfo
from tests.helpers import board_record

PLAIN = {"unit": "", "meaning": "of a test"}
SCORE = MetricInfo(id="score", better="higher", tolerance=0.01, **PLAIN)
DISTANCE = MetricInfo(id="dist", better="lower", scale="log", tolerance=0.05,
                      tolerance_is_relative=True, **PLAIN)  # fmt: skip
RATIO = MetricInfo(id="ratio", better="near 1", tolerance=0.01, **PLAIN)


def records(label, values, metric="score", items=None, first=0, **more):
    made = [
        board_record(label, seed, **{metric: v}, **more) for seed, v in enumerate(values, first)
    ]
    for at, record in enumerate(made):
        if items is not None:
            record["metrics"][metric]["items"] = list(items[at])
    return made


def test_seeds_are_paired():
    left, right = np.array([0.5, 0.7, 0.3]), np.array([0.4, 0.62, 0.19])
    found = difference(records("m", left), records("n", right), SCORE)
    test = stats.ttest_rel(left, right)
    assert found.value == pytest.approx(np.mean(left - right))
    assert found.chance == pytest.approx(test.pvalue)
    assert (found.lo, found.hi) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert (found.left, found.right, found.metric, found.n_seeds) == ("m", "n", "score", 3)
    assert (found.winner, found.is_tie) == ("m", False)
    back = difference(records("n", right), records("m", left), SCORE)
    assert (back.value, back.winner) == (-found.value, "m")


def test_seeds_of_one_side_only_are_left_out():
    found = difference(records("m", [0.5, 0.7, 0.3]), records("n", [0.4, 0.2], first=1), SCORE)
    assert found.n_seeds == 2
    assert found.value == pytest.approx(np.mean([0.3, 0.1]))
    assert difference(records("m", [0.5]), records("n", [0.4], first=1), SCORE) is None


def test_items_are_paired():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, 200)
    left, right = (hard + rng.normal(at, 0.1, (3, 200)) for at in (0.5, 0.4))
    found = difference(
        records("m", left.mean(1), items=left), records("n", right.mean(1), items=right), SCORE
    )
    gaps = (left - right).mean(1)
    items = (left - right).mean(0).var(ddof=1) / 200
    assert found.error == pytest.approx(np.sqrt(gaps.var(ddof=1) / 3 + items))
    alone = difference(
        records("m", left.mean(1), items=left), records("n", right.mean(1)), SCORE
    )  # the other one has no items
    assert alone.error == pytest.approx(stats.sem(gaps))


def test_one_seed_has_an_interval_over_its_items_and_no_test():
    """A second training would differ by more than the items show, so nobody wins or ties."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(0.5, 0.01, (1, 100)), rng.normal(0, 0.01, (1, 100))
    one = records("m", left.mean(1), items=left), records("n", right.mean(1), items=right)
    found = difference(*one, SCORE)
    test = stats.ttest_rel(left[0], right[0])
    assert (found.n_seeds, found.df) == (1, 99)
    assert (found.lo, found.hi) == pytest.approx(tuple(test.confidence_interval(0.95)))
    no_items = difference(records("m", [0.9]), records("n", [0.5]), SCORE)
    for untested in (found, no_items):
        assert math.isnan(untested.chance)
        assert (untested.is_tested, untested.is_tie, untested.winner) == (False, False, "")
    assert best_and_ties({"m": 0.5, "n": 0.0}, "higher", [found]) == set()


def test_distances_are_compared_by_their_ratio():
    left = records("m", [10.0, 20.0, 40.0], "dist")
    found = difference(left, records("n", [11.0, 22.0, 44.2], "dist"), DISTANCE)
    assert found.scale == "log ratio"
    assert found.value == pytest.approx(math.log(10 / 11), abs=0.01)
    assert found.winner == "m"
    close = difference(left, records("n", [10.4, 20.8, 41.7], "dist"), DISTANCE)
    assert not close.lo <= 0 <= close.hi
    assert (close.is_tie, close.winner) == (True, "")  # 4 % is inside the tolerance of 5 %
    absolute = replace(DISTANCE, tolerance=1.0, tolerance_is_relative=False)
    found = difference(left, records("n", [10.4, 20.8, 41.7], "dist"), absolute)
    assert math.expm1(found.tolerance) * 20 == pytest.approx(1.0)


def test_near_1_is_compared_by_the_distance_from_1():
    left, right = (
        records("m", [0.95, 0.96, 0.97], "ratio"),
        records("n", [1.2, 1.21, 1.24], "ratio"),
    )
    found = difference(left, right, RATIO)
    assert found.value == pytest.approx(np.mean([0.05, 0.04, 0.03]) - np.mean([0.2, 0.21, 0.24]))
    assert (found.scale, found.winner) == ("distance from 1", "m")


def test_the_best_near_1_is_best_in_its_pairs():
    """A mean of 1 from seeds on both sides is nearer to 1 than each of its seeds."""
    left = records("m", [0.9, 1.1, 0.88, 1.12], "ratio")
    right = records("n", [1.05, 1.06, 1.05, 1.06], "ratio")
    found = difference(left, right, RATIO)
    assert found.value == pytest.approx(-0.055)  # |1 - 1| - |1.055 - 1|, as on the board


def test_clipped_seeds_do_not_make_a_difference_sure():
    """Each seed scores 0, but its unclipped part shows that others could score above 0."""
    other = records("n", [0.03, 0.035, 0.028])
    sides = {"add": ["A"]}
    found = []
    for parts in ([-0.02, -0.01, -0.05], [-0.9, -0.91, -0.92]):
        zero = records("m", [0.0, 0.0, 0.0])
        for record, part in zip(zero, parts, strict=True):
            record["metrics"]["score"]["detail"] = {"unclipped": {"A": part}, "sides": sides}
        found.append(difference(zero, other, SCORE))
    near, far = found
    assert near.is_tie
    assert far.winner == "n"
    assert near.error > 2 * far.error


def test_an_anchor_without_seeds_is_compared_with_each_seed():
    found = difference(records("m", [0.5, 0.6, 0.55]), records("paste", [0.3]), SCORE)
    assert (found.n_seeds, found.winner) == (3, "m")
    assert found.chance == pytest.approx(stats.ttest_1samp([0.5, 0.6, 0.55], 0.3).pvalue)


def test_a_factor_and_a_point_of_the_curve():
    sides = [records(label, values) for label, values in (("m", [0.5, 0.6]), ("n", [0.5, 0.61]))]
    for shift, side in zip((0.3, 0.0), sides, strict=True):
        for at, record in enumerate(side):
            record["metrics"]["score"]["detail"] = {"hair": {"value": 0.2 + shift + at / 100}}
            point = {"value": 0.1 + shift, "version": 1}
            record["curve"] = [{"budget": 0.25, "metrics": {"score": point}}]
    hair = ("hair.value", "hair.value")
    assert difference(*sides, SCORE, details=hair).value == pytest.approx(0.3)
    assert difference(*sides, SCORE, budget=0.25).value == pytest.approx(0.3)
    assert difference(*sides, SCORE, budget=0.5) is None
    assert difference(*sides, SCORE, details=("none", "")) is None
    for record in sides[0]:
        record["metrics"]["score"]["version"] = 2  # the curve was measured by version 1
    assert difference(*sides, SCORE, budget=0.25) is None


def test_older_versions_are_not_compared():
    left, right = records("m", [0.5, 0.6]), records("n", [0.4, 0.3])
    right[0]["metrics"]["score"]["version"] = 2
    assert difference(left, right, SCORE) is None


def test_holm_adjusts_p_and_intervals_together():
    rng = np.random.default_rng(0)
    rows = {
        label: records(label, rng.normal(at, 0.1, 5))
        for label, at in (("a", 0.9), ("b", 0.5), ("c", 0.47), ("d", 0.45))
    }
    found = every_pair(rows, SCORE)
    raw = [difference(rows[one.left], rows[one.right], SCORE) for one in found]
    assert len(found) == 6
    by_p = sorted(range(6), key=lambda at: raw[at].chance)
    assert found[by_p[0]].chance == pytest.approx(6 * raw[by_p[0]].chance)
    expected = multipletests([one.chance for one in raw], method="holm")[1]
    assert [one.chance for one in found] == pytest.approx(expected)
    lowest = found[by_p[0]]
    reach = stats.t.ppf(1 - 0.05 / 6 / 2, 4) * lowest.error
    assert (lowest.lo, lowest.hi) == pytest.approx((lowest.value - reach, lowest.value + reach))
    for one in found:
        assert (one.lo <= 0 <= one.hi) == (one.chance >= 0.05)
    assert {one.winner for one in found if not one.is_tie} == {"a"}
    untested = difference(records("m", [0.9]), records("n", [0.5]), SCORE)
    assert adjusted([untested])[0] is untested
    assert adjusted([raw[0], untested])[0].chance == pytest.approx(raw[0].chance)  # a family of one


@pytest.mark.parametrize("info", [SCORE, DISTANCE, RATIO])
def test_pairs_that_are_computed_together_equal_those_computed_alone(info):
    """To the last bit, also among rows with other seeds, without items, or below 0."""
    rng = np.random.default_rng(3)
    rows = {}
    for at, (seeds, n_items, shift) in enumerate(
        [(5, 40, 1), (5, 40, 2), (5, 40, 1.5), (5, 0, 1), (3, 40, 1), (9, 40, 1), (5, 40, -3),
         (5, 30, 1), (1, 40, 1), (9, 40, 2)]
    ):  # fmt: skip
        table = shift + rng.normal(0, 0.1, (seeds, n_items or 4))
        items = table if n_items else None
        rows[f"m{at}"] = records(f"m{at}", table.mean(1), info.id, items, first=at % 2)
    alone = [
        difference(rows[left], rows[right], info, labels=(left, right))
        for left, right in combinations(rows, 2)
    ]
    together = every_pair(rows, info)
    assert together == adjusted([one for one in alone if one])
    assert 0 < len(together) < len(alone)


def test_holm_counts_hypotheses_that_are_not_tested_and_tests_their_null():
    left, right = records("m", [0.50, 0.51, 0.52, 0.49]), records("n", [0.40, 0.38, 0.41, 0.39])
    one = difference(left, right, SCORE, null=0.05)
    shifted = stats.ttest_1samp(np.array([0.1, 0.13, 0.11, 0.1]), 0.05)
    assert one.chance == pytest.approx(shifted.pvalue)
    (alone,), (among,) = adjusted([one]), adjusted([one], family=4)
    assert among.chance == pytest.approx(4 * alone.chance)
    for found in (alone, among, adjusted([one], family=1000)[0]):
        assert (found.lo <= 0.05 <= found.hi) == (found.chance >= 0.05)
    reach = stats.t.ppf(1 - 0.05 / 4 / 2, 3) * one.error
    assert (among.lo, among.hi) == pytest.approx((one.value - reach, one.value + reach))


def test_holm_keeps_the_error_of_the_family():
    """Without a true difference, one of 5 % of the boards has a winner, not one of 25 %."""
    rng = np.random.default_rng(1)
    exact = replace(SCORE, tolerance=0.0)
    wrong, wrong_alone = 0, 0
    for _ in range(200):
        rows = {label: records(label, rng.normal(0.5, 0.1, 5)) for label in "abcd"}
        found = every_pair(rows, exact)
        wrong += any(not one.is_tie for one in found)
        alone = [difference(rows[one.left], rows[one.right], exact) for one in found]
        wrong_alone += any(not one.is_tie for one in alone)
    assert wrong / 200 <= 0.07
    assert wrong_alone / 200 > 0.12


def test_a_difference_is_covered_in_93_percent():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        hard = rng.normal(0, 1, 50)
        left, right = (hard + rng.normal(0, 0.05, (3, 1)) + rng.normal(0, 0.5, 50) for _ in "ab")
        found = difference(
            records("m", left.mean(1), items=left), records("n", right.mean(1), items=right), SCORE
        )
        covered += found.lo <= 0 <= found.hi
    assert covered / 400 >= 0.93


def test_the_best_and_all_that_tie_with_it():
    rows = {
        "a": records("a", [0.90, 0.91, 0.92, 0.93]), "b": records("b", [0.89, 0.93, 0.90, 0.92]),
        "c": records("c", [0.50, 0.52, 0.51, 0.53]),
    }  # fmt: skip
    pairs = every_pair(rows, SCORE)
    assert best_and_ties({"a": 0.915, "b": 0.91, "c": 0.515}, "higher", pairs) == {"a", "b"}
    assert best_and_ties({"a": 0.915, "b": 0.91, "c": 0.515}, "lower", pairs) == {"c"}
    assert best_and_ties({"a": 0.915}, "higher", pairs) == set()
    assert best_and_ties({"a": 0.915, "b": 0.91}, "higher", []) == set()
