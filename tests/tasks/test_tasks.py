"""One battery for every task that is found by name, then what the drawn faces promise."""

from __future__ import annotations

import socket

import pytest
import torch

from bench.contracts.task import HIDDEN, PARTS, DataSizes
from bench.tasks.cache import fingerprint, prepare
from tests.helpers import REGISTRY, SIZES

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
            counts = [len(domain.images) for domain in data.domains[part]]
            assert max(counts) == there.of(part) or part == "val"
            assert len(set(counts)) == 1 or part == "train"
            for domain in data.domains[part]:
                n = len(domain.images)
                assert 2 <= n <= SIZES.of(part)
                assert n % 2 == 0 or part not in ("val", "test")
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
