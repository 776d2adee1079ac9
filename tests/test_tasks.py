"""One battery for every task that is found by name, then what the drawn faces promise."""

from __future__ import annotations

import multiprocessing
import socket

import numpy as np
import pytest
import torch

from bench.contracts.task import HIDDEN, PARTS, DataSizes
from bench.tasks._drawing import draw, hidden_factors
from bench.tasks.avatars import FACE, GLASSES, NONE, AvatarsGlasses, AvatarTask, is_visible, sample
from bench.tasks.cache import fingerprint, prepare, read

from .conftest import REGISTRY, SIZES

TASKS = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("task")]


@pytest.mark.parametrize("plugin", TASKS)
class TestTasks:
    @pytest.fixture
    def task(self, plugin, options):
        task = plugin.load()(options(plugin))
        if task.missing():
            pytest.skip("its files are not here")
        return task

    @pytest.fixture
    def data(self, task, cache):
        return prepare(task, SIZES, cache)

    def test_shapes_and_counts(self, task, data):
        there = task.available(SIZES)
        for part in PARTS:
            assert len(data.domains[part]) == task.domains >= 2
            assert max(len(domain.images) for domain in data.domains[part]) == there.of(part)
            for domain in data.domains[part]:
                n = len(domain.images)
                assert 2 <= n <= SIZES.of(part)
                assert n == there.of(part) or part == "train"
                assert domain.images.shape == (n, 3, 32, 32)
                assert domain.images.dtype == torch.uint8
                assert domain.factors.shape == (n, len(data.factors))
                assert domain.images.float().std() > 1
        assert there.test % 2 == 0
        assert data.spec.size == 32
        assert data.pixel_hash
        if data.label:
            (shared,) = [factor for factor in data.factors if factor.name == data.label]
            assert not shared.separate

    def test_parts_are_disjoint(self, data):
        parts = [
            {image.numpy().tobytes() for domain in data.domains[part] for image in domain.images}
            for part in PARTS
        ]
        assert len(set.union(*parts)) == sum(map(len, parts))
        for part, images in zip(PARTS, parts, strict=True):
            assert len(images) > 0.97 * sum(len(of.images) for of in data.domains[part])

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

    def test_same_recipe_same_bits(self, plugin, task, tmp_path):
        sizes = DataSizes(32, 8, 8, 8)
        made = [prepare(plugin.load()(task.options), sizes, tmp_path / name) for name in "ab"]
        assert made[0].pixel_hash == made[1].pixel_hash

    def test_no_network(self, plugin, task, tmp_path, monkeypatch):
        def refuse(*_, **__):
            raise AssertionError("a run never fetches anything")

        for name in ("connect", "connect_ex", "sendto"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        assert prepare(plugin.load()(task.options), DataSizes(16, 4, 4, 4), tmp_path).pixel_hash

    def test_truth_is_neither_source_nor_guide(self, data):
        if data.truth is None:
            pytest.skip("the task knows no truth")
        a, b = data.test_pairs
        for truth, image in ((data.truth.add, a), (data.truth.add, b), (data.truth.remove, b)):
            assert (truth != image).flatten(1).any(1).all()


AVATARS = [
    pytest.param(plugin.load()(), id=plugin.name)
    for plugin in REGISTRY.all("task")
    if issubclass(plugin.load(), AvatarTask)
]
ROWS = {
    "avatars-glasses": (5, 20),
    "avatars-beard": (8, 32),
    "avatars-smile": (17, 26),
    "avatars-hat": (0, 32),
    "avatars-two": (5, 32),
}
"""Between which of 32 rows the content of a task can be; other tasks change whole pictures."""


@pytest.mark.parametrize("task", AVATARS)
class TestAvatars:
    def test_truth_is_the_source_with_the_guides_content(self, task, cache):
        """Drawn again from the values that the data tell, and equal outside the content's rows."""
        data = prepare(task, SIZES, cache)
        a = data.domains["test"][0].images

        def face(domain, at, factors):
            avatar = task.avatar("test", domain, at)
            of_data = data.domains["test"][domain].factors[at].tolist()
            for factor, value in zip(task.factors, of_data, strict=True):
                assert value == HIDDEN or factor.values[value] == avatar[factor.name]
            return {factor.name: avatar[factor.name] for factor in factors}

        for i in range(6):
            plain = task.fixed[1] | face(0, i, task.shared)
            for truth, guide in ((data.truth.add[i], i), (data.truth.other[i], i ^ 1)):
                assert np.array_equal(truth, draw(plain | face(1, guide, task.separate), 32))
            removed = task.fixed[0] | face(1, i, task.shared)
            assert np.array_equal(data.truth.remove[i], draw(removed, 32))
            if task.name in ROWS:
                first, end = ROWS[task.name]
                changed = (data.truth.add[i] != a[i]).any(0).any(1)
                assert not changed[:first].any()
                assert not changed[end:].any()

    def test_removing_undoes_adding(self, task):
        for i in range(8):
            a, b = (task.avatar("test", domain, i) for domain in (0, 1))
            assert task.removed(task.added(a, b)) == a
            assert task.added(task.removed(b), b) == b

    def test_a_factor_shows_or_is_hidden_as_declared(self, task):
        """In each domain another value of a factor is another picture, or the same if hidden."""
        for domain in range(len(task.fixed)):
            for i in range(2):
                avatar = task.avatar("probe", domain, i)
                plain = draw(avatar, 48)
                for factor in task.own(domain):
                    others = [value for value in factor.values if value != avatar[factor.name]]
                    pictures = [draw(avatar | {factor.name: value}, 48) for value in others]
                    changed = [(picture != plain).any(0).sum() for picture in pictures]
                    if factor.name in hidden_factors(avatar) and avatar[factor.name] != NONE:
                        assert max(changed) <= 48, (domain, i, factor.name)
                    else:
                        assert min(changed) >= 8, (domain, i, factor.name)

    def test_nobody_is_seen_in_two_parts(self, task):
        people = [
            {
                tuple(avatar[f.name] for f in task.shared if is_visible(f, avatar))
                for domain in (0, 1)
                for avatar in (task.avatar(part, domain, i) for i in range(64))
            }
            for part in PARTS
        ]
        assert len(set.union(*people)) == sum(map(len, people))

    def test_all_of_b_has_content(self, task):
        of_b = [task.avatar("train", 1, i) for i in range(64)]
        assert all(any(is_visible(factor, avatar) for factor in task.separate) for avatar in of_b)
        for factor in task.separate:
            assert {avatar[factor.name] for avatar in of_b} >= set(factor.values)
            assert any(not is_visible(factor, avatar) for avatar in of_b) == bool(task.may_lack)


def test_the_glasses_are_those_of_committed_records(faces, monkeypatch):
    """The fingerprint that stands in `results/`; pixels only where the versions are the same."""
    then = {"dicebear-core": "10.7.0", "dicebear-styles": "10.6.0", "resvg-py": "0.5.0"}
    if AvatarsGlasses().recipe(SIZES)["versions"] == then:
        assert faces.pixel_hash == "92271821e2451b0ba4589dcd4dd630f4"
    monkeypatch.setattr("bench.tasks.avatars.version", then.get)
    assert fingerprint(AvatarsGlasses(), DataSizes(32, 8192, 1024, 512)) == "8d8bbe6129c062f4"


def test_no_hair_or_beard_hides_more_than_declared():
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
                if name in hidden_factors(face):
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
