"""Distances rise with faults of the images, and anchors bracket them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.metric import Artefacts, Settings
from bench.utils import compat
from tests.helpers import REGISTRY, family, gaussian, module

d = module("_distances")
FD = REGISTRY.infos()["fd_add"]
SETTINGS = Settings()


def test_too_few_images_are_said():
    few = d.distance(FD, gaussian(1, 4, 0), d.real_side(gaussian(50, 4, 1), 50))
    assert few.status == "unavailable"
    assert "needs 2" in few.reason
    biased = d.distance(FD, gaussian(6, 4, 0), d.real_side(gaussian(50, 4, 1), 50))
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
        results.append(d.distance_by_kind(FD, made, lambda _, real=real: real, kinds))
    mean = np.mean([result.value for result in results])
    assert sum(result.lo <= mean <= result.hi for result in results) >= 90


def test_distance_by_kind_sees_what_the_whole_hides():
    """Two kinds, exchanged: as a whole the results are perfect, of each kind they are wrong."""
    kinds = torch.arange(200) % 2
    real = gaussian(200, 3, 0) + 5 * kinds.unsqueeze(1)
    made = gaussian(200, 3, 1) + 5 * (1 - kinds).unsqueeze(1)

    def side(kind):
        return d.real_side(real[kinds == kind], 100)

    whole = d.distance(FD, made, d.real_side(real, 200))
    by_kind = d.distance_by_kind(FD, made, side, kinds)
    assert whole.value < 1
    assert by_kind.value == pytest.approx(75, rel=0.1)
    assert by_kind.lo < by_kind.value < by_kind.hi
    assert len(by_kind.detail["kinds"]) == 2


def degraded(real):
    """Return series of images that move away from real ones, by blur and by noise."""
    v2 = compat.torchvision_transforms()
    generator = torch.Generator().manual_seed(0)

    def noisy(deviation):
        noise = deviation * torch.randn(real.shape, generator=generator)
        return (real + noise).round().clamp(0, 255).to(torch.uint8)

    return {
        "blur": [real, *(v2.functional.gaussian_blur(real, 7, s) for s in (0.6, 1.0, 2.0))],
        "noise": [real, noisy(8), noisy(25), noisy(60)],
    }


@pytest.mark.parametrize(
    ("name", "of"),
    [("image_quality", "fd_add"), ("image_quality", "kid_add"), ("plain_distance", "fd_plain_add")],
)
def test_distances_rise_with_blur_noise_and_wrong_content(name, of, data):
    """The shipped features see what people see: each step further from the truth costs more."""
    a, b = data.test_pairs
    series = degraded(b) | {"content": [data.truth.add, (data.truth.add // 2) + (a // 2), a]}
    for kind, steps in series.items():
        found = [
            family(name).score([of], Artefacts({"add": images}), data, SETTINGS)[of].value
            for images in steps
        ]
        assert found == sorted(found), (kind, found)
        assert found[-1] > 1.5 * found[0], (kind, found)


def test_the_second_extractor_is_for_drawn_faces_only(data):
    photographs = dataclasses.replace(data, features="probe")
    results = family("plain_distance").score(
        ["fd_plain_add", "fd_plain_remove"], UNTRAINED["ground-truth"](data), photographs, SETTINGS
    )
    assert {r.status for r in results.values()} == {"not_applicable"}
    assert {r.reason for r in results.values()} == {
        "the second extractor was trained on drawn faces only"
    }


def test_anchors_bracket_the_distances(data):
    wanted = list(family("image_quality").ids())
    made = {
        name: family("image_quality").score(wanted, UNTRAINED[name](data), data, SETTINGS)
        for name in UNTRAINED
    }
    for what in ("add", "remove"):
        truth, copied = made["ground-truth"], made["copy-source"]
        fd = f"fd_{what}"
        assert truth[fd].value < copied[fd].value / 1.5
        assert truth[fd].value < 2 * truth[fd].detail["floor"]
        assert truth[fd].extractor.startswith("avatars64@")
        assert truth[f"kid_{what}"].value < copied[f"kid_{what}"].value
        plain = f"fd_plain_{what}"
        truth, copied = (
            family("plain_distance").score([plain], UNTRAINED[name](data), data, SETTINGS)[plain]
            for name in ("ground-truth", "copy-source")
        )
        assert truth.value < copied.value / 1.5
        assert truth.value < 2 * truth.detail["floor"]
        assert truth.extractor.startswith("plain64@")
    guide = made["copy-guide"]
    assert guide["fd_cond_add"].value < made["copy-source"]["fd_cond_add"].value
    assert guide["fd_cond_remove"].status == "not_applicable"


def test_real_side_is_kept_and_found_by_content(data, tmp_path):
    """A second method reads what the first has left; other images are another file."""
    settings = Settings(cache=tmp_path)
    score = family("image_quality").score
    truth = UNTRAINED["ground-truth"](data)
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
    truth = UNTRAINED["ground-truth"](data)
    first = family("image_quality").score(["fd_add"], truth, data, settings)
    (kept,) = tmp_path.glob("real-*.safetensors")
    content = bytearray(kept.read_bytes())
    content[-100] ^= 1
    kept.write_bytes(content)
    assert family("image_quality").score(["fd_add"], truth, data, settings) == first
