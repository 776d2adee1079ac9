"""Press2019: its networks and its confusion loss."""

from __future__ import annotations

import pytest
import torch

from bench.cell.training import autocast
from bench.contracts.task import Spec
from tests.helpers import REGISTRY, make_method, random_batch


def test_a_sure_discriminator_still_has_a_gradient_in_bf16():
    method = make_method(REGISTRY.find("method", "press2019"))
    with torch.no_grad():
        method.discriminator.classify[2].bias.fill_(9.0)
    a, b = random_batch()
    with autocast("cpu", "bf16"):
        common = method.e1(torch.cat([a, b]))
        loss = sum(method._confusion(method.discriminator(common)))
    (gradient,) = torch.autograd.grad(loss, common)
    assert gradient.abs().max() > 0


def test_confusion_can_be_the_papers(faces):
    """With the sign flipped, E1 is pushed where the discriminator is wrong about both domains."""
    plugin = REGISTRY.find("method", "press2019")
    method = make_method(plugin, confusion="adversarial")
    logs = method.training_step(random_batch())
    said = logs["discriminator_a"] + logs["discriminator_b"]
    assert logs["confusion_a"] < 0 < said


@pytest.mark.parametrize("size", [128, 192])
def test_press2019_from_128_px_is_the_reference_network(size):
    method = REGISTRY.find("method", "press2019").load()
    with torch.device("meta"):
        model = method(Spec(size), method.Config())
    counts = [
        sum(p.numel() for p in net.parameters()) for net in (model.e1, model.e2, model.decoder)
    ]
    assert counts == [6_480_574, 741_369, 6_982_115]
    assert model.discriminator.classify[0].in_features == 487 * (size // 64) ** 2


@pytest.mark.parametrize(
    ("size", "common", "separate"),
    [
        (64, [32, 64, 128, 256, 487], [32, 64, 128, 128, 25]),
        (32, [32, 64, 128, 487], [32, 64, 128, 25]),
    ],
)
def test_press2019_below_128_px_drops_blocks(size, common, separate):
    method = REGISTRY.find("method", "press2019").load()
    with torch.device("meta"):
        model = method(Spec(size), method.Config())
    for net, expected in ((model.e1, common), (model.e2, separate)):
        widths = [m.out_channels for m in net if isinstance(m, torch.nn.Conv2d)]
        assert widths == expected


def test_press2019_says_what_does_not_fit():
    method = REGISTRY.find("method", "press2019").load()
    with pytest.raises(ValueError, match="sep is 512"):
        method(Spec(32), method.Config(sep=512))
    with pytest.raises(ValueError, match="image size 48"):
        method(Spec(48), method.Config())


def test_the_separate_code_of_a_can_be_kept():
    """With the ablation, the separate code of A takes part in training and in `reconstruct`."""
    plugin = REGISTRY.find("method", "press2019")
    plain, ablated = (make_method(plugin, zero_separate=zero) for zero in (True, False))
    ablated.load_state_dict(plain.state_dict())
    a, b = random_batch()
    with torch.no_grad():
        assert not plain.encode(a, 0).separate.any()
        torch.testing.assert_close(ablated.encode(a, 0).separate, ablated.e2(a))
        kept = ablated.decoder(torch.cat([ablated.e1(a), ablated.e2(a)], 1))
        torch.testing.assert_close(ablated.reconstruct(a, 0), kept)
        assert not torch.allclose(plain.reconstruct(a, 0), kept)
        for one in (ablated.add(a, b) - plain.add(a, b), ablated.remove(b) - plain.remove(b)):
            assert not one.any()
    before = [method.training_step([a, b]) for method in (plain, ablated)]
    torch.testing.assert_close(*(logs["reconstruction_b"] for logs in before))
    assert not torch.allclose(*(logs["reconstruction_a"] for logs in before))
