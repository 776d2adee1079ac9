"""Distances between sets of images: against paper, brute force, torch-fidelity and the eye."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import Artefacts, Settings
from bench.utils import compat
from bench.utils.errors import UserError

from .conftest import family, module

d = module("_distances")
quality = module("image_quality")
extractors = module("_extractor")
SETTINGS = Settings()


def gaussian(n, dimensions, seed, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(shift, scale, (n, dimensions)))


class Rows(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at]


def fidelity(made, real, **what):
    """What torch-fidelity's public call says of the same features."""
    found = compat.torch_fidelity().calculate_metrics(
        input1=Rows(made.float()),
        input2=Rows(real.float()),
        feature_extractor=extractors.pass_through(),
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        batch_size=1024,
        **what,
    )
    return {key.removeprefix("frechet_").removeprefix("kernel_"): v for key, v in found.items()}


# --- values --------------------------------------------------------------------------------------


def test_gaussian_distance_on_paper():
    eye = torch.eye(3, dtype=torch.float64)
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    assert d.gaussian_distance(zero, eye, zero, eye) == pytest.approx(0, abs=1e-12)
    assert d.gaussian_distance(zero, eye, one, eye) == pytest.approx(3)
    assert d.gaussian_distance(zero, eye, zero, 4 * eye) == pytest.approx(3)  # 3 (2 - 1)^2


@pytest.mark.parametrize(("n", "dimensions"), [(400, 16), (40, 64)])
def test_equal_to_torch_fidelity(n, dimensions):
    """The same features through its public call: FID to 1e-5, KID to 1e-6, precision exactly.

    Its KID draws subsets; one subset of all items is the full statistic.
    """
    made = gaussian(n, dimensions, 1, 0.3, 1.2).float()
    real = gaussian(n, dimensions, 0).float()
    theirs = fidelity(made, real, fid=True, kid=True, prc=True, kid_subset_size=n, kid_subsets=1)
    ours = d.real_side(real, n)
    near = d.neighbourhood(ours, made)
    tolerance = 1e-5 if n > dimensions else 1e-3  # singular: its eigenvalues lose digits, ours none
    fd = d.frechet(ours, made).value
    assert fd == pytest.approx(theirs["inception_distance"], rel=tolerance)
    assert d.kid(ours, made).value == pytest.approx(theirs["inception_distance_mean"], rel=1e-6)
    assert near["precision"].value == pytest.approx(theirs["precision"], abs=1e-6)
    assert near["recall"].value == pytest.approx(theirs["recall"], abs=1e-6)


def test_singular_distance_is_exact():
    """Fewer items than dimensions: features in a subspace have the distance that they have there.

    Rotated into 40 dimensions, 12 items of 5 dimensions keep their distance; the covariances of
    the 40 are singular.
    """
    small = [gaussian(12, 5, seed, 0.5 * seed) for seed in (0, 1)]
    rotation = torch.linalg.qr(gaussian(40, 40, 2))[0][:5]
    full = d.frechet(d.real_side(small[0], 12), small[1], jackknife=False).value
    flat = d.frechet(d.real_side(small[0] @ rotation, 12), small[1] @ rotation, jackknife=False)
    assert flat.value == pytest.approx(full, rel=1e-10)


def test_neighbours_are_those_of_brute_force():
    made, real = gaussian(60, 3, 0, 0.5), gaussian(60, 3, 1)

    def radius(points, at, k):
        return sorted(np.linalg.norm(points - points[at], axis=1))[k]

    x, y = made.numpy(), real.numpy()
    near = np.linalg.norm(x[:, None] - y[None], axis=2)
    real3, real5 = (np.array([radius(y, at, k) for at in range(60)]) for k in (3, 5))
    made3 = np.array([radius(x, at, 3) for at in range(60)])
    found = d.neighbourhood(d.real_side(real, 60), made, jackknife=False)
    assert found["precision"].value == np.mean((near <= real3).any(1))
    assert found["recall"].value == np.mean((made3 >= near.T).any(1))
    assert found["density"].value == pytest.approx((near <= real5).sum(1).mean() / 5)
    assert found["coverage"].value == np.mean((near <= real5).any(0))


def test_neighbours_tell_a_memoriser_and_a_dropped_mode():
    real = torch.cat([gaussian(50, 4, 0), gaussian(50, 4, 1, 10.0)])
    side = d.real_side(real, 100)
    memory = {k: v.value for k, v in d.neighbourhood(side, real).items()}
    assert memory["precision"] == memory["recall"] == memory["coverage"] == 1
    half = {k: v.value for k, v in d.neighbourhood(side, gaussian(100, 4, 2)).items()}
    assert half["recall"] < 0.55
    assert half["coverage"] < 0.55
    assert half["precision"] > 0.7


def test_equal_real_images_count_once():
    """Copies of a real image would have no room around them: nothing could be near."""
    real, made = gaussian(100, 4, 0), gaussian(50, 4, 1)
    copies = torch.cat([real[:50], real[:50], real[50:]])
    alone = d.real_side(copies, 50)
    assert torch.equal(alone["alone"], real[:50])
    assert d.neighbourhood(alone, made) == d.neighbourhood(d.real_side(real, 50), made)


def test_kid_of_one_distribution_is_zero_on_average():
    values = [
        d.kid(d.real_side(gaussian(100, 8, 2 * s), 100), gaussian(100, 8, 2 * s + 1)).value
        for s in range(30)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / 30**0.5
    assert min(values) < 0 < max(values)


def test_distances_do_not_change_under_rotation():
    rotation = torch.linalg.qr(gaussian(6, 6, 9))[0]
    real, made = gaussian(80, 6, 0), gaussian(80, 6, 1, 0.4)
    plain, turned = d.real_side(real, 80), d.real_side(real @ rotation, 80)
    for function in (d.frechet, d.kid):
        expected, found = function(plain, made), function(turned, made @ rotation)
        assert found.value == pytest.approx(expected.value, rel=1e-9)
        assert found.left_out == pytest.approx(expected.left_out, rel=1e-9)
    assert d.neighbourhood(turned, made @ rotation) == d.neighbourhood(plain, made)


def test_leaving_out_is_leaving_out():
    """What the sums give without a group is what the rest alone gives."""
    real, made = gaussian(70, 4, 1), gaussian(70, 4, 0, 0.7)
    side = d.real_side(real, 70)
    keep_real, keep_made = d.folds(70, "real") != 3, d.folds(70, "made") != 3
    rest = d.real_side(real[keep_real], 70)
    rest_made = made[keep_made]
    assert d.frechet(side, made).left_out[3] == pytest.approx(d.frechet(rest, rest_made).value)
    assert d.kid(side, made).left_out[3] == pytest.approx(d.kid(rest, rest_made).value)
    near = d.neighbourhood(side, made)
    for name, expected in d.neighbourhood(rest, rest_made, jackknife=False).items():
        assert near[name].left_out[3] == pytest.approx(expected.value), name


def test_radii_are_those_of_the_rest_even_where_a_group_is_a_neighbourhood():
    """Neighbours that are left out give way to the next ones, however many they are."""
    group = torch.arange(200) // 20  # ten far clusters, each a group but for the last item
    points = 100.0 * group.unsqueeze(1) + gaussian(200, 2, 0)
    group[19::20] = (group[19::20] + 1) % 10
    distances = torch.cdist(points, points)
    for k, radii in d._radii(distances, (3, 5), group).items():
        assert torch.equal(radii[0], distances.sort().values[:, k])
        for fold in range(10):
            left = group != fold
            expected = distances[left][:, left].sort().values[:, k]
            assert torch.equal(radii[1 + fold, left], expected)
            assert radii[1 + fold, ~left].isnan().all()


def test_intervals_of_the_distance_cover_what_they_say():
    """D = 8, n = 200: the true distance is 0.08, that of two samples of 200 is about 0.5.

    The reported interval is of the biased value, that in the detail of the true distance.
    """
    truth = 8 * 0.1**2
    results = [
        quality.distance(
            gaussian(200, 8, 2 * s), d.real_side(gaussian(200, 8, 2 * s + 1, 0.1), 200)
        )
        for s in range(50)
    ]
    biased = np.mean([result.value for result in results])
    assert biased > 2 * truth
    assert sum(result.lo <= biased <= result.hi for result in results) >= 45
    corrected = np.array([result.detail["bias_corrected"] for result in results])
    assert corrected[:, 0].mean() == pytest.approx(truth, abs=0.05)
    assert ((corrected[:, 1] <= truth) & (truth <= corrected[:, 2])).sum() >= 45


def test_intervals_of_kid_cover_the_truth():
    """The cubic kernel's true distance of two one-dimensional Gaussians has a closed form.

    E k(x, y) = sum over i of binom(3, i) m_i(x) m_i(y), with the moments m_1 = m, m_2 = m^2 + 1,
    m_3 = m^3 + 3 m at variance 1.
    """
    shift = 0.5
    moments = np.array([1, shift, shift**2 + 1, shift**3 + 3 * shift])
    standard = np.array([1, 0, 1, 0])
    truth = float(np.array([1, 3, 3, 1]) @ (moments - standard) ** 2)
    covered = []
    for s in range(40):
        made = gaussian(200, 1, 2 * s, shift)
        found = d.kid(d.real_side(gaussian(200, 1, 2 * s + 1), 200), made)
        lo, hi, _ = module("_statistics").jackknife_interval(*found)
        covered.append(lo <= truth <= hi)
    assert sum(covered) >= 35


def test_too_few_images_are_said():
    few = quality.distance(gaussian(1, 4, 0), d.real_side(gaussian(50, 4, 1), 50))
    assert few.status == "unavailable"
    assert "needs 2" in few.reason
    biased = quality.distance(gaussian(6, 4, 0), d.real_side(gaussian(50, 4, 1), 50))
    assert biased.lo is None
    assert "biased" in biased.detail["warning"]


@pytest.mark.parametrize(("probe", "test"), [(2, 2), (4, 6), (24, 16), (40, 40)])
def test_a_small_task_has_numbers_or_reasons(probe, test, data):
    """Also where a kind of content has one image or none."""
    few = dataclasses.replace(
        data,
        domains=data.domains
        | {
            part: [type(d)(d.images[:n], d.factors[:n]) for d in data.domains[part]]
            for part, n in (("probe", probe), ("test", test))
        },
    )
    artefacts = Artefacts(dict.fromkeys(("add", "remove"), data.domains["test"][1].images[:test]))
    results = family("image_quality").score(
        list(family("image_quality").ids()), artefacts, few, SETTINGS
    )
    for name, result in results.items():
        if result.status == "ok":
            assert np.isfinite(result.value), name
        else:
            assert result.reason, name
    assert results["fd_add"].status == "ok"
    assert (results["kid_add"].status == "ok") == (min(probe, test) >= d.FEWEST)


def test_kinds_that_share_a_real_side_have_an_honest_interval():
    """Five kinds against one real side: the interval covers the mean of many repetitions.

    Taken as independent, the kinds' own intervals would give one that covers 83 %.
    """
    kinds = torch.arange(600) % 5
    results = []
    for s in range(100):
        real = d.gaussian_side(gaussian(200, 3, 2 * s))
        made = gaussian(600, 3, 2 * s + 1, 0.5)
        results.append(quality.distance_by_kind(made, lambda _, real=real: real, kinds))
    mean = np.mean([result.value for result in results])
    assert sum(result.lo <= mean <= result.hi for result in results) >= 90


def test_distance_by_kind_sees_what_the_whole_hides():
    """Two kinds, exchanged: as a whole the results are perfect, of each kind they are wrong."""
    kinds = torch.arange(200) % 2
    real = gaussian(200, 3, 0) + 5 * kinds.unsqueeze(1)
    made = gaussian(200, 3, 1) + 5 * (1 - kinds).unsqueeze(1)

    def side(kind):
        return d.real_side(real[kinds == kind], 100)

    whole = quality.distance(made, d.real_side(real, 200))
    by_kind = quality.distance_by_kind(made, side, kinds)
    assert whole.value < 1
    assert by_kind.value == pytest.approx(75, rel=0.1)
    assert by_kind.lo < by_kind.value < by_kind.hi
    assert len(by_kind.detail["kinds"]) == 2


# --- pictures ------------------------------------------------------------------------------------


def test_distances_rise_with_blur_noise_and_wrong_content(data):
    """The shipped features see what people see: each step further from the truth costs more."""
    v2, family_ = compat.torchvision_transforms(), family("image_quality")
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
        for name in ("fd_add", "kid_add"):
            found = [
                family_.score([name], Artefacts({"add": images}), data, SETTINGS)[name].value
                for images in steps
            ]
            assert found == sorted(found), (kind, name, found)
        assert found[-1] > 1.5 * found[0], (kind, found)


def test_anchors_bracket_the_distances(data):
    wanted = list(family("image_quality").ids())
    made = {
        name: family("image_quality").score(wanted, ANCHORS[name](data), data, SETTINGS)
        for name in ANCHORS
    }
    for what in ("add", "remove"):
        truth, copied = made["ground-truth"], made["copy-source"]
        fd = f"fd_{what}"
        assert truth[fd].value < copied[fd].value / 1.5
        assert truth[fd].value < 2 * truth[fd].detail["floor"]
        assert truth[fd].extractor.startswith("avatars64@")
        assert truth[f"kid_{what}"].value < copied[f"kid_{what}"].value
    guide = made["copy-guide"]
    assert guide["fd_cond_add"].value < made["copy-source"]["fd_cond_add"].value
    assert guide["fd_cond_remove"].status == "not_applicable"


def test_real_side_is_kept_and_found_by_content(data, tmp_path):
    """A second method reads what the first has left; other images are another file."""
    settings = Settings(cache=tmp_path)
    score = family("image_quality").score
    truth = ANCHORS["ground-truth"](data)
    first = score(["fd_add", "kid_add", "recall_add"], truth, data, settings)
    (kept,) = tmp_path.glob("real-*.safetensors")
    before = kept.stat().st_mtime_ns
    assert score(["fd_add", "kid_add", "recall_add"], truth, data, settings) == first
    assert kept.stat().st_mtime_ns == before
    assert score(["fd_add", "kid_add", "recall_add"], truth, data, SETTINGS) == first
    probe = data.domains["probe"]
    other = dataclasses.replace(probe[1], images=255 - probe[1].images)
    changed = dataclasses.replace(data, domains=data.domains | {"probe": [probe[0], other]})
    assert score(["fd_add"], truth, changed, settings)["fd_add"].value != first["fd_add"].value
    assert len(list(tmp_path.glob("real-*.safetensors"))) == 2


def test_a_damaged_real_side_is_made_again(data, tmp_path):
    settings = Settings(cache=tmp_path)
    truth = ANCHORS["ground-truth"](data)
    first = family("image_quality").score(["fd_add"], truth, data, settings)
    (kept,) = tmp_path.glob("real-*.safetensors")
    content = bytearray(kept.read_bytes())
    content[-100] ^= 1
    kept.write_bytes(content)
    assert family("image_quality").score(["fd_add"], truth, data, settings) == first


# --- extractors ----------------------------------------------------------------------------------


def test_extractor_is_small_and_named_by_its_weights():
    assert extractors.WEIGHTS.stat().st_size < 2_000_000
    assert len(extractors.avatars64().name.split("@")[1]) == 8


def test_features_touch_no_random_state_and_know_no_batch_mates(data):
    images = data.domains["test"][0].images[:40]
    state = torch.get_rng_state()
    whole = extractors.avatars64().features(images)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.allclose(extractors.avatars64().features(images[7:9]), whole[7:9], atol=1e-5)


@pytest.mark.parametrize(("n", "m"), [(32, 299), (64, 299), (128, 299), (300, 299), (7, 7)])
def test_resize_is_tensorflows(n, m):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as theirs,
    )

    x = torch.randint(0, 256, (2, 3, n, n), generator=torch.Generator().manual_seed(0)).float()
    weights = extractors.tf1_bilinear(n, m)
    expected = theirs(x, size=(m, m), align_corners=False)
    assert (weights @ x @ weights.T - expected).abs().max() < 1e-3


def test_inception_needs_the_documented_weights(tmp_path, data, monkeypatch):
    with pytest.raises(UserError, match="no such file"):
        extractors.check_inception(tmp_path / "none.pth")
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"not the weights")
    with pytest.raises(UserError, match=r"begins with .* expected weights-inception"):
        extractors.check_inception(wrong)
    assert compat.torch_fidelity()
    result = family("inception").score(["fid_add"], ANCHORS["ground-truth"](data), data, SETTINGS)[
        "fid_add"
    ]
    assert (result.status, result.reason) == ("unavailable", "no weights: give --inception FILE")


@pytest.mark.slow
def test_fid_with_weights_of_the_documented_form(tmp_path, data, monkeypatch):
    """The whole path of true FID, with random weights in the file that the user would give."""
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
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(extractors, "INCEPTION_SHA256", digest)
    few = dataclasses.replace(
        data,
        domains={
            part: [dataclasses.replace(d, images=d.images[:6]) for d in domains]
            for part, domains in data.domains.items()
        },
    )
    artefacts = Artefacts({"add": data.truth.add[:6]})
    settings = dataclasses.replace(SETTINGS, inception=path)
    extractors.check_inception(path)
    fast = extractors.inception_of(path, "inception-test").features(data.truth.add[:4])
    with torch.inference_mode():
        reference = net(data.truth.add[:4])[0]
    assert torch.allclose(fast, reference, rtol=1e-3, atol=1e-5 * float(reference.abs().max()))
    result = family("inception").score(["fid_add"], artefacts, few, settings)["fid_add"]
    assert result.status == "ok"
    assert result.value >= 0
    assert result.extractor == f"inception@{digest}"
    assert result.lo is None
