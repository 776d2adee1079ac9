"""What results show, and who judges it: on results whose worth is known."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.images import of_neighbours
from bench.contracts.metric import Artefacts, Settings
from bench.contracts.task import HIDDEN, Domain, Factor, TaskData
from tests.helpers import REGISTRY, family, module

INFOS = REGISTRY.infos()


@pytest.fixture(scope="module")
def anchors(data, settings):
    """The transfer numbers of every anchor."""
    names = list(family("judged_parts").ids())
    return {
        name: family("judged_parts").score(names, make(data), data, settings)
        for name, make in UNTRAINED.items()
    }


def test_copying_earns_nothing_where_it_is_no_merit(anchors):
    truth, source, guide = (anchors[name] for name in ("ground-truth", "copy-source", "copy-guide"))
    assert source["tr_domain_success"].value == source["rm_domain_success"].value == 0
    assert source["tr_specific_acc"].value < 0.02
    assert source["tr_common_acc"].value > 0.9
    assert guide["tr_common_acc"].value < 0.02
    assert guide["tr_specific_acc"].value > 0.9
    assert guide["rm_domain_success"].status == "not_applicable"
    for name, result in truth.items():
        assert result.value > 0.9, name


def test_judge_is_right_about_real_images(anchors):
    truth = anchors["ground-truth"]
    assert truth["tr_domain_success"].detail["judge_accuracy"] > 0.95
    assert truth["tr_domain_success"].detail["agreement"] > 0.9
    for name in ("tr_specific_acc", "tr_common_acc"):
        detail = truth[name].detail
        right = [factor["judge_on_real"] for factor in detail["factors"].values()]
        assert np.mean(right) > 0.9
        assert detail["judge_accuracy"] == pytest.approx(np.mean([*detail["judge"].values()]))
        assert (
            min(detail["judge"].values()) >= 0.9 > max(detail.get("not_counted", {"": 0}).values())
        )


def test_factors_count_where_both_show_them_and_differ(monkeypatch):
    """Two pairs, three common factors, a judge that is told what it sees.

    Pair 0: the first factor differs and is kept, the second is equal, the third hidden in b.
    Pair 1: the first differs and is not kept, the second differs and is kept, the third is hidden.
    """
    factors = tuple(Factor(name, ("x", "y", "z")) for name in "abc")
    a = torch.tensor([[0, 1, 2], [0, 1, HIDDEN]])
    b = torch.tensor([[1, 1, HIDDEN], [2, 0, 1]])
    seen = torch.tensor([[0, 1, 2], [2, 1, 0]])
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    told = SimpleNamespace(
        knows=lambda factor: True,
        accuracy=lambda factor, _: 1.0,
        factor=lambda factor, _: seen[:, "abc".index(factor.name)],
        extractor=SimpleNamespace(name="none"),
    )
    domains = [Domain(images, a), Domain(images, b)]
    task = TaskData("t", "", factors, {"test": domains}, None)
    result = module("judged_parts")._factors_kept(INFOS["tr_common_acc"], told, images, task)
    assert result.value == pytest.approx(2 / 3)
    counts = {name: facts["n"] for name, facts in result.detail["factors"].items()}
    assert counts == {"a": 2, "b": 1}


def judge_of(accuracies, domain=1.0):
    """A judge of these accuracies by the names of factors; None: no test image shows it."""
    return SimpleNamespace(
        knows=lambda factor: factor.name in accuracies,
        accuracy=lambda factor, _: accuracies[factor.name],
        domain_accuracy=lambda _: domain,
        domain=lambda images: torch.ones(len(images), dtype=torch.int64),
        factor=lambda factor, images: torch.zeros(len(images), dtype=torch.int64),
        extractor=SimpleNamespace(name="none"),
    )


@pytest.mark.parametrize(
    ("name", "accuracies", "reason"),
    [
        ("tr_common_acc", {"skin": 0.95, "hair": 0.5}, ""),
        ("tr_common_acc", {"skin": 0.89, "hair": 0.5}, "0.890 for skin, 0.500 for hair"),
        ("rm_common_acc", {"skin": 0.89, "hair": None}, "0.890 for skin"),
        ("tr_specific_acc", {"kind": 0.95, "colour": 0.9}, ""),
        ("tr_specific_acc", {"kind": 0.95, "colour": 0.89}, "0.890 for colour"),
    ],
)
def test_factors_that_the_judge_cannot_read_do_not_count(name, accuracies, reason):
    separate = name == "tr_specific_acc"
    factors = tuple(Factor(name, ("x", "y"), separate=separate) for name in accuracies)
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    a, b = torch.tensor([[0, 0], [0, 1]]), torch.tensor([[1, 1], [1, 0]])
    task = TaskData("t", "", factors, {"test": [Domain(images, a), Domain(images, b)]}, None)
    result = module("judged_parts")._factors_kept(INFOS[name], judge_of(accuracies), images, task)
    below = {name: right for name, right in accuracies.items() if right is not None and right < 0.9}
    assert result.detail.get("not_counted", {}) == below
    if reason:
        assert (result.status, result.value) == ("unavailable", None)
        assert result.reason == f"the judge's accuracy on real test images is {reason}, below 0.9"
    else:
        assert result.status == "ok"
        counted = {name: right for name, right in accuracies.items() if right >= 0.9}
        assert set(result.detail["factors"]) == set(counted)
        assert result.detail["judge"] == counted
        assert result.detail["judge_accuracy"] == pytest.approx(np.mean([*counted.values()]))


def test_domain_that_the_judge_cannot_tell_makes_its_numbers_unavailable():
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    domain = Domain(images, torch.zeros(2, 0, dtype=torch.int64))
    task = TaskData("t", "", (), {"test": [domain, domain]}, None)
    result = module("judged_parts").domain_success(
        INFOS["tr_domain_success"], judge_of({}, 0.8), images, 1, task
    )
    assert result.status == "unavailable"
    assert "0.800 for the domain, below 0.9" in result.reason
    assert result.detail == {"judge_accuracy": 0.8}


def seen(*reds):
    """Return images whose red pixels tell a `Reader` what they show."""
    images = torch.zeros(len(reds), 3, 8, 8, dtype=torch.uint8)
    images[:, 0] = torch.tensor(reds, dtype=torch.uint8)[:, None, None]
    return images


class Reader:
    """An extractor whose features are which red the images have, (n, 4)."""

    name = "reader"

    def judge_features(self, images):
        return torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 4).float()


def test_accuracy_of_the_judge_is_the_mean_recall_of_values_that_enough_images_show():
    """A judge that always says the frequent value is no better than chance, however rare others."""
    factor = Factor("skin", ("x", "y", "z"))
    tensors = {"factor/skin.weight": torch.zeros(1, 4).double(), "factor/skin.bias": torch.zeros(1),
               "factor/skin.classes": torch.tensor([1])}  # fmt: skip
    judged = module("_judge").Judge(tensors, Reader())  # it always says "y"

    def task(*values):
        domains = [Domain(seen(*[0] * len(of)), torch.tensor(of)[:, None]) for of in values]
        return TaskData("t", "", (factor,), {"test": domains}, None)

    assert judged.accuracy(factor, task([1] * 100 + [0] * 5, [1] * 95 + [0] * 5)) == 0.5
    assert judged.accuracy(factor, task([1] * 10 + [0] * 10, [2] * 9 + [HIDDEN])) == 0.5
    assert judged.accuracy(factor, task([1] * 10 + [0] * 10, [2] * 10)) == pytest.approx(1 / 3)
    assert judged.accuracy(factor, task([1] * 50, [0] * 9)) is None
    assert judged.accuracy(factor, task([HIDDEN] * 2, [HIDDEN] * 2)) is None


@pytest.mark.parametrize(
    ("features", "said"), [("probe", [HIDDEN, 0, 1]), ("avatars", [-1, -1, -1])]
)
def test_of_photographs_an_unknown_value_is_not_an_absent_one(features, said, monkeypatch):
    """In B, two thirds of the images of each kind have no value in the user's table.

    Of drawn faces, they would show nothing, and be the majority.
    """
    judge = module("_judge")
    monkeypatch.setattr(judge, "STEPS", 1)
    kind = Factor("kind", ("p", "q"), separate=True)
    a = Domain(seen(*[0] * 60), torch.full((60, 1), HIDDEN))
    of_b = torch.tensor(([0] * 10 + [HIDDEN] * 20) + ([1] * 10 + [HIDDEN] * 20))[:, None]
    b = Domain(seen(*[1] * 30, *[2] * 30), of_b)
    data = TaskData("t", "", (kind,), {"probe": [a, b]}, None, features=features)
    judged = judge.judge(Reader(), data, None)
    assert judged.factor(kind, seen(0, 1, 2)).tolist() == said


def test_judge_is_kept_and_found_by_content(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module("_judge"), "STEPS", 20)  # how well it judges plays no part here
    settings = Settings(cache=tmp_path)
    truth = UNTRAINED["ground-truth"](data)
    names = ["tr_specific_acc", "tr_domain_success"]
    first = family("judged_parts").score(names, truth, data, settings)
    (kept,) = tmp_path.glob("judge-*.safetensors")
    before = kept.stat().st_mtime_ns
    assert family("judged_parts").score(names, truth, data, settings) == first
    assert kept.stat().st_mtime_ns == before
    assert family("judged_parts").score(names, truth, data, Settings()) == first
    renamed = tuple(dataclasses.replace(f, name=f"{f.name}_domain") for f in data.factors)
    others = dataclasses.replace(data, factors=renamed)
    again = family("judged_parts").score(names, truth, others, settings)
    assert [r.value for r in again.values()] == [r.value for r in first.values()]
    assert len(list(tmp_path.glob("judge-*.safetensors"))) == 2


def test_task_without_factors_has_no_factors_to_keep(data, settings):
    bare = dataclasses.replace(
        data,
        factors=(),
        domains={
            part: [dataclasses.replace(d, factors=d.factors[:, :0]) for d in domains]
            for part, domains in data.domains.items()
        },
    )
    results = family("judged_parts").score(
        ["tr_specific_acc", "tr_domain_success"], UNTRAINED["ground-truth"](data), bare, settings
    )
    assert results["tr_specific_acc"].status == "not_applicable"
    assert results["tr_domain_success"].value > 0.9


# --- cycles and diversity ------------------------------------------------------------------------


def test_diversity_is_that_of_the_truth_for_the_truth_and_none_for_one_result(data, settings):
    def diversity(artefacts):
        return family("consistency").score(["div_guides"], artefacts, data, settings)["div_guides"]

    truth = UNTRAINED["ground-truth"](data)
    assert diversity(truth).value == 1
    assert diversity(UNTRAINED["copy-source"](data)).value == 0
    assert (
        diversity(UNTRAINED["copy-guide"](data)).value > 2
    )  # whole faces differ more than glasses


def test_code_cycle_is_measured_in_distances_of_other_images(data, settings):
    code = torch.randn(160, 5, generator=torch.Generator().manual_seed(0))

    def cycle(of_add):
        tensors = {"z1_add": of_add, "z1_test_a": code}
        return family("consistency").score(["cyc_z1"], Artefacts(tensors), data, settings)["cyc_z1"]

    assert cycle(code).value == 0
    assert cycle(of_neighbours(code)).value == pytest.approx(1)
    constant = family("consistency").score(
        ["cyc_z1"],
        Artefacts({"z1_add": 0 * code, "z1_test_a": 0 * code}),
        data,
        settings,
    )["cyc_z1"]
    assert (constant.status, constant.reason) == (
        "unavailable",
        "the code is the same for all images",
    )
