"""Scores of transfer: their formulas, and that copies and constants earn none."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.metric import Artefacts, Settings
from bench.contracts.task import DataSizes, Domain, TaskData, Truth
from bench.tasks.avatars import AvatarTask
from bench.tasks.cache import prepare
from tests.helpers import REGISTRY, family, module

SETTINGS = Settings()
TASKS = [plugin.name for plugin in REGISTRY.all("task") if issubclass(plugin.load(), AvatarTask)]


def scored(artefacts, data):
    """Return the three scores of some results."""
    return family("scores").score(family("scores").ids(), artefacts, data, SETTINGS)


def pictures(*rows):
    """Return gray pictures (n, 3, 1, P) of the given pixels."""
    return torch.tensor(rows, dtype=torch.uint8)[:, None, None].expand(-1, 3, 1, -1).clone()


def task_of(a, b, add, other, remove):
    """Return a task of hand-made test pairs with their truths."""
    none = torch.zeros(len(a), 0, dtype=torch.int64)
    return TaskData("t", "", (), {"test": [Domain(a, none), Domain(b, none)]},
                    Truth(add, other, remove))  # fmt: skip


@pytest.fixture
def little():
    """Two pairs of pictures of three pixels. Only the first pixel is separate content."""
    a = pictures([0, 10, 20], [0, 30, 40])
    b = pictures([100, 110, 120], [200, 130, 140])
    add, other = pictures([100, 10, 20], [200, 30, 40]), pictures([200, 10, 20], [100, 30, 40])
    return task_of(a, b, add, other, pictures([0, 110, 120], [0, 130, 140]))


def test_parts_are_those_of_the_formulas(little):
    """Results that go a part of the way, and change some of the other pixels by ten.

    A: the errors are 50 and 100, those of the sources 100 and 200. K: the harm is 10 in each pair,
    that of the guides 100 in each of two pixels. F: the first result of add and the second of other
    are nearer to their own truth, the two others are equal to the wrong truth. R: the errors are 30
    and 100, those of the sources 100 and 200. K': the harm is 10 in the second pair only, that of
    the images of A 100 in each of two pixels. I: both results are nearer to their own truth.
    """
    made = {
        "add": pictures([50, 10, 30], [100, 40, 40]),
        "other": pictures([100, 10, 20], [50, 30, 40]),
        "remove": pictures([30, 110, 120], [100, 120, 140]),
    }
    found = scored(Artefacts(made), little)
    add, remove = found["add_score"].detail, found["remove_score"].detail
    # to their own and to the other truth: (50, 150), (100, 0), (100, 0), (50, 150)
    assert add["unclipped"] == pytest.approx({"A": 0.5, "K": 1 - 20 / 400, "F": 2 * 0.5 - 1})
    assert found["add_score"].value == 0
    assert remove["unclipped"] == pytest.approx({"R": 1 - 130 / 300, "K'": 1 - 10 / 400, "I": 1.0})
    h = 3 / (300 / 170 + 400 / 390 + 1)
    assert found["remove_score"].value == pytest.approx(h)
    assert found["transfer"].value == pytest.approx(h / 2)
    without = found["transfer"].detail["without"]
    assert without["F"] == pytest.approx((2 / (2 + 400 / 380) + h) / 2)
    assert without["I"] == pytest.approx(2 / (300 / 170 + 400 / 390) / 2)
    assert without["add_score"] == pytest.approx(h)
    assert found["transfer"].detail["scores"] == pytest.approx({"add_score": 0, "remove_score": h})


def test_parts_are_bounded_and_the_unbounded_are_kept(little):
    worse = pictures([0, 255, 255], [0, 255, 255])
    made = {"add": worse, "other": worse, "remove": pictures([255, 110, 120], [255, 130, 140])}
    found = scored(Artefacts(made), little)
    assert found["add_score"].detail["unclipped"]["K"] < 0
    assert found["add_score"].detail["parts"] == {"A": 0, "K": 0, "F": 0}
    assert found["remove_score"].detail["unclipped"]["R"] == pytest.approx(1 - 510 / 300)
    assert found["remove_score"].detail["parts"]["R"] == 0
    for result in found.values():
        assert result.lo <= result.value <= result.hi


PIXEL = st.integers(0, 255)
PAIRS = st.lists(st.tuples(PIXEL, PIXEL, PIXEL), min_size=4, max_size=4)
"""Four pictures of three pixels."""


@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(sets=st.tuples(*[PAIRS] * 8), constant=PIXEL)
def test_scores_of_any_pictures_are_bounded(sets, constant):
    """Whatever the task and the results are; copies and a constant picture earn nothing."""
    a, b, add, other, remove, *results = (pictures(*rows) for rows in sets)
    data = task_of(a, b, add, other, remove)
    same = torch.full_like(a, constant)
    tricks = {
        "copy of the source": {"add": a, "other": a, "remove": b},
        "constant picture": {"add": same, "other": same, "remove": same},
    }
    made = dict(zip(("add", "other", "remove"), results, strict=True))
    for name, images in {"any": made, **tricks}.items():
        for metric, found in scored(Artefacts(images), data).items():
            if found.status != "ok":
                assert found.reason
                continue
            assert 0 <= found.lo <= found.value <= found.hi <= 1
            assert all(0 <= part <= 1 for part in found.detail["parts"].values())
            if name == "copy of the source" or (name in tricks and metric == "add_score"):
                assert found.value == 0, (name, metric)


def test_without_a_change_or_a_second_guide_there_is_a_reason(little):
    a, _ = little.test_pairs
    truth = dataclasses.replace(little.truth, other=little.truth.add)
    same = dataclasses.replace(little, truth=truth)
    assert scored(UNTRAINED["ground-truth"](same), same)["add_score"].reason == (
        "the guides of all pairs give the same truth"
    )
    still = dataclasses.replace(little, truth=Truth(a, a, a))
    found = scored(UNTRAINED["ground-truth"](still), still)
    assert {result.status for result in found.values()} == {"unavailable"}
    assert found["transfer"].reason == "the truth of no pair changes a pixel"


TRICKS = ("copy-source", "copy-guide", "random-guide", "mean-image", "shuffled-truth")
"""Anchors that show or keep something, but transfer nothing."""


@pytest.mark.parametrize("name", TASKS)
def test_tricks_earn_nothing_and_the_truth_everything(name, cache):
    """Issue 15: at most .05 for every trick, on every embedded task with truth.

    The parts of a random image are 0 up to chance, so this needs more pairs than other tests.
    """
    sizes = DataSizes(size=32, train=64, probe=8, test=160)
    data = prepare(REGISTRY.find("task", name).load()(), sizes, cache)
    for trick in TRICKS:
        found = scored(UNTRAINED[trick](data), data)
        if trick == "copy-guide":
            assert found["transfer"].status == "not_applicable"
            assert found["add_score"].value <= 0.05
            continue
        assert found["transfer"].value <= 0.05, trick
        for side in ("add_score", "remove_score"):  # with 32 pairs, chance has a part in one side
            assert found[side].value <= 0.1, (trick, side)
    truth = scored(UNTRAINED["ground-truth"](data), data)
    assert [result.value for result in truth.values()] == [1, 1, 1]


def test_blur_lowers_every_score(faces):
    truth = UNTRAINED["ground-truth"](faces).tensors
    before = dict.fromkeys(family("scores").ids(), 1.0)
    for width in (3, 7):
        blurred = {
            name: torch.nn.functional.avg_pool2d(
                images.double(), width, 1, width // 2, count_include_pad=False
            ).round().to(torch.uint8)
            for name, images in truth.items()
        }  # fmt: skip
        found = scored(Artefacts(blurred), faces)
        for name, result in found.items():
            assert result.value < before[name] - 0.02, (name, width)
        before = {name: result.value for name, result in found.items()}


def test_whole_image_skill_and_own_harm(little):
    """The whole image counts errors outside, and own harm charges no error of the decoder."""
    made = {
        "add": pictures([100, 15, 20], [200, 30, 40]),
        "rec_a": pictures([7, 15, 20], [9, 30, 48]),
        "remove": pictures([0, 110, 120], [200, 130, 140]),
    }
    found = family("counterfactual").score(
        ["cf_skill_add", "cf_skill_in_add", "cf_skill_remove", "cf_harm_own_add"],
        Artefacts(made), little, SETTINGS,
    )  # fmt: skip
    assert found["cf_skill_in_add"].value == 1
    assert found["cf_skill_add"].value == pytest.approx(1 - 5 / 300)
    assert found["cf_skill_remove"].value == pytest.approx(1 - 200 / 300)
    assert found["cf_harm_own_add"].value == pytest.approx(8 / 255 / 4)


def test_the_name_of_a_score_means_the_score(cache):
    """`--metrics transfer` is the number, so no family has that name."""
    assert module("scores").Scores.numbers[0].orders == 1
    assert "transfer" not in [plugin.name for plugin in REGISTRY.all("metric")]
