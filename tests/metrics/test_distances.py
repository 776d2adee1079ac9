"""Distances between sets: against paper, brute force and torch-fidelity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from bench.utils import compat
from tests.helpers import REGISTRY, gaussian, module

d = module("_distances")
FD = REGISTRY.infos()["fd_add"]
extractors = module("_extractor")


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
        d.distance(FD, gaussian(200, 8, 2 * s), d.real_side(gaussian(200, 8, 2 * s + 1, 0.1), 200))
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
