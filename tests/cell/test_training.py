"""The training loop: image order, budget, and losses that are not finite."""

from __future__ import annotations

import pytest
import torch

from bench.cell.training import ImageOrder, steps_for, train
from tests.helpers import REGISTRY, make_method


def test_image_order_is_epochs_of_a_shuffle():
    order = ImageOrder([10, 7], seed=0)
    seen = torch.cat([order.indices(0, step, 4) for step in range(5)])
    assert sorted(seen[:10].tolist()) == list(range(10))
    assert sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()


def test_image_order_is_one_stream_for_every_batch_size():
    order = ImageOrder([10], seed=3)
    by_fours = torch.cat([order.indices(0, step, 4) for step in range(6)])
    by_sixes = torch.cat([order.indices(0, step, 6) for step in range(4)])
    assert torch.equal(by_fours, by_sixes)
    assert not torch.equal(by_fours[:10], ImageOrder([10], seed=4).indices(0, 0, 10))


def test_budget_is_a_whole_number_of_steps():
    assert steps_for(10e9, int(3e9)) == 3
    assert steps_for(1e9, int(3e9)) == 1


def test_a_loss_that_is_not_finite_ends_training(faces):
    from bench.contracts.outputs import DivergedError

    plugin = REGISTRY.find("method", "autoencoder")
    method = make_method(plugin)
    with torch.no_grad():
        next(method.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="reconstruction is not finite at step"):
        train(method, faces, steps=2, flops_per_step=1, seed=0, precision="fp32")
