"""Snapshots do not change a training, and survive a kill."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from bench.cell.checkpoint import Checkpoint
from bench.cell.snapshots import snapshot_steps, unchanged
from bench.cell.training import train
from tests.helpers import METHODS, REGISTRY, Killed, kill, make_method

STEPS = 8


def draws():
    """Return numbers from every random generator."""
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()


def score(method):
    """Return a number of the weights, after all that a snapshot could do to a training."""
    method.eval()
    draws()
    for buffer in method.buffers():
        buffer.zero_()
    norm = sum(float(value.detach().double().square().sum()) for value in method.parameters())
    return {"norm": {"value": norm, "version": 1}}


def run(method, faces, score=score, checkpoint=None):
    return train(
        method, faces, steps=STEPS, flops_per_step=10, seed=0, precision="fp32",
        checkpoint=checkpoint, score=score,
    )  # fmt: skip


def assert_equal_states(one, other):
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert [m.training for m in one.modules()] == [m.training for m in other.modules()]


def values(curve):
    """Return points without their time."""
    return [{key: of for key, of in point.items() if key != "cpu_seconds"} for point in curve]


@pytest.mark.parametrize("plugin", METHODS)
def test_snapshots_change_no_bit_also_after_a_kill(plugin, faces, tmp_path):
    """Without snapshots, with them, and with a kill between the second and the third."""
    plain, scored, killed, resumed = (
        make_method(plugin, spec=faces.spec, batch_size=4) for _ in range(4)
    )
    assert run(plain, faces, score=None).curve == []
    after = draws()
    training = run(scored, faces)
    assert draws() == after
    assert_equal_states(plain, scored)
    assert [point["steps"] for point in training.curve] == [1, 2, 4]
    assert [point["budget"] for point in training.curve] == [1 / 16, 1 / 4, 1 / 2]

    kill(killed, lambda steps: steps == 3)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        run(killed, faces, checkpoint=Checkpoint(path, "source", 0))
    seen = []

    def scored_again(method):
        seen.append(1)
        return score(method)

    again = run(resumed, faces, score=scored_again, checkpoint=Checkpoint(path, "source", 1e9))
    assert len(seen) == 1
    assert draws() == after
    assert_equal_states(plain, resumed)
    assert values(again.curve) == values(training.curve)
    seconds = [point["cpu_seconds"] for point in again.curve]
    assert seconds == sorted(seconds)
    assert again.cpu_seconds >= seconds[-1]


def test_a_snapshot_is_taken_before_the_checkpoint_of_its_step(faces, tmp_path):
    """A kill right after the checkpoint at a snapshot's step loses no point and repeats none."""
    path, seen = tmp_path / "checkpoint.safetensors", []
    plugin = REGISTRY.find("method", "autoencoder")
    killed = make_method(plugin)
    kill(killed, lambda _: len(seen) == 2)

    def counted(method):
        seen.append(1)
        return score(method)

    with pytest.raises(Killed):
        run(killed, faces, score=counted, checkpoint=Checkpoint(path, "source", 0))
    training = run(make_method(plugin), faces, counted, Checkpoint(path, "source", 1e9))
    assert len(seen) == 3
    assert [point["steps"] for point in training.curve] == [1, 2, 4]


def test_a_checkpoint_without_a_curve_is_not_used(faces, tmp_path, monkeypatch):
    """Files of the first layout have none. The training begins again, and its curve is whole."""
    path = tmp_path / "checkpoint.safetensors"
    plugin = REGISTRY.find("method", "autoencoder")
    killed = make_method(plugin)
    kill(killed, lambda steps: steps == 3)
    with monkeypatch.context() as patch:
        patch.setattr("bench.cell.checkpoint.FORMAT", 1)
        with pytest.raises(Killed):
            run(killed, faces, None, Checkpoint(path, "source", 0))
    assert path.exists()
    training = run(make_method(plugin), faces, score, Checkpoint(path, "source", 1e9))
    assert [point["steps"] for point in training.curve] == [1, 2, 4]


def test_the_time_of_snapshots_is_no_time_of_training(faces, monkeypatch):
    """Each look at a clock takes no time, and a snapshot takes an hour."""
    now = [0.0]
    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(f"bench.cell.training.time.{clock}", lambda: now[0])
    method = make_method(REGISTRY.find("method", "autoencoder"))
    step = method.training_step

    def slow_step(batch):
        now[0] += 1
        return step(batch)

    def slow_score(method):
        now[0] += 3600
        return score(method)

    method.training_step = slow_step
    training = run(method, faces, slow_score)
    assert (training.seconds, training.cpu_seconds) == (STEPS, STEPS)
    assert [point["cpu_seconds"] for point in training.curve] == [1, 2, 4]
    assert len(set(training.rates)) == 1


def test_modes_buffers_and_random_states_are_restored_after_an_error():
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout()).train()
    net[1].eval()
    mean = net[0].running_mean
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    expected = draws()
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)

    def harm():
        draws()
        net.eval()
        net[0].running_mean.add_(7)
        net[0].running_var = torch.zeros(2)
        net.register_buffer("more", torch.zeros(1))
        raise ArithmeticError

    with pytest.raises(ArithmeticError), unchanged(net):
        harm()
    assert draws() == expected
    assert [module.training for module in net.modules()] == [True, True, False]
    assert net[0].running_mean is mean
    assert net.state_dict().keys() == kept.keys()
    for name, value in net.state_dict().items():
        assert torch.equal(value, kept[name]), name


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (1, {}),
        (2, {1: 1 / 16}),
        (3, {1: 1 / 16, 2: 1 / 2}),
        (160, {10: 1 / 16, 20: 1 / 8, 40: 1 / 4, 80: 1 / 2}),
    ],
)
def test_snapshots_are_at_fractions_of_the_training(steps, expected):
    assert snapshot_steps(steps) == expected
