"""What the golden traces of SepVAE do not show: sizes, the mixed batch, the restarts of Adam."""

from __future__ import annotations

import importlib

import pytest
import torch

from tests.helpers import REGISTRY, make_method, random_batch

PLUGIN = REGISTRY.find("method", "sepvae")
PACKAGE = PLUGIN.load().__module__.rpartition(".")[0]
channels_for = importlib.import_module(f"{PACKAGE}.networks.sepvae").channels_for
discrepancy = importlib.import_module(PLUGIN.load().__module__).discrepancy


@pytest.mark.parametrize(
    ("size", "down", "up"),
    [
        (32, [32, 64, 128, 256], [256, 128, 64, 32]),
        (64, [32, 32, 64, 128, 256], [256, 128, 64, 32, 32]),
        (128, [32, 32, 64, 128, 256, 512], [512, 512, 256, 128, 64, 32]),
    ],
)
def test_channels_are_those_of_the_released_networks(size, down, up):
    assert channels_for(size, 32) == (down, up)


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="image size 48 does not fit"):
        channels_for(48, 32)


def test_the_batch_is_mixed():
    """With the rows of A before those of B, T would see few pairs from two domains."""
    method = make_method(PLUGIN, batch_size=16).train()
    seen = []
    posterior = method._posterior

    def watched(x, is_target):
        seen.append(is_target.flatten())
        return posterior(x, is_target)

    method._posterior = watched
    torch.manual_seed(0)
    for _ in range(2):
        method.training_step(random_batch(n=16))
    assert all(int(targets.sum()) == 16 for targets in seen)
    first, again, second, _ = seen
    assert torch.equal(first, again), "both updates of a step see the same rows"
    assert not torch.equal(first, second), "each step has an order of its own"
    changes = (first != first.roll(-1)).sum()
    assert changes > 8, "ordered domains would change twice"


@pytest.mark.parametrize(("reset_every", "expected"), [(2, [1, 2, 1, 2]), (0, [1, 2, 3, 4])])
def test_adam_starts_anew(reset_every, expected):
    method = make_method(PLUGIN, reset_every=reset_every).train()
    counts = []
    for step in range(4):
        method.training_step(random_batch(seed=step))
        for optimizer in method.optimizers().values():
            (count,) = {int(state["step"]) for state in optimizer.state.values()}
            counts.append(count)
    assert counts == [count for count in expected for _ in range(2)]


def test_the_discrepancy_of_two_samples():
    generator = torch.Generator().manual_seed(0)
    p, q = (torch.randn(200, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    assert discrepancy(p, p) < 1e-12
    near, far = discrepancy(p, q), discrepancy(p, q + 3)
    assert 0 < near < 0.1 * far
    # two points at distance 1: k(x, x) = 13, k(x, y) = sum of exp(-10^e)
    x, y = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    exponents = torch.arange(-6, 7, dtype=torch.float64)
    expected = 2 * 13 - 2 * torch.exp(-(10**exponents)).sum()
    assert discrepancy(x, y).item() == pytest.approx(expected.item())
