"""A training that was killed continues from its checkpoint with the same bits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench.cell.checkpoint import FORMAT, Checkpoint
from bench.cell.training import build, flops_of_step, train
from bench.plan.configure import fixed_config
from bench.utils.files.tensor_files import read_checked
from tests.helpers import (
    METHODS,
    REGISTRY,
    Killed,
    harm_file,
    kill,
    little,
    little_arguments,
    make_method,
)


@pytest.mark.parametrize("plugin", METHODS)
def test_a_killed_training_goes_on_to_the_same_bits(plugin, faces, tmp_path):
    """Weights, optimisers and random state after four steps and after two, a kill and two."""
    config = fixed_config(plugin) | {"batch_size": 4}
    method_class = plugin.load()

    def new():
        return build(method_class, faces.spec, method_class.Config(**config), 0)

    flops = flops_of_step(new())

    def run(method, checkpoint=None, show=lambda _: None):
        return train(
            method, faces, steps=4, flops_per_step=flops, seed=0, precision="fp32",
            checkpoint=checkpoint, show=show,
        )  # fmt: skip

    straight = new()
    run(straight)
    after = torch.get_rng_state()

    killed = new()
    kill(killed, lambda steps: steps == 2)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        run(killed, Checkpoint(path, "source", 0))
    resumed = new()
    torch.manual_seed(99)
    run(resumed, Checkpoint(path, "source", 1e9))
    assert torch.equal(after, torch.get_rng_state())
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("harm", ["truncated", "flipped", "empty", "of another source"])
def test_a_checkpoint_that_cannot_be_trusted_is_not_used(harm, faces, tmp_path):
    plugin = REGISTRY.find("method", "autoencoder")
    method_class = plugin.load()
    config = fixed_config(plugin)
    method = build(method_class, faces.spec, method_class.Config(**config), 0)
    path = tmp_path / "checkpoint.safetensors"
    Checkpoint(path, "source", 0).save(method, 3, {})
    assert Checkpoint(path, "source", 0).restore(method) == (3, {})
    if harm != "of another source":
        harm_file(path, harm)
    before = torch.get_rng_state()
    source = "other" if harm == "of another source" else "source"
    assert Checkpoint(path, source, 0).restore(method) is None
    assert torch.equal(before, torch.get_rng_state())


def test_the_layout_of_a_checkpoint_has_a_number(faces, tmp_path):
    """If this fails, raise `FORMAT`: a file of the old layout could be read wrongly."""
    method = make_method(REGISTRY.find("method", "autoencoder"))
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", "source", 0)
    train(method, faces, steps=2, flops_per_step=1, seed=0, precision="fp32", checkpoint=checkpoint)
    tensors, metadata = read_checked(checkpoint.path)
    facts = json.loads(metadata["facts"])
    assert FORMAT == 2
    assert sorted(facts) == ["format", "plain", "progress", "source", "step", "torch"]
    assert sorted(facts["progress"]) == ["clock", "curve", "losses", "not_deterministic"]
    assert {name.split("/")[0] for name in tensors} == {"method", "optimizer", "random"}


def test_checkpoint_stays_on_request(inside, tmp_path):
    plugin = little(tmp_path)
    assert inside(*little_arguments(tmp_path, plugin, "--keep")).returncode == 0
    assert len(list(Path(tmp_path / "results").rglob("checkpoint.safetensors"))) == 1
