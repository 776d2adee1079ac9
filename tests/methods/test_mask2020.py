"""Mask2020: its losses and operations against formulas written out, and its sizes.

The golden file holds the networks alone. These checks are all that holds the losses.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from bench.contracts.task import Spec
from tests.helpers import REGISTRY, make_method, random_batch

PLUGIN = REGISTRY.find("method", "mask2020")


def build(**changes):
    """A small model in float64, whose batch norms use the statistics of each call."""
    method = make_method(PLUGIN, **{"width": 8, "sep": 4, "code_side": 1} | changes)
    return method.double().train()


def doubles():
    return [images.double() for images in random_batch()]


def written_out(model, a, b):
    """Return the loss of the encoders and decoders, term by term from the specification."""
    c = model.config

    def paint(common, separate, base):
        h = model.painter.trunk(torch.cat([common, separate], 1))
        mask = torch.sigmoid(h[:, :1]).repeat(1, 3, 1, 1)
        return torch.tanh(h[:, 1:]) * mask + base * (1 - mask)

    z_a, z_b, s = model.e1(a), model.e1(b), model.e2(b)
    zero = s * 0
    without = [model.decoder(torch.cat([z, zero], 1)) for z in (z_a, z_b)]
    terms = {
        "reconstruction_a": (c.reconstruction_weight_a, (without[0] - a).abs().mean()),
        "reconstruction_b": (
            c.reconstruction_weight_b, (paint(z_b, s, without[1]) - b).abs().mean(),
        ),
        "idempotence_a": (c.idempotence_weight_a, (paint(z_a, zero, a) - a).abs().mean()),
        "idempotence_b": (c.idempotence_weight_b, (paint(z_b, s, b) - b).abs().mean()),
    }  # fmt: skip
    added = paint(z_a, s, a)
    terms["cycle_common"] = (c.cycle_common_weight, (model.e1(added) - z_a).square().mean())
    terms["cycle_separate"] = (c.cycle_separate_weight, (model.e2(added) - s).square().mean())
    for name, z in (("confusion_a", z_a), ("confusion_b", z_b)):
        terms[name] = (c.confusion_weight, -(1 - model.discriminator(z)).log().mean())
    return terms


WEIGHTS = {
    "reconstruction_weight_a": 5.0,
    "reconstruction_weight_b": 7.0,
    "idempotence_weight_a": 0.7,
    "idempotence_weight_b": 0.3,
    "cycle_common_weight": 0.5,
    "cycle_separate_weight": 0.04,
    "confusion_weight": 1.5,
}
"""All different, so that no weight can stand at the wrong loss."""


def test_the_losses_and_their_gradients_are_those_of_the_specification():
    model, other = build(**WEIGHTS), build(**WEIGHTS)
    a, b = doubles()
    expected = written_out(other, a, b)
    found = model.losses(a, b)
    assert set(found) == set(expected)
    for name, (_, value) in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)
    model.total(found).backward()
    sum(weight * value for weight, value in expected.values()).backward()
    for net in ("e1", "e2", "decoder", "painter"):
        for p, q in zip(
            getattr(model, net).parameters(), getattr(other, net).parameters(), strict=True
        ):
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-9, atol=1e-12)
    assert all(p.grad is None for p in model.discriminator.parameters())


def test_the_cycle_moves_its_targets_too():
    """The targets are not detached: with them fixed, the gradient of E2 would be another."""
    model = build(**WEIGHTS)
    a, b = doubles()
    found = model.losses(a, b)["cycle_separate"]
    (whole,) = torch.autograd.grad(found, model.e2[0].weight)
    fixed = F.mse_loss(model.e2(model.add(a, b)), model.e2(b).detach())
    (part,) = torch.autograd.grad(fixed, model.e2[0].weight)
    assert (whole - part).abs().max() > 1e-3 * whole.abs().max()


def test_a_step_is_two_adam_steps_the_discriminator_on_the_new_codes():
    model, other = build(**WEIGHTS), build(**WEIGHTS)
    a, b = doubles()
    logs = model.training_step([a, b])

    main = [p for n in ("e1", "e2", "decoder", "painter") for p in getattr(other, n).parameters()]
    steps = [
        torch.optim.Adam(parameters, rate, (0.5, 0.999))
        for parameters, rate in (
            (main, other.config.learning_rate),
            (list(other.discriminator.parameters()), other.config.discriminator_learning_rate),
        )
    ]
    total = sum(weight * value for weight, value in written_out(other, a, b).values())
    gradients = torch.autograd.grad(total, main)
    norm = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    assert norm > 5
    torch.testing.assert_close(logs["gradient_norm"], norm, rtol=1e-9, atol=0)
    for parameter, gradient in zip(main, gradients, strict=True):
        parameter.grad = gradient * 5 / norm
    steps[0].step()
    loss = -(1 - other.discriminator(other.e1(a))).log().mean()
    loss = loss - other.discriminator(other.e1(b)).log().mean()
    said = (logs["discriminator_a"] + logs["discriminator_b"]).item()
    assert said == pytest.approx(loss.item(), rel=1e-4)  # clipping adds 1e-6 to the norm
    steps[1].zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(other.discriminator.parameters(), 5)
    steps[1].step()
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        if not name.endswith("bias"):  # Adam blows up the rounding noise before a norm
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_a_cycle_loss_without_weight_is_not_computed():
    logs = build(cycle_common_weight=0.0, cycle_separate_weight=0.0).losses(*doubles())
    assert not [name for name in logs if name.startswith("cycle")]


@pytest.mark.parametrize("removal_code", ["full", "zero"])
def test_remove_changes_nothing_outside_the_mask(removal_code):
    model = build(removal_code=removal_code).eval()
    b = doubles()[1]
    with torch.no_grad():
        z, s = model.e1(b), model.e2(b)
        mask = model.painter(torch.cat([z, s], 1))[1]
        model.config = replace(model.config, mask_threshold=mask.median().item())
        mask = (mask > model.config.mask_threshold).expand_as(b)
        inside = model.decoder(torch.cat([z, s if removal_code == "full" else 0 * s], 1))
        removed = model.remove(b)
    assert mask.any()
    assert not mask.all()
    assert torch.equal(removed[~mask], b[~mask])
    assert torch.equal(removed[mask], inside[mask])


def test_add_paints_on_the_image_itself():
    """With a mask that is 0 everywhere, `add` gives back the image, bit for bit."""
    model = build().eval()
    a, b = doubles()
    with torch.no_grad():
        assert not torch.allclose(model.add(a, b), a)
        model.painter.trunk[-1].weight[:, 0] = 0
        model.painter.trunk[-1].bias[0] = -1e4
        assert torch.equal(model.add(a, b), a)


@pytest.mark.parametrize(
    ("size", "code_side", "common", "separate"),
    [
        (128, 2, [32, 64, 128, 256, 487, 487], [32, 64, 128, 128, 128, 25]),
        (64, 1, [32, 64, 128, 256, 487, 487], [32, 64, 128, 128, 128, 25]),
        (64, 2, [32, 64, 128, 256, 487], [32, 64, 128, 128, 25]),
        (32, 1, [32, 64, 128, 256, 487], [32, 64, 128, 128, 25]),
        (32, 2, [32, 64, 128, 487], [32, 64, 128, 25]),
    ],
)
def test_small_images_drop_blocks(size, code_side, common, separate):
    method = PLUGIN.load()
    with torch.device("meta"):
        model = method(Spec(size), method.Config(code_side=code_side))
    for net, expected in ((model.e1, common), (model.e2, separate)):
        assert [m.out_channels for m in net if isinstance(m, torch.nn.Conv2d)] == expected
    assert model.e1(torch.rand(2, 3, size, size, device="meta")).shape[2:] == (code_side,) * 2


def test_it_says_what_does_not_fit():
    method = PLUGIN.load()
    with pytest.raises(ValueError, match="batch norm needs at least 2"):
        method.Config(batch_size=1)
    with pytest.raises(ValueError, match="sep is 512"):
        method(Spec(32), method.Config(sep=512))
    with pytest.raises(ValueError, match="image size 48"):
        method(Spec(48), method.Config())
