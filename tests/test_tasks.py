"""One battery for every task that is found by name, then what the drawn faces promise."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
import torch

from bench.contracts import HIDDEN, PARTS, DataSizes
from bench.data import fingerprint, prepare, read
from bench.tasks.avatars import FACE, GLASSES, NONE, AvatarsGlasses, draw, hidden, sample

from .conftest import REGISTRY, SIZES

TASKS = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("task")]


@pytest.mark.parametrize("plugin", TASKS)
class TestTasks:
    @pytest.fixture
    def task(self, plugin, options):
        return plugin.load()(options(plugin))

    @pytest.fixture
    def data(self, task, cache):
        return prepare(task, SIZES, cache)

    def test_shapes_and_counts(self, task, data):
        there = task.available(SIZES)
        for part in PARTS:
            assert len(data.domains[part]) >= 2
            assert max(len(domain.images) for domain in data.domains[part]) == there.of(part)
            for domain in data.domains[part]:
                n = len(domain.images)
                assert 2 <= n <= SIZES.of(part)
                assert n == there.of(part) or part == "train"
                assert domain.images.shape == (n, 3, 32, 32)
                assert domain.images.dtype == torch.uint8
                assert domain.factors.shape == (n, len(data.factors))
        assert there.test % 2 == 0
        assert data.spec.size == 32
        assert data.pixel_hash

    def test_parts_are_disjoint(self, data):
        seen = [
            image.numpy().tobytes()
            for part in PARTS
            for domain in data.domains[part]
            for image in domain.images
        ]
        assert len(set(seen)) == len(seen)

    def test_factors_are_values_or_hidden(self, data):
        for domains in data.domains.values():
            for domain in domains:
                for column, factor in zip(domain.factors.T, data.factors, strict=True):
                    assert column.min() >= HIDDEN
                    assert column.max() < len(factor.values)
        of_a = data.domains["test"][0].factors
        for at, factor in enumerate(data.factors):
            assert not factor.separate or (of_a[:, at] == HIDDEN).all()

    def test_fingerprint_names_the_recipe(self, plugin, task):
        again = plugin.load()(task.options)
        assert fingerprint(task, SIZES) == fingerprint(again, SIZES)
        assert fingerprint(task, SIZES) != fingerprint(task, DataSizes(32, 64, 64, 34))

    def test_same_recipe_same_bits(self, plugin, task, data, tmp_path):
        again = prepare(plugin.load()(task.options), SIZES, tmp_path)
        assert again.pixel_hash == data.pixel_hash

    def test_truth_is_neither_source_nor_guide(self, data):
        if data.truth is None:
            pytest.skip("the task knows no truth")
        a, b = (domain.images for domain in data.domains["test"])
        for truth, image in ((data.truth.add, a), (data.truth.add, b), (data.truth.remove, b)):
            assert (truth != image).flatten(1).any(1).all()


def test_truth_is_the_source_with_the_guides_glasses(faces):
    """Drawn again from the factors alone, and equal outside a band around the eyes."""
    test_a, test_b = faces.domains["test"]
    names = [factor.name for factor in faces.factors]
    for i in range(6):
        face = sample(FACE, "avatars-glasses", "test", "A", i)
        for at, value in zip(names, test_a.factors[i].tolist(), strict=True):
            if value != HIDDEN:
                factor = next(f for f in faces.factors if f.name == at)
                assert face[at] == factor.values[value]
        for truth, guide in ((faces.truth.add[i], i), (faces.truth.other[i], i ^ 1)):
            glasses = {
                f.name: f.values[test_b.factors[guide, names.index(f.name)]] for f in GLASSES
            }
            assert np.array_equal(truth.numpy(), draw(face | glasses, 32))
        rows = (faces.truth.add[i] != test_a.images[i]).any(0).any(1)
        assert not rows[:5].any()
        assert not rows[20:].any()


def test_a_factor_shows_or_is_hidden_as_declared():
    """Each factor, in faces of every hair and beard: another value is another picture, or none."""
    factors = {factor.name: factor for factor in FACE + GLASSES}
    for hair in factors["hair"].values:
        for beard in (NONE, "beardMajestic"):
            face = sample(FACE + GLASSES, "test", hair, beard) | {"hair": hair, "beard": beard}
            plain = draw(face, 48)
            for name, factor in factors.items():
                if name in ("hair", "beard"):
                    continue
                others = [value for value in factor.values if value != face[name]]
                changed = [(draw(face | {name: v}, 48) != plain).any(0).sum() for v in others]
                if name in hidden(face):
                    assert max(changed) <= 48, (hair, beard, name)
                else:
                    assert min(changed) >= 8, (hair, beard, name)


def test_every_value_of_every_factor_is_drawn():
    drawn = [sample(FACE + GLASSES, "counts", i) for i in range(2000)]
    for factor in FACE + GLASSES:
        counts = {value: sum(a[factor.name] == value for a in drawn) for value in factor.values}
        expected = 2000 / len(factor.values) if factor.name != "beard" else 2000 / 8
        assert min(counts.values()) > 0.7 * expected, (factor.name, counts)


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
    from bench.errors import UserError

    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match=r"cannot use the cache folder .* --cache-dir"):
        prepare(AvatarsGlasses(), DataSizes(16, 4, 4, 4), file)


def test_reading_needs_no_rendering(faces, cache, monkeypatch):
    monkeypatch.setattr(AvatarsGlasses, "load", None)
    again = read(faces.name, SIZES, faces.fingerprint, cache)
    assert again.pixel_hash == faces.pixel_hash
    assert again.factors == faces.factors
