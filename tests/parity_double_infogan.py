"""Double InfoGAN against `double_infogan.json`: networks, operations, float64 traces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from bench.contracts.task import Spec
from tests.helpers import REGISTRY

from .golden_scheme import GOLDEN, deviation, drawn, fill, golden, normal, on_step

FILE = golden("double_infogan")
TOLERANCE = 1e-7  # float64, measured below 1e-12; other kernels move traces by up to 1e-10
TRACES = FILE.get("traces_float64", {})
CELEBA, WITH_CR = "celeba config", "with CR (wcr 1, loop_cr 1)"
(WITHOUT_CR,) = [name for name in TRACES if "CR part left out" in name] or [""]
EVAL = "after_last_step, eval mode (running statistics, no noise)"
TRAIN = "after_last_step, train mode (batch statistics of one domain's n images, noise std 0)"
DRAWS = {"G": 36, "CR": 9, "D": 36}
"""How often the reference draws in each part of a step; the loss of CR comes after that of G."""
UNUSED = 1  # of each update of G and D: the salient code of background images, which is zero


def build(size: int = 64, **config):
    method = REGISTRY.find("method", "double_infogan").load()
    return method(Spec(size), method.Config(**config)).train()


def networks(model) -> dict[str, nn.Module]:
    """Return the networks under the names of the file."""
    nets = {"generator": model.generator, "discriminator": model.discriminator}
    return nets | ({"cr_net": model.coordinate} if model.config.cr_weight else {})


def filled(**config):
    """Return a model in float64 with the weights of the file."""
    model = build(**config)
    for name, net in networks(model).items():
        fill(net, FILE["scheme"]["network_seed_base"][name])
    return model.double()


def norms_of(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def fill_statistics(model) -> None:
    """Set the running statistics that the forward passes in eval mode have."""
    for name, net in networks(model).items():
        entries = iter(FILE["buffers (forward, eval mode only)"][name])
        for module in norms_of(net):
            mean, var = next(entries), next(entries)
            values = 0.1 * np.random.RandomState(mean["seed"]).standard_normal(mean["shape"])
            module.running_mean.copy_(torch.from_numpy(values.astype(np.float32)))
            values = np.random.RandomState(var["seed"]).uniform(0.5, 1.5, var["shape"])
            module.running_var.copy_(torch.from_numpy(values.astype(np.float32)))


def normal_64(seed: int, shape) -> torch.Tensor:
    return normal(seed, tuple(shape)).double()


def draw_from(model, seeds: Iterator[int]) -> None:
    """Replace all random draws of a model by those of seeds, one after the other."""
    for net in list(networks(model).values())[1:]:
        net.normal = lambda like: normal_64(next(seeds), like.shape)
    model._normal = lambda like, n, size: normal_64(next(seeds), (n, size))
    model._which = lambda like, n, size: torch.from_numpy(
        np.random.RandomState(next(seeds)).randint(0, size, n)
    )


def silence(model) -> None:
    for net in list(networks(model).values())[1:]:
        net.noise = 0.0


def judged(model, name: str, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what D says of images, under the names of the file's forward passes."""
    heads = model.discriminator(x)
    return {
        f"{name}.validity": heads.real[:, None],
        f"{name}.class": heads.target[:, None],
        f"{name}.z": heads.common,
        f"{name}.s": heads.salient,
    }


def largest_deviation(found: dict, expected: dict) -> float:
    recorded = {k: v for k, v in expected.items() if isinstance(v, dict) and "shape" in v}
    return max(deviation(found[name], value) for name, value in recorded.items())


def worded(largest: dict[str, float]) -> str:
    return ", ".join(f"{value:.1e} ({name})" for name, value in largest.items())


@pytest.mark.skipif(not FILE, reason=f"no double_infogan.json in {GOLDEN}")
class TestDoubleInfoGAN:
    @pytest.mark.parametrize(
        ("name", "sizes"),
        [
            ("celeba config (z 95, s 5)", {"common": 95, "salient": 5}),
            ("cifar_mnist config (z 64, s 64)", {"common": 64, "salient": 64}),
        ],
    )
    def test_parameters(self, name, sizes):
        nets = networks(build(cr_weight=1.0, **sizes))
        counts = {key: sum(p.numel() for p in net.parameters()) for key, net in nets.items()}
        assert counts == FILE["param_counts"][name]
        if sizes["common"] == 95:
            for key, net in nets.items():
                recorded = [tuple(entry["shape"]) for entry in FILE["params"][key]]
                assert [tuple(p.shape) for p in net.parameters()] == recorded

    @pytest.mark.parametrize(
        ("size", "generator", "discriminator"),
        [(32, 1_068_928, 1_076_992), (128, 7_772_032, 7_788_288)],
    )
    def test_parameters_of_other_sizes(self, size, generator, discriminator):
        model = build(size)
        assert sum(p.numel() for p in model.generator.parameters()) == generator
        assert sum(p.numel() for p in model.discriminator.parameters()) == discriminator

    def test_forward(self):
        block = FILE["forward_float64"]
        seeds, n = block["seeds"], block["batch"]
        a, b = (drawn(seeds[k], (n, 3, 64, 64), torch.float64) for k in ("x_a", "x_b"))
        latent = normal_64(seeds["latent"], (n, 100))
        largest = {}

        def outputs(model):
            return {
                "generator(latent)": model.generator(latent),
                **judged(model, "discriminator(x_a)", a),
                "cr_net(cat(x_a, x_b))": model.coordinate(torch.cat([a, b], 1)),
            }

        with torch.no_grad():
            model = filled(cr_weight=1.0)
            fill_statistics(model)
            model.eval()
            recorded = block["eval_mode (running statistics drawn, no noise)"]
            largest["eval"] = largest_deviation(outputs(model), recorded)
            codes = {"a": model.discriminator(a), "b": model.discriminator(b)}
            operations = {
                **{f"z(x_{k})": heads.common for k, heads in codes.items()},
                **{f"s(x_{k})": heads.salient for k, heads in codes.items()},
                "reconstruct_a = G[z(a)|0]": model.reconstruct(a, 0),
                "reconstruct_b = G[z(b)|s(b)]": model.reconstruct(b, 1),
                "add = G[z(a)|s(b)]": model.add(a, b),
                "remove = G[z(b)|0]": model.remove(b),
            }
            largest["operations"] = largest_deviation(operations, recorded["operations"])

            model = filled(cr_weight=1.0)
            silence(model)
            found = outputs(model)
            first = norms_of(model.generator)[0]
            after = "after this one call (started at"
            found[f"generator first running_mean {after} 0)"] = first.running_mean
            found[f"generator first running_var {after} 1)"] = first.running_var
            recorded = block["train_mode (batch statistics, noise std set to 0)"]
            largest["train"] = largest_deviation(found, recorded)

            model = filled(cr_weight=1.0)
            recorded = block["train_mode with noise (draw i from RandomState(draw_seed + i))"]
            draw_from(model, iter(range(recorded["draw_seed"], recorded["draw_seed"] + 12)))
            largest["noise"] = largest_deviation(outputs(model), recorded)
        print(f"forward, float64: largest deviation {worded(largest)}")
        assert max(largest.values()) < TOLERANCE, largest

    LOSSES = {  # noqa: RUF012 - the file's names, and sums of what a step logs with weights
        "G": {
            "g_loss/g_adv_loss": "generator_adversarial",
            "g_loss/g_class_loss": "generator_class",
            "g_loss/g_info_loss_z": "generator_common",
            "g_loss/g_info_loss_s": "generator_salient",
            "g_loss/g_img_recon_loss": "generator_reconstruction",
            "g_loss/g_cr_loss": "generator_cr",
        },
        "D": {
            "d_loss/d_adv_loss": "discriminator_adversarial",
            "d_loss/d_class_loss": "discriminator_class",
            "d_loss/d_info_loss_z": "discriminator_common",
            "d_loss/d_info_loss_s": "discriminator_salient",
            "d_loss/d_info_loss_s_real_bg": "discriminator_zero",
            "d_loss/d_img_recon_loss": "discriminator_reconstruction",
        },
        "CR": {"Loss/cr_loss": "coordinate_cr"},
    }

    @pytest.mark.parametrize("name", [CELEBA, WITH_CR])
    def test_trace(self, name):
        block, with_cr = TRACES[name], name == WITH_CR
        config = block["config"]
        model = filled(
            batch_size=4,
            cr_weight=config["wcr"],
            background_weight=config["w_bg"],
            target_weight=config["w_t"],
            adversarial_weight=config["wadv"],
            class_weight=config["wc"],
            common_weight=config["wi_z"],
            salient_weight=config["wi_s"],
            zero_weight=config["wi_real_s"],
            reconstruction_weight=config["wii"],
            learning_rate=config["lr_g"],
            discriminator_learning_rate=config["lr_d"],
        )
        draw_from(model, self._draws(block, with_cr))
        norms: dict[str, float] = {}
        for owner, optimizer in model.optimizers().items():
            on_step(optimizer, lambda norm, key=owner: norms.__setitem__(key, norm))
        a, b = (
            drawn(block["seeds"][kind], (4, 3, 64, 64), torch.float64)
            for kind in ("background", "target")
        )
        largest = {"losses": 0.0, "gradient norms": 0.0}
        for record in block["per_step"]:
            logs = model.training_step([a, b])
            for part, owner in (("G", "generator"), ("D", "discriminator"), ("CR", "coordinate")):
                if part not in record:
                    continue
                recorded = record[part]
                off = [
                    abs(float(logs[own]) - recorded[its])
                    for its, own in self.LOSSES[part].items()
                    if own in logs
                ]
                assert len(off) >= len(self.LOSSES[part]) - (not with_cr)
                largest["losses"] = max(largest["losses"], *off)
                norm = abs(norms[owner] - recorded["grad_norm"]) / recorded["grad_norm"]
                largest["gradient norms"] = max(largest["gradient norms"], norm)
        weights = {key: self._parameter(model, key) for key in block["weights_after_last_step"]}
        largest["weights"] = largest_deviation(weights, block["weights_after_last_step"])
        # CR moves running statistics; this implementation leaves it out where its weight is 0
        of_eval = block if with_cr else TRACES[WITHOUT_CR]
        statistics = self._statistics(model)
        recorded = of_eval["running_statistics_after_last_step"]
        largest["running statistics"] = largest_deviation(statistics, recorded)
        calls = 36 if with_cr else 24
        assert all(int(norm.num_batches_tracked) == calls for norm in norms_of(model.generator))
        assert int(norms_of(model.discriminator)[0].num_batches_tracked) == 24
        with torch.no_grad():
            model.eval()
            largest["eval"] = largest_deviation(self._after(model, a, b), of_eval[EVAL])
            silence(model)
            model.train()
            largest["train"] = largest_deviation(self._after(model, a, b), block[TRAIN])
        print(f"trace {name}, float64: largest deviation {worded(largest)}")
        assert max(largest.values()) < TOLERANCE, largest

    @staticmethod
    def _draws(block: dict, with_cr: bool) -> Iterator[int]:
        """Yield the seeds of all draws of a trace that are used."""
        for record in block["per_step"]:
            for part in ("G", "D", *(["CR"] if with_cr else [])):
                first = block["draw_seed"] + record[part]["first_draw"]
                count = DRAWS[part] + (DRAWS["CR"] if part == "G" and with_cr else 0)
                unused = {UNUSED} if part != "CR" else set()
                yield from (first + at for at in range(count) if at not in unused)

    @staticmethod
    def _parameter(model, name: str) -> torch.Tensor:
        net, _, rest = name.partition(".")
        (k,) = (entry["k"] for entry in FILE["params"][net] if entry["official_name"] == rest)
        return list(networks(model)[net].parameters())[k]

    @staticmethod
    def _statistics(model) -> dict[str, torch.Tensor]:
        found = {}
        for net, names in (("generator", ("main.1", "main.4", "main.7", "main.10")),
                           ("discriminator", ("bn2", "bn3", "bn4"))):  # fmt: skip
            for name, module in zip(names, norms_of(networks(model)[net]), strict=True):
                found[f"{net}.{name}.running_mean"] = module.running_mean
                found[f"{net}.{name}.running_var"] = module.running_var
        return found

    @staticmethod
    def _after(model, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
        found = {}
        for letter, x in (("a", a), ("b", b)):
            of_x = judged(model, letter, x)
            found |= {f"{key.split('.')[1]}_{letter}": value for key, value in of_x.items()}
        return found | {
            "reconstruct_a = G[z(a)|0]": model.reconstruct(a, 0),
            "reconstruct_b": model.reconstruct(b, 1),
            "add = G[z(a)|s(b)]": model.add(a, b),
            "remove = G[z(b)|0]": model.remove(b),
        }
