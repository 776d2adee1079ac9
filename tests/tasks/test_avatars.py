"""The drawn faces."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.contracts.task import HIDDEN, PARTS
from bench.tasks._avatar_factors import FACE, GLASSES
from bench.tasks._drawing import draw, hidden_factors
from bench.tasks._pose import CROP, POSE, RANGES, ROLE, pose_options
from bench.tasks.avatars import (
    NONE,
    AvatarsGlasses,
    AvatarsGlassesAligned,
    AvatarsGlassesCorrelated,
    AvatarTask,
    is_visible,
    sample,
)
from bench.tasks.cache import fingerprint, path_of, prepare
from bench.utils.files.tensor_files import content_hash, load
from tests.helpers import REGISTRY, SIZES

AVATARS = [
    pytest.param(plugin.load()(), id=plugin.name)
    for plugin in REGISTRY.all("task")
    if issubclass(plugin.load(), AvatarTask)
]
ROWS = {
    "avatars-glasses-aligned": (5, 20),
    "avatars-two": (5, 32),
}
"""Between which of 32 rows the content of a task can be. In other tasks it can be anywhere."""


@pytest.mark.parametrize("task", AVATARS)
class TestAvatars:
    def test_truth_is_the_source_with_the_guides_content(self, task, cache):
        """Drawn again from the values that the data tell, and equal outside the content's rows."""
        data = prepare(task, SIZES, cache)
        a = data.domains["test"][0].images

        def face(domain, at, separate=False):
            avatar = task.avatar("test", domain, at)
            of_data = data.domains["test"][domain].factors[at].tolist()
            for factor, value in zip(task.factors, of_data, strict=True):
                assert value == HIDDEN or factor.values[value] == avatar[factor.name]
            names = [factor.name for factor in task.factors if factor.separate is separate]
            pose = [] if separate or not task.posed else [ROLE, CROP]
            return {name: avatar[name] for name in (*names, *pose)}

        for i in range(6):
            plain = task.fixed[1] | face(0, i)
            for truth, guide in ((data.truth.add[i], i), (data.truth.other[i], i ^ 1)):
                assert np.array_equal(truth, draw(plain | face(1, guide, separate=True), 32))
            removed = task.fixed[0] | face(1, i)
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
                        assert max(changed) <= 60, (domain, i, factor.name)
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


def test_the_aligned_glasses_are_those_of_the_first_protocol(cache):
    """The pixel hash of `avatars-glasses` before it got poses: all tensors but those of *val*."""
    then = {"dicebear-core": "10.7.0", "dicebear-styles": "10.6.0", "resvg-py": "0.5.0"}
    task = AvatarsGlassesAligned()
    if task.recipe(SIZES)["versions"] != then:
        pytest.skip("another version of the renderer may draw other pixels")
    prepare(task, SIZES, cache)
    tensors, _ = load(path_of(task.name, SIZES, fingerprint(task, SIZES), cache))
    before = {name: tensor for name, tensor in tensors.items() if not name.startswith("val/")}
    assert content_hash(before) == "92271821e2451b0ba4589dcd4dd630f4"


def test_a_pose_lies_in_the_range_of_its_value():
    """Drawn numbers stay in the range of their value, and ranges of a factor do not meet."""
    for name, ranges in RANGES.items():
        ends = sorted(ranges.values())
        assert all(before[1] < after[0] for before, after in pairwise(ends)), name
    turns = {value: [] for value in RANGES["turn"]}
    for i in range(200):
        avatar = AvatarsGlasses().avatar("train", i % 2, i)
        turns[avatar["turn"]].append(pose_options(avatar)["rotate"])
    assert max(turns["left"]) < min(turns["upright"]) < max(turns["upright"]) < min(turns["right"])
    assert len(set(turns["upright"])) == len(turns["upright"])


def test_a_person_may_have_any_pose():
    """The pose is not a part of the person, which belongs to one part of the data only."""
    task = AvatarsGlasses()
    avatar = task.avatar("test", 1, 0)
    for factor in POSE:
        for value in factor.values:
            assert task._fits(avatar | {factor.name: value}, "test", 1)


@pytest.mark.parametrize(
    ("part", "least", "most"),
    [("train", 0.85, 0.95), ("val", 0.85, 0.95), ("probe", 0.4, 0.6), ("test", 0.4, 0.6)],
)
def test_the_companion_goes_with_the_content_in_training_only(part, least, most):
    task = AvatarsGlassesCorrelated()
    of_b = [task.avatar(part, 1, i) for i in range(200)]
    dark = [avatar["glasses"] in task.companion.bring for avatar in of_b]
    beard = [avatar["beard"] in task.companion.shown for avatar in of_b]
    assert least <= np.mean(np.equal(dark, beard)) <= most
    assert 0.3 < np.mean(beard) < 0.6


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
