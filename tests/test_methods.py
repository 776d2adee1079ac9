"""One battery for every method that is found by name. A new method adds no line here."""

from __future__ import annotations

import copy

import pytest
import torch

from bench.cell.training import ImageOrder, autocast, build, flops_of_step, steps_for, train
from bench.contracts.method import Batch
from bench.contracts.task import Spec
from bench.plan.profiles import choose_profile, configure

from .conftest import REGISTRY

METHODS = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("method")]
SMOKE = choose_profile("smoke")
KINDS = 3

SLOW_LEARNERS = {"drit": "reconstruction is one of eight losses, and at first its critics win"}
"""Methods that 150 steps do not bring far below the mean picture's error, and why."""


def make(plugin, size=32, seed=0, **changes):
    config = configure(plugin, SMOKE, [])[1] | {"batch_size": 6} | changes
    method = plugin.load()
    return build(method, Spec(size, kinds=KINDS), method.Config(**config), seed)


def batch(size=32, n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = [torch.rand(n, 3, size, size, generator=generator) * 2 - 1 for _ in range(2)]
    return Batch(images, [torch.zeros(n, dtype=torch.int64), 1 + torch.arange(n) % KINDS])


def outputs(method, a, b):
    """Return everything that a method gives, in eval mode."""
    method.eval()
    with torch.inference_mode():
        codes_a, codes_b = method.encode(a, 0), method.encode(b, 1)
        made = {
            "add": method.add(a, b),
            "remove": method.remove(b),
            "again_a": method.reconstruct(a, 0),
            "again_b": method.reconstruct(b, 1),
            "decoded": method.decode(codes_b, 1),
            "common_a": codes_a.common,
            "common_b": codes_b.common,
        }
        if codes_b.separate is not None:
            made["separate_b"] = codes_b.separate
    return made


@pytest.mark.parametrize("plugin", METHODS)
class TestMethods:
    def test_facts(self, plugin):
        method = plugin.load()
        assert plugin.name == method.name
        assert method.summary
        assert method.paper
        assert isinstance(method.guided, bool)
        assert method.published_steps > 0

    @pytest.mark.parametrize("size", [32, 64, 128])
    def test_shapes_and_ranges(self, plugin, size):
        method = make(plugin, size)
        a, b = batch(size, n=2)
        made = outputs(method, a, b)
        for name in ("add", "remove", "again_a", "again_b", "decoded"):
            assert made[name].shape == a.shape
            assert made[name].abs().max() <= 1
        assert len(made["common_a"]) == len(a)
        assert made["common_a"].shape == made["common_b"].shape

    @pytest.mark.parametrize("n", [1, 3])
    def test_any_number_of_images(self, plugin, n):
        a, b = batch(n=n)
        assert all(len(value) == n for value in outputs(make(plugin), a, b).values())

    def test_same_seed_same_bits(self, plugin):
        first, second = make(plugin), make(plugin)
        for method in (first, second):
            torch.manual_seed(1)
            method.train()
            for step in range(2):
                logs = method.training_step(batch(seed=step))
                assert logs
                assert all(torch.isfinite(value) and value.dim() == 0 for value in logs.values())
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name]), name

    def test_another_seed_is_another_network(self, plugin):
        parameters = zip(make(plugin).parameters(), make(plugin, seed=1).parameters(), strict=True)
        assert any(not torch.equal(p, q) for p, q in parameters)

    def test_training_moves_every_parameter(self, plugin):
        method = make(plugin).train()
        before = copy.deepcopy(method.state_dict())
        for step in range(2):
            method.training_step(batch(seed=step))
        parameters = dict(method.named_parameters())
        # a bias in front of a norm has no gradient
        still = [
            name
            for name, parameter in parameters.items()
            if not name.endswith("bias") and torch.equal(before[name], parameter)
        ]
        assert not still
        owned = [
            id(p) for o in method.optimizers().values() for g in o.param_groups for p in g["params"]
        ]
        assert sorted(owned) == sorted(map(id, parameters.values()))

    def test_batch_mates_do_not_matter(self, plugin):
        method = make(plugin)
        a, b = batch(n=4)
        together = outputs(method, a, b)
        alone = outputs(method, a[1:2], b[1:2])
        for name, value in together.items():
            # a batch is computed with other kernels
            assert torch.allclose(value[1:2], alone[name], atol=1e-4), name

    def test_eval_leaves_the_random_state_alone(self, plugin):
        method = make(plugin)
        before = torch.get_rng_state()
        first = outputs(method, *batch())
        assert torch.equal(before, torch.get_rng_state())
        second = outputs(method, *batch())
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_guided_means_that_the_guide_matters(self, plugin):
        method = make(plugin)
        a, b = batch()
        method.eval()
        with torch.inference_mode():
            differ = not torch.equal(method.add(a, b), method.add(a, b.flip(0)))
        assert differ == plugin.load().guided

    def test_resuming_in_mid_training_gives_the_same_bits(self, plugin):
        straight = make(plugin).train()
        torch.manual_seed(1)
        for step in range(4):
            straight.training_step(batch(seed=step))

        first = make(plugin).train()
        torch.manual_seed(1)
        for step in range(2):
            first.training_step(batch(seed=step))
        state = copy.deepcopy(first.state_dict())
        optimizers = {
            name: copy.deepcopy(optimizer.state_dict())
            for name, optimizer in first.optimizers().items()
        }
        random = torch.get_rng_state()

        second = make(plugin, seed=9).train()
        second.load_state_dict(state)
        for name, optimizer in second.optimizers().items():
            optimizer.load_state_dict(optimizers[name])
        torch.set_rng_state(random)
        for step in range(2, 4):
            second.training_step(batch(seed=step))
        for name, value in straight.state_dict().items():
            assert torch.equal(value, second.state_dict()[name]), name

    def test_learns_a_tiny_set(self, plugin, faces):
        """Eight faces of each domain come back clearly better than their mean picture.

        Of a slow learner, clearly better than before training.
        """
        images = [domain.images[:8].float() / 127.5 - 1 for domain in faces.domains["train"]]
        few = Batch(images, [faces.kinds("train", at)[:8].clamp_max(KINDS) for at in range(2)])
        method = make(plugin, batch_size=8)
        before = outputs(method, *few)
        torch.manual_seed(1)
        well = 0
        for _ in range(6):
            method.train()
            for _ in range(25):
                method.training_step(few)
            errors = self.errors(plugin, few, before, outputs(method, *few))
            well = well + 1 if max(errors.values()) < 0.65 else 0
            if well == 2:  # it has learnt, and keeps it
                return
        raise AssertionError(errors)

    def errors(self, plugin, images, before, after):
        """Return the error of each image that comes back, in units of a useless one's."""
        found = {}
        for image, name in zip(images, ("again_a", "again_b"), strict=True):
            slow = plugin.name in SLOW_LEARNERS
            useless = before[name] if slow else image.mean(0, keepdim=True)
            found[name] = float((after[name] - image).abs().mean() / (useless - image).abs().mean())
        return found

    def test_flops_are_counted_and_leave_no_trace(self, plugin):
        method = make(plugin)
        before = copy.deepcopy(method.state_dict())
        random = torch.get_rng_state()
        flops = flops_of_step(method)
        assert flops == flops_of_step(method) > 1e6
        assert torch.equal(random, torch.get_rng_state())
        assert all(torch.equal(before[k], v) for k, v in method.state_dict().items())
        twice = flops_of_step(make(plugin, batch_size=12))
        assert twice == pytest.approx(2 * flops, rel=0.01)


def test_image_order_is_epochs_of_a_shuffle():
    order = ImageOrder([10, 7], seed=0)
    seen = torch.cat([order.indices(0, step, 4) for step in range(5)])
    assert sorted(seen[:10].tolist()) == list(range(10))
    assert sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()


def test_image_order_is_one_stream_for_every_batch_size():
    order = ImageOrder([10], seed=3)
    by_fours = torch.cat([order.indices(0, step, 4) for step in range(6)])
    by_sixes = torch.cat([order.indices(0, step, 6) for step in range(4)])
    assert torch.equal(by_fours, by_sixes)
    assert not torch.equal(by_fours[:10], ImageOrder([10], seed=4).indices(0, 0, 10))


def test_budget_is_a_whole_number_of_steps():
    assert steps_for(10e9, int(3e9)) == 3
    assert steps_for(1e9, int(3e9)) == 1


def test_a_loss_that_is_not_finite_ends_training(faces):
    from bench.contracts.outputs import DivergedError

    plugin = REGISTRY.find("method", "autoencoder")
    method = make(plugin)
    with torch.no_grad():
        next(method.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="reconstruction is not finite at step"):
        train(method, faces, steps=2, flops_per_step=1, seed=0, precision="fp32")


def test_a_second_pass_in_bf16_sees_the_updated_weights():
    """Autocast's cache would give it the weights from before the update."""
    net = torch.nn.Linear(4, 4)
    x = torch.ones(1, 4)
    with autocast("cpu", "bf16"):
        before = net(x)
        with torch.no_grad():
            net.weight += 1
        after = net(x)
    assert (after - before).abs().min() > 1


def test_a_sure_discriminator_still_has_a_gradient_in_bf16():
    method = make(REGISTRY.find("method", "press2019"))
    with torch.no_grad():
        method.discriminator.classify[2].bias.fill_(9.0)
    a, b = batch()
    with autocast("cpu", "bf16"):
        common = method.e1(torch.cat([a, b]))
        loss = sum(method._confusion(method.discriminator(common)))
    (gradient,) = torch.autograd.grad(loss, common)
    assert gradient.abs().max() > 0


def test_confusion_can_be_the_papers(faces):
    """With the sign flipped, E1 is pushed where the discriminator is wrong about both domains."""
    plugin = REGISTRY.find("method", "press2019")
    method = make(plugin, confusion="adversarial")
    logs = method.training_step(batch())
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
