"""Fader Networks: what each part of a step trains, in which mode, and the optional critics."""

from __future__ import annotations

import copy

import pytest
import torch

from bench.cell.training import train
from bench.contracts.task import Spec
from tests.helpers import REGISTRY, make_method, random_batch

FADER = REGISTRY.find("method", "fader")
OPTIONAL = {"patch_weight": 1.0, "classifier_weight": 1.0}


def fader(**changes):
    return make_method(FADER, width=8, **changes)


def recorded_modes(method):
    """Return a list that gets the name, the train mode and the batch of each network that runs."""
    seen = []
    nets = {"encoder": method.encoder, "decoder": method.decoder, **method.critics}
    for name, net in nets.items():
        net.register_forward_pre_hook(
            lambda module, inputs, name=name: seen.append((name, module.training, len(inputs[0])))
        )
    return seen


def test_one_side_trains_while_the_other_is_in_eval_mode():
    method = fader(batch_size=6)
    seen = recorded_modes(method)
    method.training_step(random_batch(n=6))
    assert seen == [
        ("encoder", False, 6),
        ("latent", True, 6),
        ("encoder", True, 6),
        ("decoder", True, 6),
        ("latent", False, 6),
    ]
    assert all(module.training for module in method.modules())


def test_the_two_updates_see_different_images():
    method = fader(batch_size=6)
    images = []
    method.encoder.register_forward_pre_hook(lambda _, inputs: images.append(inputs[0]))
    a, b = random_batch(n=6)
    method.training_step([a, b])
    assert torch.equal(images[0], torch.cat([a[:3], b[:3]]))
    assert torch.equal(images[1], torch.cat([a[3:], b[3:]]))


@pytest.mark.parametrize("steps", [4, 8])
def test_the_weight_of_confusion_grows_over_a_fraction_of_the_training(faces, steps):
    """The loss that is minimised is reconstruction + share of the weight * confusion."""
    method = fader(ramp=0.5, batch_size=2, confusion_weight=0.1)
    update, losses, logs = method._update, [], []

    def seen(name, parameters, loss):
        if name == "autoencoder":
            losses.append(loss.item())
        update(name, parameters, loss)

    step = method.training_step
    method._update = seen
    method.training_step = lambda batch: logs.append(step(batch)) or logs[-1]
    train(method, faces, steps=steps, flops_per_step=1, seed=0, precision="fp32")
    shares = [
        (loss - log["reconstruction"].item()) / (0.1 * log["confusion"].item())
        for loss, log in zip(losses, logs, strict=True)
    ]
    expected = [min(1.0, 2 * at / steps) for at in range(steps)]
    assert shares == pytest.approx(expected, abs=1e-4)


def test_the_published_ramp_is_that_of_the_released_code():
    method = FADER.load()
    assert method.Config().ramp * method.published_steps == 500_000
    assert method(Spec(32), method.Config())._ramp_steps == 500_000


@pytest.mark.parametrize("domains", [2, 3])
def test_another_domain_is_never_the_same(domains):
    method = make_method(FADER, spec=Spec(32, domains=domains), width=8)
    domain = torch.arange(domains).repeat(200)
    other = method._another(domain)
    assert (other != domain).all()
    pairs = set(zip(domain.tolist(), other.tolist(), strict=True))
    assert len(pairs) == domains * (domains - 1)


def test_three_domains_train_and_translate():
    method = make_method(FADER, spec=Spec(32, domains=3), width=8)
    batch = [*random_batch(), random_batch(seed=1)[0]]
    logs = method.training_step(batch)
    assert all(torch.isfinite(value) for value in logs.values())
    method.eval()
    code = method.encode(batch[0], 0)
    images = [method.decode(code, domain) for domain in range(3)]
    assert not torch.equal(images[0], images[2])


def test_optional_critics_train_and_are_trained_against():
    method = fader(**OPTIONAL)
    method.step.fill_(10**9)
    before = copy.deepcopy(method.state_dict())
    logs = method.training_step(random_batch())
    assert set(logs) == {
        "critic_latent", "critic_patch", "critic_classifier",
        "reconstruction", "confusion", "realism", "translated_domain",
    }  # fmt: skip
    for name, parameter in method.named_parameters():
        assert name.endswith("bias") or not torch.equal(before[name], parameter), name
    assert all(parameter.requires_grad for parameter in method.parameters())


def test_without_confusion_there_is_no_latent_discriminator():
    method = fader(confusion_weight=0.0)
    assert not method.critics
    assert set(method.training_step(random_batch())) == {"reconstruction"}


@pytest.mark.parametrize(
    ("size", "code", "blocks"),
    [(32, [128, 2, 2], 1), (64, [256, 2, 2], 1), (128, [256, 2, 2], 1), (256, [256, 4, 4], 2)],
)
def test_the_code_and_the_latent_discriminator_at_each_size(size, code, blocks):
    method = FADER.load()
    with torch.device("meta"):
        model = method(Spec(size), method.Config(width=16))
        assert list(model.encode(torch.zeros(1, 3, size, size), 0).common.shape) == [1, *code]
    convolutions = [m for m in model.critics["latent"].modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [
        (code[0] if k == 0 else 256, 256) for k in range(blocks)
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ramp": 0.0}, r"ramp is 0.0, .* in \(0, 1\]"),
        ({"ramp": float("nan")}, "ramp is nan"),
        ({"batch_size": 1}, "batch_size is 1, but a step"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, said):
    method = FADER.load()
    with pytest.raises(ValueError, match=said):
        method(Spec(32), method.Config(**changes))
    with pytest.raises(ValueError, match="too small for the patch discriminator"):
        method(Spec(16), method.Config(patch_weight=1.0))
