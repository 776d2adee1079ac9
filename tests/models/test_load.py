"""A trained method of a run, loaded for pictures of a user."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import bench
from bench.contracts.images import to_float, to_uint8
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import load
from tests.helpers import harm_file, little


@pytest.fixture
def trained(peaceful):
    """A folder with little.py and the results of its run."""
    return peaceful


def run_of(folder):
    (run,) = (folder / "results" / "runs").glob("little*")
    return run


def model_of(folder, **more):
    return bench.load_model(run_of(folder), plugins=[folder / "little.py"], **more)


def random_pictures(count=3, side=32):
    shape = (count, side, side, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_it_has_the_weights_of_the_run_by_folder_and_by_record(trained):
    (record,) = (trained / "results" / "records").glob("little*")
    by_record = bench.load_model(record, plugins=[trained / "little.py"])
    kept = load(run_of(trained) / "weights.safetensors")[0]
    for model in (model_of(trained), by_record):
        assert not model.method.training
        assert model.record["identity"]["method"] == "little"
        state = model.method.state_dict()
        assert state.keys() == kept.keys()
        assert all(torch.equal(state[name], kept[name]) for name in kept)


def test_each_form_gets_the_result_of_the_method_in_its_own_form(trained):
    model, arrays = model_of(trained), random_pictures()
    tensors = torch.from_numpy(arrays).permute(0, 3, 1, 2)
    with torch.inference_mode():
        x = to_float(tensors)
        expected = to_uint8(model.method.add(x, x.flip(0)))
    assert torch.equal(model.add(tensors, tensors.flip(0)), expected)
    as_arrays = expected.permute(0, 2, 3, 1).numpy()
    assert np.array_equal(model.add(arrays, arrays[::-1]), as_arrays)
    one = model.add(Image.fromarray(arrays[0]), Image.fromarray(arrays[2]))
    assert isinstance(one, Image.Image)
    assert np.abs(np.asarray(one).astype(int) - as_arrays[0]).max() <= 1  # batch sizes round apart
    assert model.remove(arrays[0]).shape == (32, 32, 3)
    assert model.remove(tensors[0]).shape == (3, 32, 32)
    assert model.reconstruct(tensors, 1).shape == tensors.shape
    assert model.encode(arrays, 0).common.shape[0] == 3


def test_other_sizes_are_resized_and_one_guide_serves_all(trained):
    model = model_of(trained)
    made = model.add(random_pictures(3, 50), Image.new("L", (70, 40), 128))
    assert made.shape == (3, 32, 32, 3)


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((3, 32, 32), np.uint8),
        np.zeros((32, 32, 3), np.float32),
        torch.zeros(3, 32, 32),
        torch.zeros((0, 3, 32, 32), dtype=torch.uint8),
        Image.new("I", (32, 32)),
        "a.png",
    ],
)
def test_pictures_of_another_form_are_refused(pictures, trained):
    with pytest.raises(UserError, match=r"pictures are .*, expected a PIL image"):
        model_of(trained).remove(pictures)


def test_loading_leaves_the_random_generators_of_the_user_alone(trained):
    before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    model_of(trained)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


def test_counts_and_domains_are_checked(trained):
    model = model_of(trained)
    with pytest.raises(UserError, match="3 pictures and 2 guides, expected 1 or 3"):
        model.add(random_pictures(3), random_pictures(2))
    with pytest.raises(UserError, match="domain is 2, expected 0 for A or 1 for B"):
        model.encode(random_pictures(), 2)


def test_changed_code_is_refused_unless_asked_for(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    little(tmp_path, "self.more = 1")
    with pytest.raises(UserError, match=r"has changed since little.*any_source=True"):
        model_of(tmp_path)
    model = model_of(tmp_path, any_source=True)
    assert model.remove(random_pictures()).shape == (3, 32, 32, 3)


def test_damaged_and_missing_weights_are_one_clear_line(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    weights = run_of(tmp_path) / "weights.safetensors"
    harm_file(weights, "flipped")
    with pytest.raises(UserError, match=r"weights in .* are damaged: run it again"):
        model_of(tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match="has no trained weights"):
        model_of(tmp_path)
    with pytest.raises(UserError, match="there is no such file: name a run folder"):
        bench.load_model(tmp_path / "results" / "runs" / "nothing")
