"""What probes find in codes, and how well codes are disentangled."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.contracts.metric import Artefacts
from bench.contracts.task import HIDDEN, Domain, TaskData
from tests.helpers import REGISTRY, family, module

probes, probing = module("_probes"), module("_probing")

# --- probes --------------------------------------------------------------------------------------


def test_networks_side_by_side_learn_what_each_learns_alone():
    """Two labels at once, one of them hidden in half of the items."""
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 8)).astype(np.float32)
    y = np.stack([(x[:, 0] > 0).astype(np.int64), np.digitize(x[:, 1], [-0.5, 0.5])], 1)
    shown = y.copy()
    shown[::2, 1] = HIDDEN
    ((first, second),) = probes._Networks().fit(x[:400], [shown[:400]], (2, 3)).scores(x[400:])
    assert np.mean(first.argmax(1) == y[400:, 0]) > 0.85
    assert np.mean(second.argmax(1) == y[400:, 1]) > 0.75
    assert first.shape[1], second.shape[1] == (2, 3)


def test_shuffled_labels_are_chance_and_no_information():
    """Labels that have nothing to do with the code: right as often as by guessing, and not sure."""
    random = np.random.default_rng(1)
    x = torch.from_numpy(random.normal(size=(900, 12))).float()
    y = random.integers(0, 4, (900, 3))
    told = probing.Probing((x[:400], y[:400]), x[400:], (4, 4, 4)).tell(probes.SHORT_BATTERY)
    for best, truth in zip(told, y[400:].T, strict=True):
        assert abs(probing.balanced_accuracy(best[0].said, truth) - 0.25) < 0.06
        assert probing.bits(best[0], truth).mean() > 1.97  # of two


def test_other_labels_change_nothing_of_a_label():
    """What is found of a label with two classes does not depend on a neighbour with thirteen."""
    random = np.random.default_rng(3)
    x = torch.from_numpy(random.normal(size=(500, 6))).float()
    two = (x[:, 0] + torch.from_numpy(random.normal(size=500)) > 0).long().numpy()
    many = random.integers(0, 13, 500)
    battery = {"logistic": probes.SHORT_BATTERY["logistic"]}
    labels = np.stack([two, many], 1)[:300]
    both = probing.Probing((x[:300], labels), x[300:], (2, 13)).tell(battery)[0][0]
    assert both.scores.shape == (200, 2)
    beside = np.stack([two, many % 2], 1)[:300]
    other = probing.Probing((x[:300], beside), x[300:], (2, 2)).tell(battery)[0][0]
    assert np.array_equal(both.log_probabilities(), other.log_probabilities())


def test_surprise_of_a_calibrated_probe_is_the_entropy_that_is_left():
    """Labels that follow a known probability: the surprise is that of this probability."""
    random = np.random.default_rng(2)
    x = random.normal(size=(3000, 1)).astype(np.float32)
    p = 1 / (1 + np.exp(-2 * x[:, 0]))
    y = (random.random(3000) < p).astype(np.int64)
    code = torch.from_numpy(x)
    fitting = probing.Probing((code[:2000], y[:2000, None]), code[2000:], (2,))
    told = fitting.tell(probes.SHORT_BATTERY)[0][0]
    left = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean()
    assert probing.bits(told, y[2000:]).mean() == pytest.approx(left, abs=0.05)


def test_a_leak_of_one_size_is_harder_to_see_in_more_dimensions(data, settings):
    power = []
    for dimensions in (8, 64, 512):
        tensors = {f"z1_{part}_a": torch.zeros(200, dimensions) for part in ("probe", "test")}
        result = family("domain_probe").score(
            ["z1_probe_power"], Artefacts(tensors), data, settings
        )
        power.append(result["z1_probe_power"].value)
    assert 0.5 < power[2] < min(power) + 0.001 < max(power) - 0.05
    assert max(power) < 0.9  # 0.84 is what the best rule gets


# --- disentanglement -----------------------------------------------------------------------------


def test_what_is_in_which_code(data, settings):
    """z1 holds the skin and z2 the kind of glasses, and nothing else."""
    skin = [factor.name for factor in data.factors].index("skin")
    kind = [factor.name for factor in data.factors].index("glasses")
    tensors = {}
    for part in ("probe", "test"):
        factors = data.domains[part][1].factors
        for code, column in (("z1", skin), ("z2", kind)):
            count = len(data.factors[column].values)
            tensors[f"{code}_{part}_b"] = torch.nn.functional.one_hot(
                factors[:, column], count
            ).float()
    names = list(family("disentanglement").ids())
    found = family("disentanglement").score(names, Artefacts(tensors), data, settings)
    of_z1, of_z2 = found["info_z1_common"].detail, found["info_z2_specific"].detail
    assert of_z1["skin"]["value"] == 1
    assert abs(of_z1["mouth"]["value"]) < 0.15
    assert of_z2["glasses"]["value"] == 1
    assert abs(of_z2["glasses_color"]["value"]) < 0.25
    assert found["info_z2_specific"].value == pytest.approx(0.5, abs=0.15)
    assert abs(found["leak_z1_specific"].value) < 0.15
    assert found["separation"].value > 0.2
    assert found["dci_block"].value > 0.8


def test_exchanged_codes_have_the_opposite_separation(data, settings):
    tensors = {}
    for part in ("probe", "test"):
        factors = data.domains[part][1].factors
        for code, separate in (("z1", False), ("z2", True)):
            held = [
                torch.nn.functional.one_hot(factors[:, at] + 1, len(f.values) + 1).float()
                for at, f in enumerate(data.factors)
                if f.separate is separate
            ]
            tensors[f"{code}_{part}_b"] = torch.cat(held, 1)
    exchanged = {
        name.replace("z1", "z_").replace("z2", "z1").replace("z_", "z2"): value
        for name, value in tensors.items()
    }
    score = family("disentanglement").score
    names = ["separation", "separation_linear", "mig_block", "sap_block", "dci_block"]
    right = score(names, Artefacts(tensors), data, settings)
    wrong = score(names, Artefacts(exchanged), data, settings)
    for name in names[:4]:
        assert right[name].value > 0.5
        assert wrong[name].value == pytest.approx(-right[name].value, abs=0.1)
    assert wrong["dci_block"].value == pytest.approx(right["dci_block"].value, abs=0.1)


def test_separation_by_linear_probes_alone_fits_no_other_probe(data, settings, monkeypatch):
    """It has the value that it has beside other numbers, also for codes that are maps."""
    generator = torch.Generator().manual_seed(0)
    tensors = {
        f"{code}_{part}_b": torch.randn(160, 3, 2, 2, generator=generator)
        for code in ("z1", "z2")
        for part in ("probe", "test")
    }
    score = family("disentanglement").score
    both = score(["separation", "separation_linear"], Artefacts(tensors), data, settings)
    tell, batteries = probing.Probing.tell, []

    def watched(self, battery):
        batteries.append(list(battery))
        return tell(self, battery)

    monkeypatch.setattr(probing.Probing, "tell", watched)
    alone = score(["separation_linear"], Artefacts(tensors), data, settings)
    assert batteries == [["logistic"]] * 2
    assert alone["separation_linear"].value == both["separation_linear"].value


def random_codes(data):
    """Codes of every part, of which z1 of B lies apart from that of A."""
    random = torch.Generator().manual_seed(0)
    return {
        f"{code}_{part}_{of}": torch.randn(160, 6, generator=random) + (of == "b")
        for code in ("z1", "z2")
        for part in ("probe", "test")
        for of in "ab"
    }


@pytest.mark.parametrize(
    ("of_family", "name"),
    [("domain_probe", "z1_domain_acc_linear"), ("disentanglement", "separation_linear")],
)
def test_without_intervals_values_stay_and_no_probe_is_refitted(
    of_family, name, data, settings, monkeypatch
):
    score, artefacts = family(of_family).score, Artefacts(random_codes(data))
    whole = score([name], artefacts, data, settings)[name]
    monkeypatch.setattr(probing.Probing, "refit", None)
    plain = score([name], artefacts, data, dataclasses.replace(settings, intervals=False))[name]
    assert plain.value == whole.value
    assert whole.lo < plain.lo
    assert plain.hi < whole.hi


def test_a_chosen_probe_is_refitted_once():
    """Also if two numbers choose the same probe, and another call chooses others beside it."""
    random = np.random.default_rng(4)
    x = torch.from_numpy(random.normal(size=(300, 5))).float()
    fitting = probing.Probing((x[:200], random.integers(0, 2, (200, 2))), x[200:], (2, 2))
    of_labels = fitting.tell(probes.SHORT_BATTERY)
    linear = [next(t for t in told if t.kind == "logistic") for told in of_labels]
    network = next(t for t in of_labels[1] if t.kind == "mlp")
    first, second = fitting.refit(linear), fitting.refit([linear[0], network])
    for one, other in zip(first, second, strict=True):
        assert one[0] is other[0]
        assert (one[1].kind, other[1].kind) == ("logistic", "mlp")


def test_factors_that_cannot_be_probed_are_left_out_with_a_reason(data, settings):
    """One constant, one hidden in *test*: the others are probed all the same."""
    changed = {}
    for part in ("probe", "test"):
        factors = data.domains[part][1].factors.clone()
        factors[:, 0] = 2
        if part == "test":
            factors[:, 5] = HIDDEN
        b = dataclasses.replace(data.domains[part][1], factors=factors)
        changed[part] = [data.domains[part][0], b]
    other = dataclasses.replace(data, domains=data.domains | changed)
    tensors = {
        f"{code}_{part}_b": torch.randn(160, 6, generator=torch.Generator().manual_seed(at))
        for at, (code, part) in enumerate((c, p) for c in ("z1", "z2") for p in ("probe", "test"))
    }
    names = list(family("disentanglement").ids())
    found = family("disentanglement").score(names, Artefacts(tensors), other, settings)
    for name in names:
        assert np.isfinite(found[name].value), name
    left_out = [f"{data.factors[at].name} does not vary" for at in (0, 5)]
    assert found["separation"].detail["left_out"] == left_out
    assert data.factors[0].name not in found["info_z1_common"].detail


def test_of_few_images_a_draw_without_a_value_is_left_out():
    """Where as many drawn sources as real images are taken for the target, there is no scale."""

    class Marked:
        extractor = SimpleNamespace(name="none")

        def domain(self, images):
            return images[:, 0, 0, 0].long()

        second_opinion = domain

        def domain_accuracy(self, data):
            return 1.0

    def marked(*domains):
        images = torch.zeros(len(domains), 3, 4, 4, dtype=torch.uint8)
        images[:, 0, 0, 0] = torch.tensor(domains)
        return Domain(images, torch.zeros(len(domains), 0, dtype=torch.int64))

    task = TaskData("t", "", (), {"test": [marked(0, 0, 0, 1), marked(1, 1, 1, 0)]}, None)
    found = module("judged_parts").domain_success(
        REGISTRY.infos()["tr_domain_success"], Marked(), marked(1, 1, 0, 0).images, 1, task
    )
    assert found.value == pytest.approx((0.5 - 0.25) / (0.75 - 0.25))
    assert np.isfinite([found.lo, found.hi]).all()
    assert found.lo <= found.value <= found.hi
