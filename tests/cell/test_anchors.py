"""What each anchor makes, by its definition, on made-up images whose true results are known."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from bench.cell.untrained.anchors import UNTRAINED, paste
from bench.cell.untrained.paste import AREAS, Place, otsu_area
from bench.contracts.anchors import ANCHORS, WEIGHTS_OF, WITHOUT_SEED
from bench.contracts.images import of_neighbours
from bench.contracts.metric import CODES, IMAGES
from bench.contracts.task import DataSizes, Domain, TaskData, Truth
from bench.tasks.cache import prepare
from tests.helpers import REGISTRY

SIDE, BOX = 10, (slice(2, 5), slice(3, 7))
"""The side of the made-up images, and where the content of B stands: 12 of 100 pixels."""


def images_of(count, seed, low=0, high=256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def with_content(faces, content):
    done = faces.clone()
    done[..., *BOX] = content[..., *BOX]
    return done


@pytest.fixture(scope="module")
def made():
    """Plain dark faces in A; in B, the same kind of faces with a bright box."""
    domains, truths = {}, {}
    for at, (part, count) in enumerate((("train", 40), ("val", 6), ("probe", 8), ("test", 8))):
        a, plain = (images_of(count, 10 * at + domain, 40, 60) for domain in range(2))
        content = images_of(count, 10 * at + 2, 180, 256)
        b = with_content(plain, content)
        none = torch.zeros((count, 0), dtype=torch.int64)
        domains[part] = [Domain(a, none), Domain(b, none)]
        other = with_content(a, of_neighbours(content))
        truths[part] = Truth(with_content(a, content), other, plain)
    return TaskData("made", "", (), domains, truths["test"], val_truth=truths["val"])


def without_truth(data):
    return dataclasses.replace(data, truth=None, val_truth=None)


def test_every_anchor_is_made_here_or_from_weights():
    assert set(UNTRAINED) == WITHOUT_SEED == set(ANCHORS) - set(WEIGHTS_OF)
    names = {plugin.name for plugin in REGISTRY.all("method")}
    assert set(WEIGHTS_OF.values()) <= names
    assert names.isdisjoint(ANCHORS)


@pytest.mark.parametrize("name", sorted(UNTRAINED))
@pytest.mark.parametrize("known", ["truth", "no truth"])
def test_all_artefacts_are_there_or_have_a_reason(name, known, made):
    data = made if known == "truth" else without_truth(made)
    artefacts = UNTRAINED[name](data)
    shape = data.test_pairs[0].shape
    for images in artefacts.tensors.values():
        assert images.dtype == torch.uint8
        assert images.shape == shape
    for what in (*IMAGES, *CODES, "training", "inference"):
        assert (what in artefacts.tensors) != (what in artefacts.absent), what
    needs_truth = name in ("ground-truth", "shuffled-truth")
    assert ("add" in artefacts.tensors) == (known == "truth" or not needs_truth)
    again = UNTRAINED[name](data)
    assert all(torch.equal(images, again.tensors[of]) for of, images in artefacts.tensors.items())


def test_paste_finds_the_place_of_the_content(made):
    """With an area of 12 % the mask is the box, and the result is the truth itself."""
    place = Place.of(made)
    mask = place.mask(0.12)
    assert mask.sum() == 12
    assert mask[BOX].all()
    assert place.mask(0.0).sum() == 1
    a, b = made.test_pairs
    assert torch.equal(place.add(a, b, 0.12), made.truth.add)
    mean = made.domains["train"][0].images.double().mean(0).round().to(torch.uint8)
    filled = place.remove(b, 0.12, "mean")
    assert torch.equal(filled, torch.where(mask, mean, b))


def test_paste_fills_from_the_image_that_is_nearest_outside_the_place(made):
    place = Place.of(made)
    train = made.domains["train"][0].images
    wanted = [7, 3, 39, 0]
    pictures = train[wanted].clone()
    pictures[..., *BOX] = 255 - pictures[..., *BOX]  # nearest within the place are others
    filled = place.remove(pictures, 0.12, "nearest")
    assert torch.equal(filled, train[wanted])


def test_the_nearest_image_of_several_areas_is_that_of_each_area_alone(made, monkeypatch):
    monkeypatch.setattr("bench.cell.untrained.paste._CHUNK", 7)
    place, b = Place.of(made), made.test_pairs[1]
    found = place.nearest(b, AREAS)
    for area in AREAS:
        outside = ~place.mask(area)
        x, y = (of[:, :, outside].flatten(1).double() for of in (b, place.train))
        assert torch.equal(found[area], place.train[torch.cdist(x, y).argmin(1)])


def test_paste_says_what_it_chose_on_val_and_uses_it_on_test(made):
    artefacts = paste(made)
    assert artefacts.measured["note"].endswith("(chosen by the scores on val)")
    a, b = made.test_pairs
    place = Place.of(made)
    fits = [x for x in AREAS if torch.equal(place.add(a, b, x), artefacts.tensors["add"])]
    assert len(fits) == 1
    assert f"copies {fits[0]:.0%} of the pixels" in artefacts.measured["note"]
    other = place.add(a, of_neighbours(b), fits[0])
    assert torch.equal(artefacts.tensors["other"], other)
    again = place.add(artefacts.tensors["remove"], b, fits[0])
    assert torch.equal(artefacts.tensors["cycle_b"], again)


def test_paste_chooses_without_a_look_at_test(made):
    """Other test images and another truth of them leave its choice as it was."""
    flipped = [Domain(255 - domain.images, domain.factors) for domain in made.domains["test"]]
    wrong = Truth(*(255 - images for images in vars(made.truth).values()))
    other = dataclasses.replace(made, domains=made.domains | {"test": flipped}, truth=wrong)
    assert paste(other).measured == paste(made).measured


def test_without_truth_the_area_of_paste_is_that_of_otsus_threshold(made):
    assert otsu_area(torch.tensor([[0.0, 1.0, 2.0], [90.0, 95.0, 1.0]])) == 2 / 6
    assert otsu_area(Place.of(made).difference) == 0.12
    artefacts = paste(without_truth(made))
    assert torch.equal(artefacts.tensors["add"], made.truth.add)
    assert "copies 12% of the pixels" in artefacts.measured["note"]
    assert "Otsu" in artefacts.measured["note"]


def test_mean_image_is_the_mean_of_the_target_domain(made):
    tensors = UNTRAINED["mean-image"](made).tensors
    of_a, of_b = (
        domain.images.double().mean(0).round().to(torch.uint8) for domain in made.domains["train"]
    )
    for name, mean in {"add": of_b, "other": of_b, "remove": of_a}.items():
        assert all(torch.equal(image, mean) for image in tensors[name])


def test_random_guides_are_real_training_images_and_differ(made):
    tensors = UNTRAINED["random-guide"](made).tensors
    a, b = (domain.images for domain in made.domains["train"])
    for name, source in {"add": b, "other": b, "remove": a}.items():
        assert all((source == image).flatten(1).all(1).any() for image in tensors[name])
    same = (tensors["add"] == tensors["other"]).flatten(1).all(1)
    assert not same.any()
    assert len({tuple(image.flatten().tolist()) for image in tensors["add"]}) > 4


def test_shuffled_truth_is_the_truth_of_a_neighbour(made):
    tensors = UNTRAINED["shuffled-truth"](made).tensors
    assert torch.equal(tensors["add"], made.truth.other)
    assert torch.equal(tensors["other"], made.truth.add)
    assert torch.equal(tensors["remove"], of_neighbours(made.truth.remove))


EMBEDDED = [
    plugin.name
    for plugin in REGISTRY.all("task")
    if not plugin.load().needs and plugin.load().home is None
]


@pytest.mark.parametrize("task", EMBEDDED)
def test_anchors_are_made_for_every_embedded_task(task, cache):
    sizes = DataSizes(size=32, train=40, probe=16, test=8)
    data = prepare(REGISTRY.find("task", task).load()(), sizes, cache)
    for name, make in UNTRAINED.items():
        artefacts = make(data)
        applies = data.truth is not None or name not in ("ground-truth", "shuffled-truth")
        assert ("add" in artefacts.tensors) == applies, name
        assert all(len(images) == 8 for images in artefacts.tensors.values())
