"""One battery for every metric, on results whose worth is known; then what is special to each.

A metric that does not put the perfect result before the useless one does not measure what it says.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from bench.anchors import ANCHORS, copy_guide, copy_source, ground_truth
from bench.contracts import Artefacts, DataSizes, Settings
from bench.data import prepare

from .conftest import REGISTRY

FAMILIES = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("metric")]
NUMBERS = [
    pytest.param(plugin, name, id=name)
    for plugin in REGISTRY.all("metric")
    for name in plugin.facts["numbers"]
    if plugin.name != "inception"  # its own test below: the weights are not at hand
]
SETTINGS = Settings(probes=("logistic", "rbf_svm", "boosting", "mlp"))


def family(name):
    return REGISTRY.find("metric", name).load()()


def module(name):
    import sys

    return sys.modules[type(family(name)).__module__]


@pytest.fixture(scope="module")
def data(cache):
    """Faces enough for an interval of a Frechet distance with 64 dimensions."""
    return prepare(
        REGISTRY.find("task", "avatars-glasses").load()(), DataSizes(32, 16, 160, 160), cache
    )


def measured(scale: float):
    """Return measurements of a method that needs so many times the least."""
    steady = 1 + 0.01 * np.arange(20)
    return {
        "training": {"rates": list(100 / scale * steady), "peak_memory_mb": 10.0 * scale},
        "inference": {
            "images_per_s": list(200 / scale * steady),
            "latency_ms": list(3 * scale * steady),
            "latency_cpu_ms": list(3 * scale * steady),
            "params": 1000 * scale,
            "flops": 5000 * scale,
        },
    }


def codes(data, shift: float, constant: bool = False):
    """Return z1 maps in which the domain moves one channel by so much."""
    made = {}
    for part in ("probe", "test"):
        for at, letter in enumerate("ab"):
            n = len(data.domains[part][at].images)
            generator = torch.Generator().manual_seed(100 * at + len(part))
            code = torch.randn(n, 6, 2, 2, generator=generator)
            code[:, 0] += shift * at
            made[f"z1_{part}_{letter}"] = torch.zeros_like(code) if constant else code
    return made


def perfect(data):
    a, b = (domain.images for domain in data.domains["test"])
    tensors = dict(ground_truth(data).tensors) | {"rec_a": a, "rec_b": b} | codes(data, 0)
    return Artefacts(tensors, measured(1))


def useless(data):
    """Copies the source, gives back noise, tells the domain plainly, and takes its time."""
    a, b = (domain.images for domain in data.domains["test"])
    noise = torch.randint(
        0, 256, a.shape, generator=torch.Generator().manual_seed(5), dtype=torch.uint8
    )
    tensors = dict(copy_source(data).tensors) | {"rec_a": noise, "rec_b": noise} | codes(data, 5)
    tensors |= {"add": (a // 2) + (noise // 2), "remove": (b // 2) + (noise // 2)}
    return Artefacts(tensors | {"other": tensors["add"]}, measured(3))


def degenerate(data):
    """One gray picture for everything, one constant code."""
    a = data.domains["test"][0].images
    gray = torch.full_like(a, 128)
    images = dict.fromkeys(("add", "other", "remove", "rec_a", "rec_b"), gray)
    return Artefacts(images | codes(data, 0, constant=True), measured(1))


@pytest.fixture(scope="module")
def scored(data):
    """Every number of every made-up method."""
    makers = {"perfect": perfect, "useless": useless, "degenerate": degenerate}
    return {
        case: {
            name: result
            for plugin in REGISTRY.all("metric")
            for name, result in plugin.load()()
            .score(list(plugin.facts["numbers"]), make(data), data, SETTINGS)
            .items()
        }
        for case, make in makers.items()
    }


@pytest.mark.parametrize(("plugin", "name"), NUMBERS)
class TestNumbers:
    def test_perfect_is_better_than_useless(self, plugin, name, scored):
        best, worst = scored["perfect"][name], scored["useless"][name]
        assert best.status == worst.status == "ok"
        higher = plugin.facts["numbers"][name]["better"] == "higher"
        assert (best.value > worst.value) == higher
        assert best.value != worst.value

    def test_degenerate_is_a_number_or_a_reason(self, plugin, name, scored):
        result = scored["degenerate"][name]
        if result.status == "ok":
            assert math.isfinite(result.value)
        else:
            assert result.reason

    def test_interval_holds_the_value(self, plugin, name, scored):
        for case in ("perfect", "useless"):
            result = scored[case][name]
            assert result.n > 0
            if result.lo is not None:
                assert result.lo <= result.value <= result.hi

    def test_what_is_missing_is_said(self, plugin, name, data):
        result = plugin.load()().score([name], Artefacts({}), data, SETTINGS)[name]
        assert result.status == "not_applicable"
        assert result.value is None
        assert "gives no" in result.reason

    def test_listed_as_it_is(self, plugin, name):
        info = next(info for info in plugin.load().infos() if info.id == name)
        assert info.better in ("higher", "lower")
        assert info.meaning


@pytest.mark.parametrize("plugin", FAMILIES)
def test_same_artefacts_same_numbers_and_no_global_randomness(plugin, data, scored):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    names = list(plugin.facts["numbers"])
    again = plugin.load()().score(names, perfect(data), data, SETTINGS)
    assert again == {name: scored["perfect"][name] for name in names}
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_state).all()


@pytest.mark.parametrize("plugin", FAMILIES)
def test_order_of_pairs_does_not_matter(plugin, data, scored):
    """Neighbours move together, since they lend each other their guides."""
    if plugin.name in ("inception", "domain_probe"):
        pytest.skip(
            "no value without weights" if plugin.name == "inception" else "fits go by position"
        )
    n = len(data.domains["test"][0].images)
    couples = torch.randperm(n // 2, generator=torch.Generator().manual_seed(0))
    order = torch.stack([2 * couples, 2 * couples + 1], 1).flatten()

    def moved(images):
        return images[order] if len(images) == n else images

    test = [dataclasses.replace(d, images=moved(d.images)) for d in data.domains["test"]]
    shuffled = dataclasses.replace(
        data,
        domains={**data.domains, "test": test},
        truth=type(data.truth)(*(moved(images) for images in vars(data.truth).values())),
    )
    plain = useless(data)
    tensors = {
        name: value if name.startswith("z1") else moved(value)
        for name, value in plain.tensors.items()
    }
    names = list(plugin.facts["numbers"])
    results = plugin.load()().score(names, Artefacts(tensors, plain.measured), shuffled, SETTINGS)
    for name in names:
        assert results[name].value == pytest.approx(scored["useless"][name].value, rel=1e-6)


# --- counterfactual ------------------------------------------------------------------------------


def test_floor_and_ceiling_are_exact(data):
    names = list(REGISTRY.find("metric", "counterfactual").facts["numbers"])
    truth = family("counterfactual").score(names, ground_truth(data), data, SETTINGS)
    copied = family("counterfactual").score(names, copy_source(data), data, SETTINGS)
    for what in ("add", "remove"):
        assert truth[f"cf_skill_in_{what}"].value == 1
        assert copied[f"cf_skill_in_{what}"].value == 0
        assert truth[f"cf_harm_out_{what}"].value == copied[f"cf_harm_out_{what}"].value == 0
    assert truth["cf_rank_add"].value == 1
    assert copied["cf_rank_add"].value == 0.5
    guide = family("counterfactual").score(names, copy_guide(data), data, SETTINGS)
    assert guide["cf_skill_in_remove"].status == "not_applicable"
    assert guide["cf_harm_out_add"].value > 0.1


def test_skill_is_a_ratio_of_sums_inside_the_change():
    cf = module("counterfactual")
    source = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    truth, output = source.clone(), source.clone()
    truth[0, :, 0, 0], output[0, :, 0, 0] = 200, 100  # half of one pixel's way
    truth[1, :, :2] = 100  # eight pixels, not touched
    output[:, :, 3] = 40  # a row outside both changes
    error, own = cf.skill(output, source, truth)
    assert error * 255 == pytest.approx([100, 800])
    assert own * 255 == pytest.approx([200, 800])
    change, pixels = cf.harm(output, source, truth)
    assert change * 255 == pytest.approx([160, 160])
    assert pixels.tolist() == [15, 8]


def test_rank_counts_ties_and_leaves_out_equal_truths(data):
    cf = module("counterfactual")
    truth = data.truth
    same = (truth.add == truth.other).flatten(1).all(1)
    won = cf.rank(truth.other, truth.add, truth)
    assert np.isnan(won).tolist() == same.tolist()
    assert np.nanmax(won) == 0
    gray = torch.full_like(truth.add, 128)
    assert np.nanmean(cf.rank(gray, gray, truth)) == 0.5


# --- reconstruction ------------------------------------------------------------------------------


def test_psnr_is_the_mean_over_images_and_capped():
    rec = module("reconstruction")
    target = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    output = target.clone()
    output[1] = 51  # 0.2 of the range: 13.98 dB
    assert rec.psnr(output, target) == pytest.approx([60, -20 * math.log10(0.2)])
    assert rec.l1(output, target) == pytest.approx([0, 0.2])


def test_ssim_is_its_definition():
    """A second implementation: the definition, window by window, without convolutions."""
    rec = module("reconstruction")
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randint(0, 256, (1, 3, 14, 14), generator=generator, dtype=torch.uint8)
        for _ in range(2)
    )
    at = np.arange(11) - 5
    line = np.exp(-(at**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    p, q = x[0].double().numpy() / 255, y[0].double().numpy() / 255
    found = []
    for c in range(3):
        for i in range(4):
            for j in range(4):
                u, v = p[c, i : i + 11, j : j + 11], q[c, i : i + 11, j : j + 11]
                mu, mv = (window * u).sum(), (window * v).sum()
                su = (window * (u - mu) ** 2).sum()
                sv = (window * (v - mv) ** 2).sum()
                suv = (window * (u - mu) * (v - mv)).sum()
                top = (2 * mu * mv + 1e-4) * (2 * suv + 9e-4)
                found.append(top / ((mu**2 + mv**2 + 1e-4) * (su + sv + 9e-4)))
    assert rec.ssim(x, y) == pytest.approx([np.mean(found)], abs=1e-9)
    assert rec.ssim(x, x) == pytest.approx([1])


# --- Frechet distance ----------------------------------------------------------------------------


def gaussian(n, d, seed, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(shift, scale, (n, d)))


def test_frechet_of_two_gaussians_on_paper():
    frechet = module("frechet").frechet
    eye = torch.eye(3, dtype=torch.float64)
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    assert frechet(zero, eye, zero, eye) == pytest.approx(0, abs=1e-12)
    assert frechet(zero, eye, one, eye) == pytest.approx(3)
    assert frechet(zero, eye, zero, 4 * eye) == pytest.approx(3)  # 3 (2 - 1)^2


@pytest.mark.parametrize(("n", "d"), [(400, 16), (40, 64)])
def test_ours_is_torch_fidelitys(n, d):
    """The jackknife's own form of the distance, against the public call of torch-fidelity."""
    fd = module("frechet")
    x, y = gaussian(n, d, 0).float(), gaussian(n, d, 1, 0.3, 1.2).float()
    moments = [m for z in (x.double(), y.double()) for m in (z.mean(0), torch.cov(z.T))]
    assert fd.frechet(*moments) == pytest.approx(fd.fidelity_distance(x, y), rel=1e-5)


def test_leaving_out_by_subtraction_is_leaving_out():
    fd = module("frechet")
    x, y = gaussian(50, 4, 0, 3.0), gaussian(70, 4, 1)
    centre = y.mean(0)
    folds = fd._Folds(x - centre, "made")
    groups = module("frechet").generator("jackknife", "made", 50).permutation(50) % fd.FOLDS
    rest = x[torch.from_numpy(groups != 3)] - centre
    mean, covariance = folds.without(3)
    assert torch.allclose(mean, rest.mean(0))
    assert torch.allclose(covariance, torch.cov(rest.T))


def test_intervals_of_the_distance_cover_what_they_say():
    """D = 8, n = 200: the true distance is 0.08, that of two samples of 200 is about 0.5.

    The reported interval is of the biased value, that in the detail of the true distance.
    """
    fd = module("frechet")
    truth = 8 * 0.1**2
    results = [
        fd.distance(gaussian(200, 8, 2 * s).float(), gaussian(200, 8, 2 * s + 1, 0.1).float(), "")
        for s in range(20)
    ]
    biased = np.mean([result.value for result in results])
    assert biased > 2 * truth
    assert sum(result.lo <= biased <= result.hi for result in results) >= 18
    corrected = np.array([result.detail["bias_corrected"] for result in results])
    assert corrected[:, 0].mean() == pytest.approx(truth, abs=0.05)
    assert ((corrected[:, 1] <= truth) & (truth <= corrected[:, 2])).sum() >= 18


def test_too_few_images_are_said():
    fd = module("frechet")
    few = fd.distance(gaussian(1, 4, 0).float(), gaussian(50, 4, 1).float(), "test")
    assert few.status == "unavailable"
    assert "needs 2" in few.reason
    biased = fd.distance(gaussian(6, 4, 0).float(), gaussian(50, 4, 1).float(), "test")
    assert biased.lo is None
    assert "biased" in biased.detail["warning"]


def test_distance_rises_with_blur_noise_and_wrong_content(data):
    """The shipped features see what people see: each step further from the truth costs more."""
    from bench.compat import torchvision_transforms

    v2, fd = torchvision_transforms(), family("frechet")
    real = data.domains["test"][1].images
    generator = torch.Generator().manual_seed(0)

    def noisy(deviation):
        noise = deviation * torch.randn(real.shape, generator=generator)
        return (real + noise).round().clamp(0, 255).to(torch.uint8)

    series = {
        "blur": [real, *(v2.functional.gaussian_blur(real, 7, s) for s in (0.6, 1.0, 2.0))],
        "noise": [real, noisy(8), noisy(25), noisy(60)],
        "content": [
            data.truth.add,
            (data.truth.add // 2) + (data.domains["test"][0].images // 2),
            data.domains["test"][0].images,
        ],
    }
    for kind, steps in series.items():
        found = [
            fd.score(["fd_add"], Artefacts({"add": images}), data, SETTINGS)["fd_add"].value
            for images in steps
        ]
        assert found == sorted(found), (kind, found)
        assert found[-1] > 1.5 * found[0], (kind, found)


def test_anchors_bracket_the_distance(data):
    made = {
        name: family("frechet").score(["fd_add", "fd_remove"], ANCHORS[name](data), data, SETTINGS)
        for name in ANCHORS
    }
    for name in ("fd_add", "fd_remove"):
        truth, copied = made["ground-truth"][name], made["copy-source"][name]
        assert truth.value < copied.value / 1.5
        assert truth.value < 2 * truth.detail["floor"]
        assert truth.extractor.startswith("avatars64@")


def test_extractor_is_small_and_named_by_its_weights():
    extractor = module("frechet").avatars64
    import sys

    weights = sys.modules[extractor.__module__].WEIGHTS
    assert weights.stat().st_size < 2_000_000
    assert len(extractor()[0].split("@")[1]) == 8


# --- domain probe --------------------------------------------------------------------------------


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
def test_battery_finds_what_a_linear_probe_does_not(kind, linear, battery):
    dp = module("domain_probe")
    (x, y), (x_test, y_test) = leak(kind, 300), leak(kind, 200, seed=1)
    fitted = dp.probe((x, y), x_test, list(dp.BATTERY))
    strongest = dp.balanced_accuracy(fitted[0].said, y_test)
    logistic = next(f for f in fitted if f.kind == "logistic")
    assert linear[0] <= dp.balanced_accuracy(logistic.said, y_test) <= linear[1]
    assert battery[0] <= strongest <= battery[1]


def test_constant_code_is_chance(scored):
    for name in ("z1_domain_acc", "z1_domain_acc_linear"):
        assert scored["degenerate"][name].value == 0.5
        assert scored["useless"][name].value > 0.95
        lo, hi = scored["perfect"][name].detail["chance"]
        assert lo - 0.05 <= scored["perfect"][name].value <= hi + 0.05


def test_balanced_accuracy_weighs_classes_alike():
    dp = module("domain_probe")
    labels = np.array([0] * 90 + [1] * 10)
    assert dp.balanced_accuracy(np.zeros(100, dtype=int), labels) == 0.5


def test_probe_never_sees_the_test_part(data):
    """Probes fitted on labels turned round are wrong on test: test labels are not fitted."""
    made = useless(data)
    turned = dict(made.tensors)
    turned["z1_probe_a"], turned["z1_probe_b"] = turned["z1_probe_b"], turned["z1_probe_a"]
    result = family("domain_probe").score(["z1_domain_acc"], Artefacts(turned), data, SETTINGS)[
        "z1_domain_acc"
    ]
    assert result.value < 0.05


# --- Inception -----------------------------------------------------------------------------------


def test_inception_needs_the_documented_weights(tmp_path, data, monkeypatch):
    import sys

    from bench import compat
    from bench.errors import UserError

    extractor = sys.modules[module("frechet").avatars64.__module__]
    with pytest.raises(UserError, match="no such file"):
        extractor.check_inception(tmp_path / "none.pth")
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"not the weights")
    with pytest.raises(UserError, match=r"begins with .* expected weights-inception"):
        extractor.check_inception(wrong)
    assert compat.torch_fidelity()
    result = family("inception").score(["fid_add"], perfect(data), data, SETTINGS)["fid_add"]
    assert (result.status, result.reason) == ("unavailable", "no weights: give --inception FILE")


@pytest.mark.slow
def test_fid_with_weights_of_the_documented_form(tmp_path, data, monkeypatch):
    """The whole path of true FID, with random weights in the file that the user would give."""
    import hashlib
    import sys

    from bench import compat

    compat.torch_fidelity()
    import torch_fidelity.feature_extractor_inceptionv3 as fidelity

    # without a file it would be downloaded: let it load its own random weights instead
    own = fidelity.FeatureExtractorInceptionV3.load_state_dict
    monkeypatch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
    monkeypatch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
    torch.manual_seed(0)
    net = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    monkeypatch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", own)
    path = tmp_path / "weights.pth"
    torch.save(net.state_dict(), path)
    extractor = sys.modules[module("frechet").avatars64.__module__]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(extractor, "INCEPTION_SHA256", digest)
    few = dataclasses.replace(
        data,
        domains={
            part: [dataclasses.replace(d, images=d.images[:6]) for d in domains]
            for part, domains in data.domains.items()
        },
    )
    artefacts = Artefacts({"add": data.truth.add[:6]})
    settings = dataclasses.replace(SETTINGS, inception=path)
    extractor.check_inception(path)
    result = family("inception").score(["fid_add"], artefacts, few, settings)["fid_add"]
    assert result.status == "ok"
    assert result.value >= 0
    assert result.extractor == f"inception@{digest}"
    assert result.lo is None
