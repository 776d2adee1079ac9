"""MUNIT: what its losses are made of, its learning rate, its initial weights and its sizes."""

from __future__ import annotations

import math

import pytest
import torch

from bench.cell.training import train
from bench.contracts.method import Codes
from bench.contracts.task import Spec
from tests.helpers import REGISTRY, make_method, random_batch

MUNIT = REGISTRY.find("method", "munit")
A, B = 0, 1


def munit(**changes):
    return make_method(MUNIT, **{"width": 4, "blocks": 1, "batch_size": 2, **changes})


def test_losses_are_those_of_the_paper():
    """Each loss again, written out with the letters of the paper."""
    weights = {
        "adversarial_weight": 2.0, "reconstruction_weight": 3.0, "style_weight": 5.0,
        "map_weight": 7.0, "cycle_weight": 11.0,
    }  # fmt: skip
    method = munit(**weights)
    a, b = random_batch(n=2)
    g_a, g_b = method.generators
    d_a, d_b = method.critics
    torch.manual_seed(0)
    s_a, s_b = torch.randn(2, 8), torch.randn(2, 8)
    with torch.no_grad():
        c_a, c_b = g_a.content(a), g_b.content(b)
        x_ab, x_ba = g_b.decode(c_a, s_b), g_a.decode(c_b, s_a)

        def l1(x, y):
            return (x - y).abs().mean().item()

        expected = {
            "realism_a": 2 * sum((m - 1).square().mean().item() for m in d_a(x_ba)),
            "realism_b": 2 * sum((m - 1).square().mean().item() for m in d_b(x_ab)),
            "reconstruction_a": 3 * l1(g_a.decode(c_a, g_a.style(a)), a),
            "reconstruction_b": 3 * l1(g_b.decode(c_b, g_b.style(b)), b),
            "style_a": 5 * l1(g_a.style(x_ba), s_a),
            "style_b": 5 * l1(g_b.style(x_ab), s_b),
            "content_a": 7 * l1(g_b.content(x_ab), c_a),
            "content_b": 7 * l1(g_a.content(x_ba), c_b),
            "cycle_a": 11 * l1(g_a.decode(g_b.content(x_ab), g_a.style(a)), a),
            "cycle_b": 11 * l1(g_b.decode(g_a.content(x_ba), g_b.style(b)), b),
        }
    draws = iter([s_a, s_b])
    method._draw_style = lambda like: next(draws)
    logs = method._update_generators([a, b])
    assert {name: value.item() for name, value in logs.items()} == pytest.approx(expected, rel=1e-4)


def test_a_discriminator_judges_its_own_domain():
    method = munit()
    a, b = random_batch(n=2)
    drawn = iter(torch.zeros(2, 2, 8))
    method._draw_style = lambda like: next(drawn)
    with torch.no_grad():
        g_a, g_b = method.generators
        x_ba = g_a.decode(g_b.content(b), torch.zeros(2, 8))
        of_fake = sum(m.square().mean() for m in method.critics[A](x_ba))
        of_real = sum((m - 1).square().mean() for m in method.critics[A](a))
    logs = method._update_critics([a, b])
    torch.testing.assert_close(logs["critic_a"], of_fake + of_real)


def test_each_update_moves_its_own_networks():
    method = munit()
    a, b = random_batch(n=2)
    for update, moved, still in (
        (method._update_critics, method.critics, method.generators),
        (method._update_generators, method.generators, method.critics),
    ):
        before = [[p.clone() for p in nets.parameters()] for nets in (moved, still)]
        update([a, b])
        after = [list(nets.parameters()) for nets in (moved, still)]
        changed = [
            [not torch.equal(p, q) for p, q in zip(*pair, strict=True)]
            for pair in zip(before, after, strict=True)
        ]
        assert any(changed[0])
        assert not any(changed[1])


@pytest.mark.parametrize("steps", [10, 20])
def test_the_learning_rate_is_halved_ten_times_less_one(faces, steps):
    method = munit(learning_rate=1e-3, decay_every=0.1)
    step, rates = method.training_step, []

    def seen(batch):
        logs = step(batch)
        rates.append({g["lr"] for o in method.optimizers().values() for g in o.param_groups})
        return logs

    method.training_step = seen
    train(method, faces, steps=steps, flops_per_step=1, seed=0, precision="fp32")
    assert rates == [{1e-3 * 0.5 ** (at * 10 // steps)} for at in range(steps)]


def test_published_decay_is_that_of_the_released_code():
    method = MUNIT.load()
    assert method(Spec(32), method.Config(width=4))._steps_to_halve == 100_000


def test_removing_uses_the_mean_style_of_a():
    method = munit()
    a, b = random_batch(n=2)
    styles = []
    for _ in range(2):
        styles.append(method.generators[A].style(a).mean(0).detach())
        method.training_step([a, b])
        torch.testing.assert_close(method.mean_styles[A], torch.stack(styles).mean(0))
    method.eval()
    with torch.no_grad():
        content = method.encode(b, B).common
        kept = method.decode(Codes(content, method.mean_styles[A].expand(2, -1)), A)
        assert torch.equal(method.remove(b), kept)


def test_initial_weights():
    method = MUNIT.load()
    torch.manual_seed(0)
    model = method(Spec(32), method.Config(width=32))
    content, critic = model.generators[B].content, model.critics[B]
    weights = [m.weight for m in content.modules() if isinstance(m, torch.nn.Conv2d)]
    for weight in weights[2:]:
        assert weight.std().item() == pytest.approx(math.sqrt(2 / weight[0].numel()), rel=0.05)
    weights = [m.weight for m in critic.modules() if isinstance(m, torch.nn.Conv2d)]
    assert weights[2].std().item() == pytest.approx(0.02, rel=0.05)
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    assert not any(bias.any() for bias in biases)
    norms = [p for name, p in model.named_parameters() if "up." in name and p.dim() == 1
             and name.endswith("weight")]  # fmt: skip
    assert norms
    assert all(0 <= p.min() < p.max() <= 1 for p in norms)


@pytest.mark.parametrize(("size", "sides"), [(16, [1]), (32, [2, 1]), (64, [4, 2, 1])])
def test_scales_that_do_not_fit_are_left_out(size, sides):
    method = MUNIT.load()
    model = method(Spec(size), method.Config(width=4, blocks=1))
    x = torch.zeros(1, 3, size, size)
    assert [m.shape[-1] for m in model.critics[A](x)] == sides
    codes = model.encode(x, A)
    assert codes.common.shape == (1, 16, size // 4, size // 4)
    assert codes.separate.shape == (1, 8)
    assert model.decode(codes, A).shape == x.shape


@pytest.mark.parametrize(
    ("size", "changes", "said"),
    [
        (12, {}, "image size 12"),
        (34, {}, "image size 34"),
        (32, {"scales": 0}, "scales is 0"),
        (32, {"width": 0}, "width is 0"),
        (32, {"decay_every": 0.0}, "decay_every is 0.0"),
    ],
)
def test_what_does_not_fit_is_refused(size, changes, said):
    method = MUNIT.load()
    with pytest.raises(ValueError, match=said):
        method(Spec(size), method.Config(**{"width": 4, **changes}))


def test_it_takes_two_domains():
    method = make_method(MUNIT, spec=Spec(32, domains=3), width=4, blocks=1)
    with pytest.raises(ValueError, match="unpack"):
        method.training_step([*random_batch(), random_batch()[0]])
