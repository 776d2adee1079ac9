"""The feature extractors."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.metric import Artefacts, Settings
from bench.contracts.task import HIDDEN, Domain, Factor, TaskData
from bench.utils import compat
from bench.utils.errors import UserError
from tests.helpers import family, module

extractors = module("_extractor")
SETTINGS = Settings()


SHIPPED = pytest.mark.parametrize("shipped", [extractors.avatars64, extractors.plain64])


@pytest.mark.parametrize("weights", [extractors.WEIGHTS, extractors.PLAIN_WEIGHTS])
def test_extractor_is_small_and_named_by_its_weights(weights):
    assert weights.stat().st_size < 2_000_000
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert extractors.extractor_of(weights).name == f"{weights.stem}@{digest[:8]}"


@pytest.mark.parametrize("weights", [extractors.WEIGHTS, extractors.PLAIN_WEIGHTS])
def test_the_network_has_exactly_the_stored_weights(weights):
    """They are stored in half precision, which float32 holds without rounding."""
    stored, net = load_file(weights), extractors.AvatarNet()
    net.load_state_dict(stored)
    for name, value in net.state_dict().items():
        assert torch.equal(value.double(), stored[name].double()), name


def test_the_two_extractors_differ(data):
    images = data.domains["test"][0].images[:8]
    first, second = (shipped() for shipped in (extractors.avatars64, extractors.plain64))
    assert first.name != second.name
    assert not torch.allclose(first.features(images), second.features(images), atol=0.1)


@SHIPPED
def test_features_for_distances_are_few_and_those_for_the_judge_many(shipped, data):
    """An interval of a Frechet distance needs twice as many images as features."""
    images = data.domains["test"][0].images[:4]
    assert shipped().features(images).shape == (4, 64)
    assert shipped().judge_features(images).shape == (4, 256)


@SHIPPED
def test_features_touch_no_random_state_and_know_no_batch_mates(shipped, data):
    images = data.domains["test"][0].images[:40]
    state = torch.get_rng_state()
    for layer in (shipped().features, shipped().judge_features):
        whole = layer(images)
        assert torch.equal(state, torch.get_rng_state())
        assert torch.allclose(layer(images[7:9]), whole[7:9], atol=1e-4)


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
    result = family("inception").score(
        ["fid_add"], UNTRAINED["ground-truth"](data), data, SETTINGS
    )["fid_add"]
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


# --- features of photographs ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def marked():
    """A task of 16 px: the place of a bar is a shared factor, its colour a separate one of B."""
    sizes = {"train": 2, "val": 2, "probe": 96, "test": 64}
    place, colour = Factor("place", ("left", "right")), Factor("colour", ("red", "blue"), True)

    def domain(at, n):
        random = np.random.default_rng([at, n])
        images = random.integers(0, 200, (n, 3, 16, 16)).astype(np.uint8)
        values = random.integers(0, 2, (n, 2))
        for image, (side, shade) in zip(images, values, strict=True):
            image[:, 2:14, 3 + 8 * side : 6 + 8 * side] = 255
            if at:
                image[2 * shade] = 255
        values[:, 1] = values[:, 1] if at else HIDDEN
        return Domain(torch.from_numpy(images), torch.from_numpy(values))

    domains = {part: [domain(0, n), domain(1, n)] for part, n in sizes.items()}
    return TaskData("marked", "", (place, colour), domains, None)


def test_drawn_faces_have_their_features_and_photographs_their_own(marked, data, tmp_path):
    settings = Settings(cache=tmp_path)
    assert extractors.extractor_for(data, settings) is extractors.avatars64()
    found = extractors.extractor_for(marked, settings)
    assert found.name.startswith("probe64@")
    assert extractors.extractor_for(marked, settings) is found
    features = found.features(marked.domains["test"][0].images)
    assert features.shape == (64, 64)
    (file,) = tmp_path.glob("probe64-*.safetensors")
    with pytest.raises(UserError, match=r"--inception .*no such file"):
        extractors.extractor_for(marked, Settings(inception=tmp_path / "none.pth"))

    judge = module("_judge").judge(found, marked, None)
    for factor in marked.factors:
        assert judge.accuracy(factor, marked) > 0.9
    assert judge.domain_accuracy(marked) > 0.9

    extractors._PROBES.clear()
    assert extractors.extractor_for(marked, settings).name == found.name  # from the file
    file.unlink()
    extractors._PROBES.clear()
    assert extractors.extractor_for(marked, Settings()).name == found.name  # the same bits


def test_other_labels_give_other_features(marked):
    bare = dataclasses.replace(
        marked,
        factors=(),
        domains={
            part: [Domain(of.images, of.factors[:, :0]) for of in domains]
            for part, domains in marked.domains.items()
        },
    )
    names = {extractors.extractor_for(task, Settings()).name for task in (marked, bare)}
    assert len(names) == 2


def test_numbers_of_photographs_name_their_extractor(marked, tmp_path):
    """The judge reads the factors by it, so that anchors get what they are worth."""
    settings = Settings(cache=tmp_path)
    found = extractors.extractor_for(marked, settings).name
    source, guide = (
        family("judged_parts").score(
            ["tr_specific_acc", "tr_common_acc"], UNTRAINED[name](marked), marked, settings
        )
        for name in ("copy-source", "copy-guide")
    )
    assert source["tr_common_acc"].value > 0.9 > 0.1 > guide["tr_common_acc"].value
    assert guide["tr_specific_acc"].value > 0.9
    assert {result.extractor for result in (source | guide).values()} == {found}
    assert guide["tr_specific_acc"].detail["judge"].keys() == {"colour"}
    quality = family("image_quality").score(
        ["fd_add"], UNTRAINED["copy-source"](marked), marked, settings
    )
    assert quality["fd_add"].extractor == found
