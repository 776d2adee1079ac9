"""Prepared tasks are cached, found again and repaired."""

from __future__ import annotations

import multiprocessing

import pytest
import torch

from bench.contracts.task import DataSizes
from bench.tasks.avatars import AvatarsGlasses
from bench.tasks.cache import prepare, read
from tests.helpers import SIZES


def test_longer_parts_begin_with_shorter_ones(faces, tmp_path):
    longer = prepare(AvatarsGlasses(), DataSizes(32, 8, 8, 40), tmp_path)
    assert torch.equal(longer.domains["test"][0].images[:32], faces.domains["test"][0].images)


@pytest.mark.parametrize("harm", ["truncate", "flip", "empty"])
def test_a_damaged_cache_is_made_again_and_said(harm, tmp_path):
    sizes = DataSizes(16, 4, 4, 4)
    before = prepare(AvatarsGlasses(), sizes, tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[-100] ^= 4
    path.write_bytes({"truncate": content[:-50], "flip": content, "empty": b""}[harm])
    said = []
    again = prepare(AvatarsGlasses(), sizes, tmp_path, say=said.append)
    assert again.pixel_hash == before.pixel_hash
    assert len(said) == 1
    assert "is damaged" in said[0]
    assert "making it again" in said[0]
    assert not list(tmp_path.glob("*.tmp"))


def _prepare(folder, queue):
    count = [0]

    def progress(done, of):
        count[0] = done

    data = prepare(AvatarsGlasses(), DataSizes(16, 64, 8, 8), folder, progress=progress)
    queue.put((count[0], data.pixel_hash))


def test_two_processes_render_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    both = [context.Process(target=_prepare, args=(tmp_path, queue)) for _ in range(2)]
    for process in both:
        process.start()
    found = [queue.get(timeout=120) for _ in both]
    for process in both:
        process.join()
    assert sorted(count > 0 for count, _ in found) == [False, True]
    assert len({content for _, content in found}) == 1


def test_a_cache_that_cannot_be_written_is_said(tmp_path):
    from bench.utils.errors import UserError

    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match=r"cannot use the cache folder .* --cache-dir"):
        prepare(AvatarsGlasses(), DataSizes(16, 4, 4, 4), file)


def test_reading_needs_no_rendering(faces, cache, monkeypatch):
    monkeypatch.setattr(AvatarsGlasses, "load", None)
    again = read(faces.name, SIZES, faces.fingerprint, cache)
    assert again.pixel_hash == faces.pixel_hash
    assert again.factors == faces.factors
