"""The drawn faces."""

from __future__ import annotations

import numpy as np
import pytest

from bench.contracts.task import HIDDEN, PARTS, DataSizes
from bench.tasks._avatar_factors import FACE, GLASSES
from bench.tasks._drawing import draw, hidden_factors
from bench.tasks.avatars import NONE, AvatarsGlasses, AvatarTask, is_visible, sample
from bench.tasks.cache import fingerprint, prepare
from tests.helpers import REGISTRY, SIZES

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
