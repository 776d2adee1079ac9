"""Ramps of loss weights are fractions of the training."""

from __future__ import annotations

import pytest
import torch

from bench.cell.training import train
from tests.helpers import REGISTRY, make_method

UFDN = REGISTRY.find("method", "ufdn")


def ufdn(**changes):
    ramps = {"feature_ramp": 0.5, "reconstruction_ramp": 0.25, "pixel_ramp": 1.0}
    return make_method(UFDN, width=8, batch_size=2, **ramps | changes)


@pytest.mark.parametrize("steps", [4, 8])
def test_weights_of_ufdn_reach_their_ends_at_the_same_fraction_of_each_training(faces, steps):
    method = ufdn()
    step, weights = method.training_step, []

    def seen(batch):
        weights.append(method.weights.clone())
        return step(batch)

    method.training_step = seen
    train(method, faces, steps=steps, flops_per_step=1, seed=0, precision="fp32")
    found = torch.stack([*weights, method.weights])
    config = method.config
    for at, start, end, fraction in (
        (0, config.reconstruction_start, config.reconstruction_weight, 0.25),
        (2, config.feature_start, config.feature_weight, 0.5),
        (4, config.pixel_start, config.pixel_weight, 1.0),
    ):
        done = int(fraction * steps)
        expected = torch.linspace(start, end, done + 1, dtype=torch.float64)
        torch.testing.assert_close(found[: done + 1, at], expected, rtol=1e-9, atol=0)
        assert torch.equal(found[done:, at], found[done, at].expand(steps + 1 - done))


def test_published_ramps_are_those_of_the_released_code():
    config = UFDN.load().Config()
    steps = UFDN.load().published_steps
    ramps = (config.reconstruction_ramp, config.feature_ramp, config.pixel_ramp)
    assert [ramp * steps for ramp in ramps] == [1000, 10_000, 10_000]


@pytest.mark.parametrize("wrong", [0, -0.5, 1000, float("nan")])
def test_a_ramp_is_a_fraction(wrong):
    with pytest.raises(ValueError, match=r"feature_ramp is .*, in \(0, 1\]"):
        UFDN.load().Config(feature_ramp=wrong)
