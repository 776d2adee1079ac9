"""Skill and rank of counterfactuals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers import REGISTRY, module

RANK = REGISTRY.infos()["cf_rank_add"]


def test_skill_is_a_ratio_of_sums_inside_the_change():
    cf = module("counterfactual")
    source = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    truth, output = source.clone(), source.clone()
    truth[0, :, 0, 0], output[0, :, 0, 0] = 200, 100  # half of one pixel's way
    truth[1, :, :2] = 100  # eight pixels, not touched
    output[:, :, 3] = 40  # a row outside both changes
    error, own = cf.skill(output, source, truth)
    assert error * 255 == pytest.approx([100, 800])
    assert own * 255 == pytest.approx([200, 800])
    change, pixels = cf.harm(output, source, truth)
    assert change * 255 == pytest.approx([160, 160])
    assert pixels.tolist() == [15, 8]


def test_rank_counts_ties_and_leaves_out_equal_truths(data):
    cf = module("counterfactual")
    truth = data.truth
    same = (truth.add == truth.other).flatten(1).all(1)
    won = cf.rank(truth.other, truth.add, truth)
    assert np.isnan(won).tolist() == same.tolist()
    assert np.nanmax(won) == 0
    gray = torch.full_like(truth.add, 128)
    assert np.nanmean(cf.rank(gray, gray, truth)) == 0.5


def test_the_interval_of_the_rank_is_of_the_pairs_that_its_value_is_of():
    """A couple of which one pair has no value counts with the other."""
    cf = module("counterfactual")
    none = np.nan
    won = np.array([1.0, none] * 20 + [0.0, 0.0] * 3 + [none, none])
    result = cf._rank_result(RANK, won)
    assert (result.value, result.n) == (20 / 26, 26)
    assert result.lo < result.value < result.hi
    whole = np.array([1.0, 0.5] * 6 + [0.0, 0.0] * 6)
    assert cf._rank_result(RANK, whole).lo > 0
    assert cf._rank_result(RANK, np.full(4, none)).status == "unavailable"
