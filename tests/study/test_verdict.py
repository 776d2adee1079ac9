"""When a claim is supported, contradicted or undecided."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.contracts.registry import shipped_infos
from bench.study.claim_cells import Found
from bench.study.verdict import judge, verdict_of
from tests.study.made_claims import claim, found, side

INFOS = shipped_infos()
NOISE = np.array([0.01, -0.01, 0.005, 0.0, -0.005])


def verdict(*claims, **rows):
    """Return the verdicts on claims, with the values of rows by method."""
    records = {}
    for method, values in rows.items():
        records |= found(method.replace("_", "-"), list(values))
    return judge(claims, records, INFOS)


@pytest.mark.parametrize(
    ("lo", "hi", "margin", "expected"),
    [
        (0.02, 0.05, 0.01, "supported"),
        (0.01, 0.05, 0.01, "undecided"),  # touches the margin
        (-0.05, 0.009, 0.01, "contradicted"),
        (0.002, 0.008, 0.01, "contradicted"),  # an effect, but too small to count
        (-0.05, -0.02, 0.01, "contradicted"),
        (-0.01, 0.02, 0.01, "undecided"),
        (-0.02, 0.01, -0.05, "supported"),  # not worse by more than .05
        (-0.09, -0.06, -0.05, "contradicted"),
        (math.nan, math.nan, 0.0, "undecided"),
    ],
)
def test_the_interval_and_the_margin_decide(lo, hi, margin, expected):
    assert verdict_of(lo, hi, margin) == expected


def test_the_direction_says_which_side_is_subtracted():
    rows = {"mine": 0.5 + NOISE, "other": 0.3 - NOISE}
    names = ("higher", "lower", "swapped")
    (up, down, swapped) = verdict(
        claim("higher", margin=0.01),
        claim("lower", direction="lower", margin=0.01),
        claim("swapped", "other", "mine", direction="lower", margin=0.01),
        **rows,
    )
    assert [one.claim.id for one in (up, down, swapped)] == list(names)
    assert [one.verdict for one in (up, down, swapped)] == [
        "supported",
        "contradicted",
        "supported",
    ]
    assert up.difference.value == pytest.approx(0.2)
    assert down.difference.value == pytest.approx(-0.2)
    assert swapped.difference.value == pytest.approx(0.2)
    assert up.difference.n_seeds == 5


def test_pairs_of_seeds_are_compared():
    """What the seeds share cancels: their values spread far more than their differences."""
    shared = np.array([0.1, 0.9, 0.4, 0.7, 0.2])
    (paired,) = verdict(claim(), mine=shared + 0.05 + NOISE / 5, other=shared)
    assert paired.verdict == "supported"
    (mixed,) = verdict(claim(), mine=shared + 0.05 + NOISE / 5, other=shared[::-1])
    assert mixed.verdict == "undecided"


def test_more_claims_need_stronger_evidence():
    """Holm: a difference that decides alone is undecided among nine without an effect."""
    rows = {"mine": 0.315 + 2 * NOISE, "other": 0.287 * np.ones(5), "same": 0.287 - 3 * NOISE}
    (alone,) = verdict(claim(), **rows)
    assert alone.verdict == "supported"
    among = verdict(claim(), *(claim(f"c{i}", "same", "other") for i in range(9)), **rows)
    assert {one.verdict for one in among} == {"undecided"}
    assert among[0].difference.value == alone.difference.value
    assert among[0].difference.lo < 0 < alone.difference.lo


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_seeds_never_decide(n):
    (one,) = verdict(claim(), mine=(0.9 + NOISE / 1e6)[:n], other=[0.1] * n)
    assert one.verdict == "undecided"
    assert one.reason.startswith(f"{n} seed")
    assert one.difference.value == pytest.approx(0.8, abs=1e-6)


def test_three_seeds_decide():
    (one,) = verdict(claim(), mine=0.9 + NOISE[:3], other=[0.1] * 3)
    assert (one.verdict, one.reason) == ("supported", "")


def test_an_anchor_is_compared_with_every_seed():
    (one,) = verdict(claim("c", "mine", "paste"), mine=0.5 + NOISE, paste=[0.4])
    assert (one.verdict, one.difference.n_seeds) == ("supported", 5)


def test_two_anchors_need_no_seeds():
    """They have one record each, so only the test items make their difference uncertain."""
    items = np.linspace(0, 1, 50)
    row = found("paste", [float(items.mean()) + 0.3], items=list(items + 0.3))
    row |= found("copy-source", [float(items.mean())], items=list(items))
    (one,) = judge([claim("c", "paste", "copy-source", margin=0.01)], row, INFOS)
    assert (one.verdict, one.reason, one.difference.n_seeds) == ("supported", "", 1)


def test_a_detail_is_compared():
    """Both sides may be numbers of the same records."""
    detail = {"colour": {"value": 0.9}, "kind": {"value": 0.1}}
    both = found("mine", list(NOISE), detail=detail)
    sides = ("mine", "colour.value"), ("mine", "kind.value")
    (one,) = judge([claim("c", *sides)], both, INFOS)
    assert one.verdict == "supported"
    assert one.difference.value == pytest.approx(0.8)
    (lacks,) = judge([claim("c", ("mine", "size.value"), sides[1])], both, INFOS)
    assert (lacks.verdict, lacks.difference) == ("undecided", None)
    assert "no number 'size.value'" in lacks.reason


def test_budgets_at_which_it_holds():
    early = [((0.25, 0.31 + noise), (0.5, 0.45 + noise)) for noise in NOISE]
    flat = [((0.25, 0.3), (0.5, 0.3))] * 5
    row = found("mine", 0.5 + NOISE, early) | found("other", [0.3] * 5, flat)
    row |= found("paste", [0.3])
    for against in ("other", "paste"):
        (one,) = judge([claim("c", "mine", against, margin=0.02)], row, INFOS)
        assert one.verdict == "supported"
        assert one.budgets == (0.5, 1.0), against
    row = found("mine", 0.5 + NOISE) | found("other", [0.3] * 5)
    (one,) = judge([claim()], row, INFOS)
    assert one.budgets is None


def test_a_failed_or_missing_cell_gives_no_verdict():
    good = found("mine", 0.5 + NOISE)
    failed = {side("other").row: Found((), "other seed 2 failed: it diverged")}
    missing = {side("other").row: Found((), "other seed 0 has no record", ran=False)}
    (one,) = judge([claim()], good | failed, INFOS)
    assert (one.verdict, one.reason) == ("undecided", "other seed 2 failed: it diverged")
    (one,) = judge([claim()], good | missing, INFOS)
    assert (one.verdict, one.reason) == ("not run", "other seed 0 has no record")
    without = found("other", [None] * 5, status="unavailable", reason="the judge is bad")
    (one,) = judge([claim()], good | without, INFOS)
    assert one.verdict == "undecided"
    assert one.reason == "transfer of other seed 0 is unavailable: the judge is bad"
