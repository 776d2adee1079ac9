"""One battery for every metric, on results whose worth is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from bench.cell.untrained.anchors import copy_guide, copy_source, ground_truth
from bench.contracts.images import of_neighbours
from bench.contracts.metric import CODES, Artefacts, Settings
from bench.contracts.task import Companion
from bench.tasks.cache import prepare
from tests.helpers import REGISTRY, SIZES, family, module
from tests.metrics.made_up import codes, degenerate, measured, perfect, useless


def ids(plugin):
    """Return the ids of a family's numbers."""
    return [info.id for info in plugin.facts["numbers"]]


FAMILIES = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("metric")]
NUMBERS = [
    pytest.param(plugin, name, id=name)
    for plugin in REGISTRY.all("metric")
    for name in ids(plugin)
    if plugin.name != "inception"  # its own test below: the weights are not at hand
]


@pytest.fixture(scope="module")
def data(data):
    """The faces, with a label and a companion so that every family has something to say."""
    glasses = next(factor for factor in data.factors if factor.name == "glasses")
    beard = next(factor for factor in data.factors if factor.name == "beard")
    companion = Companion("glasses", glasses.values[:4], "beard", beard.values[1:])
    return dataclasses.replace(data, label="skin", companion=companion)


NETWORKS = module("_probes")._Networks
STEPS = NETWORKS.steps


@pytest.fixture(scope="module", autouse=True)
def short_networks():
    """What a family promises, networks of a fifth of the steps keep as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NETWORKS, "steps", STEPS // 5)
        yield


@pytest.fixture(scope="module")
def scored(data, settings, short_networks):
    """Every number of every made-up method."""
    makers = {"perfect": perfect, "useless": useless, "degenerate": degenerate}
    return {
        case: {
            name: result
            for plugin in REGISTRY.all("metric")
            for name, result in plugin.load()()
            .score(ids(plugin), make(data), data, settings)
            .items()
        }
        for case, make in makers.items()
    }


@pytest.mark.parametrize(("plugin", "name"), NUMBERS)
class TestNumbers:
    def test_perfect_is_better_than_useless(self, plugin, name, scored):
        if name == "tr_companion":
            pytest.skip("noise shows no companion: see test_bringing_the_companion_is_worse")
        best, worst = scored["perfect"][name], scored["useless"][name]
        assert best.status == worst.status == "ok"
        match REGISTRY.infos()[name].better:
            case "higher":
                assert best.value > worst.value
            case "lower":
                assert best.value < worst.value
            case _:
                assert abs(best.value - 1) < abs(worst.value - 1)

    def test_degenerate_is_a_number_or_a_reason(self, plugin, name, scored):
        result = scored["degenerate"][name]
        if result.status == "ok":
            assert math.isfinite(result.value)
        else:
            assert result.reason

    def test_interval_holds_the_value_and_stays_inside_the_bounds(self, plugin, name, scored):
        info = REGISTRY.infos()[name]
        for case in ("perfect", "useless", "degenerate"):
            result = scored[case][name]
            if case != "degenerate":
                assert result.n > 0
            if result.lo is not None:
                low, high = info.bounds
                assert result.lo <= result.value <= result.hi
                assert low is None or low <= result.lo
                assert high is None or result.hi <= high
                assert info.scale != "logit" or result.lo < result.hi
                assert bool(result.items) == info.keeps_items
                if result.items:
                    assert np.mean(result.items) == pytest.approx(result.value, abs=1e-9)

    def test_what_is_missing_is_said(self, plugin, name, data, settings):
        result = plugin.load()().score([name], Artefacts({}), data, settings)[name]
        assert result.status == "not_applicable"
        assert result.value is None
        assert "gives no" in result.reason

    def test_listed_as_it_is(self, plugin, name):
        info = REGISTRY.infos()[name]
        assert info.better in ("higher", "lower", "near 1")
        assert info.meaning


@pytest.mark.parametrize("plugin", FAMILIES)
def test_same_artefacts_same_numbers_and_no_global_randomness(plugin, data, scored, settings):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    names = ids(plugin)
    again = plugin.load()().score(names, perfect(data), data, settings)
    assert again == {name: scored["perfect"][name] for name in names}
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_state).all()


@pytest.mark.parametrize("plugin", FAMILIES)
def test_order_of_pairs_does_not_matter(plugin, data, scored, settings):
    """Neighbours move together, since they lend each other their guides."""
    if plugin.name == "inception":
        pytest.skip("no value without weights")
    n = len(data.domains["test"][0].images)
    couples = torch.randperm(n // 2, generator=torch.Generator().manual_seed(0))
    order = torch.stack([2 * couples, 2 * couples + 1], 1).flatten()

    def moved(items):
        return items[order] if len(items) == n else items

    test = [type(d)(moved(d.images), moved(d.factors)) for d in data.domains["test"]]
    shuffled = dataclasses.replace(
        data,
        domains={**data.domains, "test": test},
        truth=type(data.truth)(*(moved(images) for images in vars(data.truth).values())),
    )
    plain = useless(data)
    tensors = {
        name: value if "probe" in name else moved(value) for name, value in plain.tensors.items()
    }
    names = ids(plugin)
    results = plugin.load()().score(names, Artefacts(tensors, plain.measured), shuffled, settings)
    for name in names:
        assert results[name].value == pytest.approx(scored["useless"][name].value, rel=1e-6)


def without(data, *lacking):
    """Return a task without some of: truth, separate factors, factors, most images."""
    kept = [
        at
        for at, factor in enumerate(data.factors)
        if not ("factors" in lacking or ("separate" in lacking and factor.separate))
    ]
    counts = {"probe": (40, 40), "test": (32, 32)}
    if "images" in lacking:
        counts |= {"probe": (12, 9), "test": (6, 6)}
    domains = {
        part: [
            type(of)(of.images[:count], of.factors[:count, kept])
            for of, count in zip(both, counts.get(part, (len(both[0].images),) * 2), strict=True)
        ]
        for part, both in data.domains.items()
    }
    return dataclasses.replace(
        data,
        domains=domains,
        factors=tuple(data.factors[at] for at in kept),
        truth=None if "truth" in lacking else data.truth,
        label="" if "factors" in lacking else data.label,
    )


def any_codes(data):
    """Return random codes for every part of a task."""
    made = {}
    for name in CODES:
        _, part, *letter = name.split("_")
        domain = data.domains["test" if part == "add" else part]["ab".index((letter or ["a"])[0])]
        generator = torch.Generator().manual_seed(len(made))
        made[name] = torch.randn(len(domain.images), 12, generator=generator)
    return made


@pytest.mark.parametrize(
    "lacking", [("truth", "separate"), ("truth", "factors", "images"), ("truth", "images")]
)
def test_a_task_that_knows_less_gives_numbers_or_reasons(lacking, data):
    poor = without(data, *lacking)
    a, b = poor.test_pairs
    images = {"add": b, "other": of_neighbours(b), "remove": a, "rec_a": a, "rec_b": b,
              "cycle_a": a, "cycle_b": b}  # fmt: skip
    made = Artefacts(images | any_codes(poor), measured(1))
    results = {
        name: result
        for plugin in REGISTRY.all("metric")
        for name, result in plugin.load()()
        .score(ids(plugin), made, poor, Settings(("logistic", "mlp")))
        .items()
    }
    for name, result in results.items():
        if result.status == "ok":
            assert math.isfinite(result.value), name
        else:
            assert result.status in ("not_applicable", "unavailable"), name
            assert result.reason, name
    assert results["z1_domain_acc"].status == results["rec_l1_a"].status == "ok"
    assert results["cf_rank_add"].status == "not_applicable"
    if "separate" in lacking:
        assert results["info_z1_common"].status == results["da_acc"].status == "ok"
        assert "no specific factors" in results["separation"].reason
        assert results["fd_cond_add"].status == results["tr_specific_acc"].status
        assert results["fd_cond_add"].status == "not_applicable"
    if "factors" in lacking:
        assert "names no label" in results["da_acc"].reason
        assert results["info_z1_common"].status == "not_applicable"
    if lacking == ("truth", "images"):
        assert results["da_acc"].n == 6


@pytest.mark.parametrize(
    ("case", "carried", "own"),
    [("perfect", (0.95, 1), (0.95, 1)), ("constant", (0, 0.3), (0, 0.3)),
     ("exchanged", (0, 0.05), (0.95, 1))],
)  # fmt: skip
def test_a_classifier_carries_over_where_classes_are_where_they_were(
    case, carried, own, data, settings
):
    made = codes(data, constant=case == "constant")
    if case == "exchanged":  # the axes of the classes, moved on by one in B
        for part in ("probe", "test"):
            made[f"z1_{part}_b"] = made[f"z1_{part}_b"].clone()
            skin = len(data.factors[0].values)
            made[f"z1_{part}_b"][:, :skin] = made[f"z1_{part}_b"][:, :skin].roll(1, 1)
    results = family("adaptation").score(
        ["da_acc", "da_acc_back", "da_acc_source"], Artefacts(made), data, settings
    )
    for name, (least, most) in (("da_acc", carried), ("da_acc_back", carried),
                                ("da_acc_source", own)):  # fmt: skip
        result = results[name]
        assert least <= result.value <= most, name
        assert result.lo <= result.value <= result.hi
        assert result.n == 160
    assert 0 < results["da_acc"].detail["pixels"] <= 1


def test_floor_and_ceiling_are_exact(data, settings):
    names = ids(REGISTRY.find("metric", "counterfactual"))
    truth = family("counterfactual").score(names, ground_truth(data), data, settings)
    copied = family("counterfactual").score(names, copy_source(data), data, settings)
    for what in ("add", "remove"):
        assert truth[f"cf_skill_in_{what}"].value == 1
        assert copied[f"cf_skill_in_{what}"].value == 0
        assert truth[f"cf_harm_out_{what}"].value == copied[f"cf_harm_out_{what}"].value == 0
    assert truth["cf_rank_add"].value == 1
    assert copied["cf_rank_add"].value == 0.5
    guide = family("counterfactual").score(names, copy_guide(data), data, settings)
    assert guide["cf_skill_in_remove"].status == "not_applicable"
    assert guide["cf_harm_out_add"].value > 0.1


def leak(kind, n, d=16, seed=0):
    """Return codes of n images a domain that hold the domain in one way."""
    random = np.random.default_rng(seed)
    y = np.repeat([0, 1], n)
    x = random.normal(size=(2 * n, d))
    if kind == "mean":
        x[:, 0] += 2.0 * y
    elif kind == "variance":
        x[:, :4] *= 1 + 1.5 * y[:, None]
    elif kind == "xor":
        x[:, 1] = np.abs(x[:, 1]) * np.sign(x[:, 0]) * (2 * y - 1)
    return torch.from_numpy(x).float(), y


@pytest.mark.parametrize(
    ("kind", "linear", "battery"),
    [
        ("none", (0.4, 0.6), (0.4, 0.6)),
        ("mean", (0.75, 0.9), (0.75, 0.9)),
        ("variance", (0.4, 0.65), (0.75, 1)),
        ("xor", (0.4, 0.65), (0.8, 1)),
    ],
)
def test_battery_finds_what_a_linear_probe_does_not(kind, linear, battery, monkeypatch):
    monkeypatch.setattr(NETWORKS, "steps", STEPS)
    probes, probing = module("_probes"), module("_probing")
    (x, y), (x_test, y_test) = leak(kind, 300), leak(kind, 200, seed=1)
    fitted = probing.Probing((x, y[:, None]), x_test, (2,)).tell(probes.BATTERY)[0]
    strongest = probing.balanced_accuracy(fitted[0].said, y_test)
    logistic = next(f for f in fitted if f.kind == "logistic")
    assert linear[0] <= probing.balanced_accuracy(logistic.said, y_test) <= linear[1]
    assert battery[0] <= strongest <= battery[1]


def test_constant_code_is_chance(scored):
    for name in ("z1_domain_acc", "z1_domain_acc_linear"):
        assert scored["degenerate"][name].value == 0.5
        assert scored["useless"][name].value > 0.8
        lo, hi = scored["perfect"][name].detail["chance"]
        assert lo - 0.05 <= scored["perfect"][name].value <= hi + 0.05


def test_constant_codes_hold_nothing_and_leak_nothing(data, scored):
    """Hiding alone is no merit: what should be there is missed as well.

    A constant code gives one guess for all images. It is right about all images of one value, or of
    none if no *test* image shows the guessed value.
    """
    of_b = [data.domains[part][1].factors.T for part in ("probe", "test")]
    shown = {
        factor.name: set(probe.tolist()) <= set(test.tolist())
        for factor, probe, test in zip(data.factors, *of_b, strict=True)
    }
    assert sum(shown.values()) >= 8
    found = scored["degenerate"]
    for name in ("info_z1_common", "leak_z1_specific", "info_z2_specific", "leak_z2_common"):
        for factor, detail in found[name].detail.items():
            nothing = -detail["chance"] / (1 - detail["chance"])
            right = detail["value"] == pytest.approx(0, abs=1e-9)
            wrong = detail["value"] == pytest.approx(nothing) and not shown[factor]
            assert right or wrong, (name, factor)
        values = [detail["value"] for detail in found[name].detail.values()]
        assert found[name].value == pytest.approx(np.mean(values), abs=1e-9)
    assert found["separation"].value == pytest.approx(0, abs=0.02)


def test_bringing_the_companion_is_worse(data, settings):
    """Guides of this task have beards as often as others, so a copy of them brings many."""
    truth, copy = (
        family("judged").score(["tr_companion"], make(data), data, settings)["tr_companion"]
        for make in (ground_truth, copy_guide)
    )
    assert truth.value == 0
    assert copy.value > 0.3


def test_balanced_accuracy_weighs_classes_alike():
    labels = np.array([0] * 90 + [1] * 10)
    assert module("_probing").balanced_accuracy(np.zeros(100, dtype=int), labels) == 0.5


def test_probe_never_sees_the_test_part(data, settings):
    """Probes fitted on labels turned round are wrong on test: test labels are not fitted."""
    made = useless(data)
    turned = dict(made.tensors)
    turned["z1_probe_a"], turned["z1_probe_b"] = turned["z1_probe_b"], turned["z1_probe_a"]
    result = family("domain_probe").score(["z1_domain_acc"], Artefacts(turned), data, settings)[
        "z1_domain_acc"
    ]
    assert result.value < 0.05


@pytest.mark.parametrize(("apart", "accuracy", "leak"), [(8.0, 1.0, math.log2(3)), (0.0, 1 / 3, 0)])
def test_the_domain_probe_tells_three_domains_apart(data, apart, accuracy, leak):
    three = {part: [*of, of[0]] for part, of in data.domains.items()}
    random = torch.Generator().manual_seed(0)
    codes = {
        f"z1_{part}_{letter}": torch.randn(160, 4, generator=random) + apart * torch.eye(4)[at]
        for part in ("probe", "test")
        for at, letter in enumerate("abc")
    }
    wanted = ["z1_domain_acc", "z1_leak_bits"]
    results = family("domain_probe").score(
        wanted,
        Artefacts(codes),
        dataclasses.replace(data, domains=three),
        Settings(probes=("logistic",)),
    )
    assert results["z1_domain_acc"].value == pytest.approx(accuracy, abs=0.08)
    assert results["z1_leak_bits"].value == pytest.approx(leak, abs=0.25)  # no probe is ever sure
    low, high = results["z1_domain_acc"].detail["chance"]
    assert (low + high) / 2 == pytest.approx(1 / 3)


def test_of_three_domains_the_first_two_are_judged(cache, settings):
    three = prepare(REGISTRY.find("task", "avatars-styles3").load()(), SIZES, cache)
    assert three.spec.domains == 3
    wanted = {
        "counterfactual": {"cf_skill_in_add": 1, "cf_skill_in_remove": 1, "cf_rank_add": 1},
        "judged_parts": {"tr_domain_success": 1, "rm_domain_success": 1},
    }
    for name, ceiling in wanted.items():
        results = family(name).score(list(ceiling), ground_truth(three), three, settings)
        for metric, value in ceiling.items():
            assert results[metric].value == pytest.approx(value, abs=0.1)
