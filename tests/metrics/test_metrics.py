"""Every metric passes every check, on results whose worth is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from bench.cell.untrained.anchors import copy_guide, copy_source, ground_truth
from bench.conformance.check import Outcome, judge
from bench.conformance.made_up import any_results, codes, useless, with_more_to_say, without
from bench.conformance.metric_case import MetricCase
from bench.conformance.shipped import EXPECTED, short_probes
from bench.conformance.verify import checks_of
from bench.contracts.metric import Artefacts, Settings
from bench.tasks.cache import prepare
from tests.helpers import REGISTRY, SIZES, family, module

FAMILIES = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("metric")]
CHECKS = [pytest.param(check, id=check.name) for check in checks_of("metric")]
NETWORKS = module("_probes")._Networks
STEPS = NETWORKS.steps


@pytest.fixture(scope="module")
def data(data):
    """The faces, with a label and a companion so that every family has something to say."""
    return with_more_to_say(data)


@pytest.fixture(scope="module", autouse=True)
def short_networks():
    """What a family promises, networks of a fifth of the steps keep as well."""
    with short_probes():
        yield


@pytest.fixture(scope="module")
def cases(data, settings, short_networks):
    """Every family, with the made-up methods that were scored so far."""
    return {p.name: MetricCase(p, data, settings) for p in REGISTRY.all("metric")}


@pytest.fixture(scope="module")
def scored(cases):
    """Return the number of a made-up method by its id."""

    def of(case, name):
        (found,) = [one for one in cases.values() if name in one.infos]
        return found.scored(case)[name]

    return of


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("plugin", FAMILIES)
def test_metrics_keep_the_contract(plugin, check, cases):
    found = judge(check, cases[plugin.name], plugin.path, EXPECTED.get(plugin.name, {}))
    if found.outcome is Outcome.SKIPPED and plugin.name == "inception":
        pytest.skip(found.reason)  # its own test: the weights are not at hand
    known = check.name in EXPECTED.get(plugin.name, {})
    assert found.outcome is (Outcome.EXPECTED if known else Outcome.PASSED), (
        f"{found.reason} (hint: {found.hint})"
    )


@pytest.mark.parametrize(
    "lacking", [("truth", "separate"), ("truth", "factors", "images"), ("truth", "images")]
)
def test_a_task_that_knows_less_has_its_reasons(lacking, data, cases):
    poor = without(data, *lacking)
    made = any_results(poor)
    results = {n: r for case in cases.values() for n, r in case.poorer(made, poor).items()}
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


def test_floor_and_ceiling_are_exact(data, settings, cases):
    names = list(cases["counterfactual"].infos)
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
        assert scored("degenerate", name).value == 0.5
        assert scored("useless", name).value > 0.8
        lo, hi = scored("perfect", name).detail["chance"]
        assert lo - 0.05 <= scored("perfect", name).value <= hi + 0.05


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

    def found(name):
        return scored("degenerate", name)

    for name in ("info_z1_common", "leak_z1_specific", "info_z2_specific", "leak_z2_common"):
        for factor, detail in found(name).detail.items():
            nothing = -detail["chance"] / (1 - detail["chance"])
            right = detail["value"] == pytest.approx(0, abs=1e-9)
            wrong = detail["value"] == pytest.approx(nothing) and not shown[factor]
            assert right or wrong, (name, factor)
        values = [detail["value"] for detail in found(name).detail.values()]
        assert found(name).value == pytest.approx(np.mean(values), abs=1e-9)
    assert found("separation").value == pytest.approx(0, abs=0.02)


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
