"""Many images are decoded by workers and streamed from disk."""

from __future__ import annotations

import pytest
import torch

from bench.contracts.task import DataSizes
from bench.tasks.cache import prepare
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import read_checked
from tests.helpers import folder_task
from tests.pictures import make_folder, write_cut_short

SIZES = DataSizes(size=16, train=64, probe=64, test=64)


def images(data, part="test"):
    return [domain.images for domain in data.domains[part]]


def test_what_is_streamed_is_checked_and_made_again(place):
    cache = place / "cache"
    data = prepare(folder_task(place), SIZES, cache)
    (path,) = cache.glob("*.safetensors")
    tensors, header = read_checked(path)
    assert header["pixels"] == data.pixel_hash
    assert torch.equal(tensors["test/0/images"], images(data)[0])
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)
    said = []
    again = prepare(folder_task(place), SIZES, cache, say=said.append)
    assert again.pixel_hash == data.pixel_hash
    assert "is damaged" in said[0]


def test_many_images_are_decoded_by_workers_as_in_one_process(tmp_path, monkeypatch):
    """The same bits in the same order, and what is broken is named all the same."""
    for seed, name in enumerate("ab"):
        make_folder(tmp_path / name, 30, seed)
    whole = prepare(folder_task(tmp_path), SIZES, tmp_path / "whole")
    monkeypatch.setattr("bench.tasks.files.stream.CHUNK", 2)
    counts = []
    cut = prepare(
        folder_task(tmp_path), SIZES, tmp_path / "cut", progress=lambda *n: counts.append(n)
    )
    assert cut.pixel_hash == whole.pixel_hash
    assert counts[-1] == (60, 60)
    assert len(counts) >= 30
    write_cut_short(tmp_path / "b" / "000.png")
    with pytest.raises(UserError, match=r"b/000.png: no image that can be read \(image file is"):
        prepare(folder_task(tmp_path), SIZES, tmp_path / "broken")
    assert not list((tmp_path / "broken").glob("*.tmp"))
