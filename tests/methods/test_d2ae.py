"""D2AE has no reference to be equal to: these checks catch the faults of public re-implementations.

Which loss moves which network, and the scales of the losses, by the table the sources agree on.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bench.contracts.method import Batch
from bench.contracts.task import Spec
from bench.plan.plan import Request, make_plan
from tests.helpers import REGISTRY

MODULE = REGISTRY.find("method", "d2ae")


def build(size=32, **changes):
    method = MODULE.load()
    torch.manual_seed(0)
    small = {"width": 8, "distilled": 6, "dispelled": 18, "hidden": 16}
    return method(Spec(size), method.Config(**small | changes)).train()


def inputs(size=32):
    torch.manual_seed(1)
    return torch.rand(8, 3, size, size) * 2 - 1, torch.arange(2).repeat_interleave(4)


def moved(model, loss):
    """Return the networks that a loss has a gradient for."""
    model.zero_grad()
    loss.backward()
    return {
        name
        for name, net in model.named_children()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
    }


def test_confusion_moves_encoder_and_branch_and_not_the_adversary():
    model = build()
    assert moved(model, model.losses(*inputs())[0]["confusion"]) == {"encoder", "dispel"}


def test_adversary_loss_moves_the_adversary_alone():
    model = build()
    x, labels = inputs()
    dispelled = model.losses(x, labels)[1]
    assert moved(model, model.adversary_loss(dispelled, labels)) == {"adversary"}


def test_label_loss_moves_neither_the_other_branch_nor_the_decoder():
    model = build()
    found = moved(model, model.losses(*inputs())[0]["label"])
    assert found == {"encoder", "distil", "classifier"}


@pytest.mark.parametrize("loss", ["reconstruction", "noisy_reconstruction"])
def test_image_losses_move_neither_classifier(loss):
    model = build()
    found = moved(model, model.losses(*inputs())[0][loss])
    assert found == {"encoder", "distil", "dispel", "decoder"}


@pytest.mark.parametrize("n", [2, 5])
def test_confusion_is_least_at_chance(n):
    import sys

    loss = sys.modules[MODULE.load().__module__].uniform_cross_entropy
    assert loss(torch.full((3, n), 7.0)).item() == pytest.approx(math.log(n))
    for logits in torch.randn(5, 3, n, generator=torch.Generator().manual_seed(0)):
        assert loss(logits) > math.log(n)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_image_loss_has_one_scale_at_every_size(size):
    import sys

    loss = sys.modules[MODULE.load().__module__].image_error
    error = 0.3
    images = torch.full((2, 3, size, size), -error), torch.zeros(2, 3, size, size)
    assert (loss("mse", *images) / size**2).item() == pytest.approx(1.5 * error**2)
    assert (loss("l1", *images) / size**2).item() == pytest.approx(3 * error)


def test_without_noise_both_image_losses_are_equal():
    logs = build(noise=0.0).losses(*inputs())[0]
    assert logs["noisy_reconstruction"].item() == pytest.approx(logs["reconstruction"].item())


def test_parameters_are_those_of_the_proposed_configuration():
    method = MODULE.load()
    for size, expected in ((128, 12.69e6), (64, 9.41e6), (32, 8.27e6)):
        with torch.device("meta"):
            model = method(Spec(size), method.Config())
        adversary = sum(p.numel() for p in model.adversary.parameters())
        rest = sum(p.numel() for p in model.parameters()) - adversary
        assert rest == pytest.approx(expected, rel=0.05)
        assert adversary == pytest.approx(0.21e6, rel=0.05)


def test_object_labels_reach_both_classifiers(faces):
    """`d2ae-obj` names kinds, 0 for none; the harness hands them out beside the images."""
    plugin = REGISTRY.find("method", "d2ae-obj")
    method = plugin.load()(faces.spec, plugin.load().Config(width=8, hidden=16))
    kinds = [faces.kinds("train", at)[:4] for at in range(2)]
    images = [domain.images[:4].float() for domain in faces.domains["train"]]
    assert faces.spec.kinds == 5
    assert method.classifier.out_features == method.adversary[-1].out_features == 6
    assert method.labels_of(Batch(images, kinds)).tolist() == [0, 0, 0, 0, *kinds[1].tolist()]
    assert min(kinds[1]) >= 1


def test_methods_told_more_are_not_meant_by_all_and_not_ranked():
    request = Request(profile="smoke", device="cpu")
    assert "d2ae-obj" not in {cell.method for cell in make_plan(request).cells}
    named = make_plan(replace(request, methods=("all", "d2ae-obj")))
    assert "d2ae-obj" in {cell.method for cell in named.cells}
