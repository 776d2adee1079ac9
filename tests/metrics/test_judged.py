"""Transfer as a judge sees it: a judge that is told what it sees, and the real one."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.metric import Artefacts
from bench.contracts.task import HIDDEN, Companion, Domain, Factor, TaskData, Truth
from tests.helpers import family, module

N = 40
"""Test pairs of the task that is made here."""
FACE, KIND = Factor("face", ("x", "y", "z")), Factor("kind", ("p", "q"), separate=True)


def marked(at):
    """Return N images whose red pixels are a number, by which the judge knows what it is told."""
    images = torch.zeros(N, 3, 8, 8, dtype=torch.uint8)
    images[:, 0] = at
    return images


A, B, ADD, REMOVE, TRUTH = range(5)


class Told:
    """A judge that is told the values of each set of images, by factor; `right` about real ones."""

    extractor = SimpleNamespace(name="none")

    def __init__(self, seen, domains, right=1.0):
        self.seen, self.domains, self.right = seen, domains, right

    def knows(self, factor):
        return True

    def factor(self, factor, images):
        return self.seen[factor.name][int(images[0, 0, 0, 0])]

    def accuracy(self, factor, data):
        return self.right

    def domain(self, images):
        return self.domains[int(images[0, 0, 0, 0])]

    def domain_accuracy(self, data):
        return 1.0


def blocks(*values):
    """Return N values: the first value, then as many of the second, and so on."""
    return torch.tensor([value for value in values for _ in range(N // len(values))])


def made(factors, a, b, **more):
    """Return a task with these factors of A and B, (N, F)."""
    domains = [Domain(marked(A), a), Domain(marked(B), b)]
    return TaskData("t", "", factors, {"test": domains}, None, **more)


@pytest.fixture
def judge_is(monkeypatch):
    """Let a judge of the test's own judge every task."""

    def change(told):
        monkeypatch.setattr(module("judged"), "judge", lambda *_: told)
        monkeypatch.setattr(module("judged"), "extractor_for", lambda *_: None)

    return change


def images(**more):
    return Artefacts({"add": marked(ADD), "remove": marked(REMOVE)} | more)


def test_the_score_is_made_of_corrected_recalls(judge_is, settings):
    """Forty pairs: faces of A x and y, of B z; kinds p and q; the judge is right about a part.

    S: recall 1 for p and .5 for q, so (.75 - .5) / .5 = .5. C: recall .8 for x and .9 for y, so .7.
    D: .6 of the results are judged as A, of the sources none. C': all faces of B are z, and one
    value has no balanced accuracy; so ten are y, of which none is kept: (.5 - .5) / .5 = 0.
    """
    face_a, kind_b = blocks(0, 1), blocks(0, 1)
    face_b = torch.full((N,), 2)
    hidden = torch.full((N,), HIDDEN)
    kind_add, face_add, face_remove = kind_b.clone(), face_a.clone(), face_b.clone()
    kind_add[20:30] = HIDDEN  # half of q
    face_add[:4] = 2
    face_add[20:22] = 0
    domain_remove = torch.zeros(N, dtype=torch.int64)
    domain_remove[:16] = 1
    told = Told(
        {"face": {ADD: face_add, REMOVE: face_remove}, "kind": {ADD: kind_add}},
        {A: 0 * face_a, B: 0 * face_a + 1, REMOVE: domain_remove},
    )
    judge_is(told)
    factors = (FACE, KIND)
    a = torch.stack([face_a, hidden], 1)

    def score(face):
        data = made(factors, a, torch.stack([face, kind_b], 1))
        return family("judged").score(["transfer_judged"], images(), data, settings)[
            "transfer_judged"
        ]

    assert score(face_b).reason == "no common factor has two values that at least 10 pairs show"
    face_b = face_b.clone()
    face_b[30:] = 0  # still another face than that of its source
    found = score(face_b)
    expected = {"S": 0.5, "C": 0.7, "D": 0.6, "C'": 0.0}
    assert found.detail["parts"] == pytest.approx(expected)
    assert found.value == pytest.approx(2 / (1 / 0.5 + 1 / 0.7) / 2)
    assert found.lo <= found.value <= found.hi
    assert found.detail["judge_accuracy"] == found.detail["domain_accuracy"] == 1
    face_remove[30:] = 0
    half = score(face_b)
    assert half.detail["parts"]["C'"] == 1
    assert half.detail["scores"]["remove"] == pytest.approx(2 / (1 / 0.6 + 1))


def test_a_value_of_few_pairs_is_left_out(judge_is, settings):
    """Nine pairs with the value z, none of them right, change nothing."""
    face_a = torch.tensor([0] * 16 + [1] * 15 + [2] * 9)
    face_b = (face_a + 1) % 3
    seen = face_a.clone()
    seen[31:] = 0
    domains = {A: 0 * face_a, B: 0 * face_a + 1, ADD: 0 * face_a + 1, REMOVE: 0 * face_a}
    judge_is(Told({"face": {ADD: seen, REMOVE: face_b}}, domains))
    data = made((FACE,), face_a[:, None], face_b[:, None])
    score = family("judged").score(["transfer_judged"], images(), data, settings)
    assert score["transfer_judged"].detail["parts"] == {"S": 1, "C": 1, "D": 1, "C'": 1}
    assert score["transfer_judged"].value == 1


def test_without_a_separate_factor_the_domain_takes_its_place(judge_is, settings):
    face_a, face_b = blocks(0, 1), blocks(1, 0)
    shown = torch.ones(N, dtype=torch.int64)
    shown[::4] = 0
    domains = {A: 0 * face_a, B: 0 * face_a + 1, ADD: shown, REMOVE: 0 * face_a}
    judge_is(Told({"face": {ADD: face_a, REMOVE: face_b}}, domains))
    data = made((FACE,), face_a[:, None], face_b[:, None])
    found = family("judged").score(["transfer_judged"], images(), data, settings)
    assert found["transfer_judged"].detail["parts"]["S"] == pytest.approx(0.75)


def test_a_judge_that_is_often_wrong_gives_no_number(judge_is, settings):
    zero = torch.zeros(N, dtype=torch.int64)
    judge_is(Told({}, {}, right=0.85))
    companion = Companion("kind", ("p",), "face", ("z",))
    data = made((FACE, KIND), torch.stack([zero, zero - 1], 1), torch.stack([zero, zero], 1),
                companion=companion)  # fmt: skip
    data = dataclasses.replace(data, truth=Truth(marked(TRUTH), marked(TRUTH), marked(TRUTH)))
    found = family("judged").score(["transfer_judged", "tr_companion"], images(), data, settings)
    for result, factor in zip(found.values(), ("kind", "face"), strict=True):
        assert result.status == "unavailable"
        assert f"0.850 for {factor}, below 0.9" in result.reason


def test_the_companion_counts_where_the_source_lacks_it_and_the_content_brings_it(
    judge_is, settings
):
    """Of forty pairs, twenty sources lack z, and ten of them have guides of p.

    The judge sees z in six of these ten results and in one of the ten truths.
    """
    face_a, kind_b = blocks(2, 0), torch.tensor([0, 1] * (N // 2))
    counts = ((face_a == 0) & (kind_b == 0)).nonzero()[:, 0]
    in_add, in_truth = face_a.clone(), face_a.clone()
    in_add[counts[:6]] = 2
    in_truth[counts[:1]] = 2
    judge_is(Told({"face": {ADD: in_add, TRUTH: in_truth}}, {}))
    hidden = torch.full((N,), HIDDEN)
    data = made(
        (FACE, KIND), torch.stack([face_a, hidden], 1), torch.stack([face_a, kind_b], 1),
        companion=Companion("kind", ("p",), "face", ("z",)),
    )  # fmt: skip
    ask = family("judged").score
    assert "cannot render" in ask(["tr_companion"], images(), data, settings)["tr_companion"].reason
    data = dataclasses.replace(data, truth=Truth(marked(TRUTH), marked(TRUTH), marked(TRUTH)))
    found = ask(["tr_companion"], images(), data, settings)["tr_companion"]
    assert (found.value, found.n) == (pytest.approx(0.5), 10)
    assert found.lo <= 0.5 <= found.hi
    assert found.detail["share"] == 0.6
    none = dataclasses.replace(data, companion=Companion("kind", ("p",), "face", ("x", "y", "z")))
    assert "no source lacks face" in (
        ask(["tr_companion"], images(), none, settings)["tr_companion"].reason
    )
    plain = dataclasses.replace(data, companion=None)
    assert ask(["tr_companion"], images(), plain, settings)["tr_companion"].status == (
        "not_applicable"
    )


def test_copying_the_source_earns_nothing_and_the_truth_much(data, settings):
    found = {
        name: family("judged").score(["transfer_judged"], make(data), data, settings)[
            "transfer_judged"
        ]
        for name, make in UNTRAINED.items()
    }
    assert found["copy-source"].value == 0
    assert found["ground-truth"].value > 0.9
    assert found["copy-guide"].status == "not_applicable"
