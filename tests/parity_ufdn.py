"""UFDN against `ufdn.json`: modules, interpolation grids, two traces for each configuration."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest
import torch

from bench.contracts.task import Spec
from tests.helpers import REGISTRY
from tests.ufdn_interpolation import interpolation, three_domain_columns, two_domain_columns

from .golden_scheme import GOLDEN, deviation, drawn, fill, golden, normal, on_step, relative


class Unified:
    """UFDN under the names of its golden file."""

    file = golden("ufdn")
    steps = REGISTRY.find("method", "ufdn").load().published_steps

    def __init__(self, config: dict, schedule: dict | None = None):
        method = REGISTRY.find("method", "ufdn").load()
        parameters = {
            name: [entry["shape"] for entry in net["parameter_order"]]
            for name, net in config["networks"].items()
        }
        self.face = config["kind"] == "face"
        *widths, latent = config["shape_spec"][2]
        feature = [shape[0] for shape in parameters["d_feat"] if len(shape) == 2]
        values: dict = {
            "batch_size": Unified.file["batch"],
            "widths": tuple(widths),
            "latent": latent,
            "feature_widths": tuple(feature[:-1]),
        }
        if self.face:
            critic = [shape for shape in parameters["d_pix"] if len(shape) > 1]
            hidden = next(shape[0] for shape in critic if len(shape) == 2)
            values |= {"critic_width": critic[0][0], "critic_hidden": hidden}
        for name, field in self.SCHEDULES.items():
            if schedule and name in schedule:
                values |= field(**schedule[name])
        make = method.Config if self.face else method.Config.digits
        self.model = method(Spec(config["img_size"], 3, feature[-1]), make(**values))
        self.nets = {"vae": self.model.vae, "d_feat": self.model.feature}
        if self.face:
            self.nets["d_pix"] = self.model.critic
        else:
            self.nets["d_digit"] = self.model.classifier
        for net in self.nets.values():
            fill(net, Unified.file["base"])
        self.draws = iter(())
        self.model._normal = lambda like: next(self.draws)

    SCHEDULES = {  # noqa: RUF012 - the schedule's fields as the config names them
        "pix_recon": lambda init, final, step: {
            "reconstruction_start": init,
            "reconstruction_weight": final,
            "reconstruction_ramp": step / Unified.steps,
        },
        "kl": lambda init, final, step: {"kl_weight": final},
        "feat_domain": lambda init, final, step: {
            "feature_start": init,
            "feature_weight": final,
            "feature_ramp": step / Unified.steps,
        },
        "gp": lambda init, final, step: {"penalty_weight": final},
        "pix_adv": lambda init, final, step: {
            "pixel_start": init,
            "pixel_weight": final,
            "pixel_ramp": step / Unified.steps,
        },
        "pix_clf": lambda init, final, step: {"pixel_class_weight": final},
    }

    def refresh_norms(self):
        for module in self.model.vae.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()

    def norms(self, expected: dict) -> dict[str, float]:
        """Return deviations of the batch norms' buffers, which the file names by block."""
        found = {}
        for side in ("enc", "dec"):
            sequence = self.model.vae.encoder if side == "enc" else self.model.vae.decoder
            modules = [m for m in sequence if isinstance(m, torch.nn.BatchNorm2d)]
            for at, module in enumerate(modules):
                recorded = expected[f"{side}_{at}.1"]
                for name in ("running_mean", "running_var"):
                    found[f"{side}_{at}.{name}"] = deviation(getattr(module, name), recorded[name])
                assert int(module.num_batches_tracked) == recorded["num_batches_tracked"]
        return found


UNIFIED_CONFIGS = [
    pytest.param(name, config, id=name, marks=() if name.endswith("_small") else pytest.mark.slow)
    for name, config in Unified.file.get("configs", {}).items()
]
UNIFIED_TRACES = [
    pytest.param(*param.values, trace, id=f"{param.id}-{trace}", marks=param.marks)
    for param in UNIFIED_CONFIGS
    for trace in param.values[1]["traces"]
]


@pytest.mark.skipif(not Unified.file, reason=f"no ufdn.json in {GOLDEN}")
class TestUFDN:
    @pytest.mark.parametrize(("name", "config"), UNIFIED_CONFIGS)
    def test_parameters(self, name, config):
        for net, module in Unified(config).nets.items():
            recorded = [tuple(e["shape"]) for e in config["networks"][net]["parameter_order"]]
            assert [tuple(p.shape) for p in module.parameters()] == recorded
            squares = sum(p.detach().double().square().sum() for p in module.parameters())
            assert float(squares**0.5) == pytest.approx(
                config["networks"][net]["l2_norm_after_fill"], rel=1e-9
            )

    @pytest.mark.parametrize(("name", "config"), UNIFIED_CONFIGS)
    def test_modules(self, name, config):
        ufdn = Unified(config)
        model, recorded, seeds = ufdn.model, config["modules"], Unified.file["seeds"]
        n, size, k = Unified.file["batch"], config["img_size"], model.spec.domains
        x = drawn(seeds["x"], (n, 3, size, size))
        z = drawn(seeds["z"], (n, config["zdim"]))
        code = drawn(seeds["code"], (n, k))
        module = sys.modules[REGISTRY.find("method", "ufdn").load().__module__]
        made = {}
        model.eval()
        with torch.no_grad():
            mu, logvar = model.vae.encode(x)
            made["eval_encode_mu"] = mu[:, :, None, None]
            made["eval_encode_logvar"] = logvar[:, :, None, None]
            made["eval_decode_z_code"] = model.vae.decode(z, code)
            made["eval_forward_recon"] = model.vae.decode(mu, code)
            made["eval_return_enc_z"] = mu
            made["d_feat_of_z"] = model.feature(z)
            images = [drawn(seeds[f"interp_img{i}"], (3, size, size)) for i in (1, 2, 3)]
            if ufdn.face:
                made["d_pix_of_x_adv"], made["d_pix_of_x_cls"] = model.critic(x)
                columns = three_domain_columns()
                made["interpolate_3d_attr_max1"] = interpolation(model, images, 12, columns, 4)
            else:
                made["d_digit_of_z"] = model.classifier(z)
                for reach, label in ((1.0, "1"), (1.2, "1.2")):
                    columns = two_domain_columns(reach)
                    made[f"interpolate_2d_attr_max{label}"] = interpolation(
                        model, images[:2], 7, columns, 7
                    )
            ufdn.refresh_norms()
            model.train()
            ufdn.draws = iter([normal(seeds["module_eps"], (n, config["zdim"]))])
            drawn_z, mu, logvar = model._sample(x)
            made["train_forward_mu"], made["train_forward_logvar"] = mu, logvar
            made["train_forward_recon"] = model.vae.decode(drawn_z, code)
        largest = {name: deviation(value, recorded[name]) for name, value in made.items()}
        largest |= ufdn.norms(recorded["bn_after_one_train_forward"])
        losses = recorded["train_forward_losses"]
        mse = torch.nn.functional.mse_loss(made["train_forward_recon"], x)
        largest["mse"] = relative(mse.item(), losses["mse"])
        largest["kl"] = relative(module.kl_divergence(mu, logvar).item(), losses["kl"])
        if ufdn.face:
            alpha = np.random.RandomState(seeds["module_alpha"]).uniform(0, 1, (n, 1))
            alpha = torch.from_numpy(alpha.astype(np.float32))[:, :, None, None]
            model._uniform = lambda like: alpha
            penalty = model.gradient_penalty(x, drawn(seeds["fake"], x.shape)).item()
            largest["penalty"] = relative(penalty, recorded["gradient_penalty_unweighted"])
        unseen = set(recorded) - set(largest) - {
            "inputs", "bn_after_one_train_forward", "train_forward_losses",
            "gradient_penalty_unweighted",
        }  # fmt: skip
        assert not unseen
        print(f"modules: largest deviation {max(largest.values()):.1e}")
        assert max(largest.values()) < 1e-5, largest

    TERMS = {  # noqa: RUF012 - the file's names of what a step logs
        "df_loss": "feature_discriminator",
        "pix_real_pred": "critic_real",
        "pix_fake_pred": "critic_fake",
        "pix_code_loss": "critic_domain",
        "gp_unweighted": "penalty",
        "mse": "reconstruction",
        "kl": "kl",
        "adv_code_loss": "confusion",
        "domain_loss": "confusion",
        "adv_pix_loss": "translated_score",
        "pix_clf_loss": "translated_domain",
        "dg_loss": "classifier",
    }
    WEIGHTS = ("pix_recon", "kl", "feat_domain", "gp", "pix_adv", "pix_clf")

    @pytest.mark.parametrize(("name", "config", "trace"), UNIFIED_TRACES)
    def test_trace(self, name, config, trace):
        block, seeds = config["traces"][trace], Unified.file["seeds"]
        ufdn = Unified(config, block["lambda_schedule"])
        model, n, size = ufdn.model, block["batch_per_domain"], config["img_size"]
        model.train()
        batch, labels = self._inputs(ufdn, n, size)
        norms: dict[str, float] = {}
        owners = {"feature": "d_feat", "critic": "d_pix"}
        owners["main"] = "vae" if ufdn.face else "vae+d_digit"
        for owner, optimizer in model.optimizers().items():
            on_step(optimizer, partial(norms.__setitem__, owners[owner]))

        def draws(step, slots=range(6)):
            shape = (n * len(batch), config["zdim"])
            return (normal(seeds["trace_eps"] + 100 * step + slot, shape) for slot in slots)

        small = name.endswith("_small")
        worst = {"terms": 0.0, "norms": 0.0}
        for record in block["steps"]:
            step = record["step"]
            for weight, value in record["lambda"].items():
                assert model.weights[self.WEIGHTS.index(weight)].item() == value
            ufdn.draws = draws(step)
            alpha = np.random.RandomState(seeds["trace_alpha"] + 100 * step)
            alpha = alpha.uniform(0, 1, (n * len(batch), 1)).astype(np.float32)
            model._uniform = lambda like, a=alpha: torch.from_numpy(a)[:, :, None, None]
            logs = model.training_step(batch, labels)
            first = small or step == 0
            terms = {k: relative(logs[v].item(), record["terms"][k]) for k, v in self.TERMS.items()
                     if k in record["terms"]}  # fmt: skip
            worst["terms"] = max(worst["terms"], *terms.values())
            assert max(terms.values()) < (1e-4 if first else 1e-2), (step, terms)
            found = {k: relative(norms[k], v) for k, v in
                     record["grad_l2_at_optimizer_step"].items()}  # fmt: skip
            worst["norms"] = max(worst["norms"], *found.values())
            assert max(found.values()) < (1e-4 if first else 5e-2), (step, found)
        print(f"trace: largest relative deviation of a loss {worst['terms']:.1e}, "
              f"of a gradient norm {worst['norms']:.1e}")  # fmt: skip
        self._after(ufdn, block["after"], batch, draws, small)

    @staticmethod
    def _inputs(ufdn, n, size):
        seeds = Unified.file["seeds"]
        if ufdn.face:
            gray = drawn(seeds["train_b_or_tgt"], (n, 1, size, size)).repeat(1, 3, 1, 1)
            photo = drawn(seeds["train_a_or_src"], (n, 3, size, size))
            return [photo, gray, drawn(seeds["train_c"], (n, 3, size, size))], None

        def unit(seed, channels):
            values = np.random.RandomState(seed).uniform(0, 1, (n, channels, size, size))
            return torch.from_numpy(values.astype(np.float32)).expand(-1, 3, -1, -1)

        source, target = unit(seeds["train_a_or_src"], 3), unit(seeds["train_b_or_tgt"], 1)
        labels = np.random.RandomState(seeds["train_labels"]).randint(0, 10, 8)[:n]
        return [2 * source - 1, 2 * target - 1], torch.from_numpy(labels)

    @staticmethod
    def _after(ufdn, after, batch, draws, small):
        model = ufdn.model
        model.step -= 1  # the records are of the last step's input
        x, code = model._joined(batch)
        rolled = code.roll(len(batch[0]), 0)
        model.eval()
        with torch.no_grad():
            mu, logvar = model.vae.encode(x)
            made = {
                "eval_recon": model.vae.decode(mu, code),
                "eval_mu": mu,
                "eval_logvar": logvar,
                "eval_translation_rolled_code": model.vae.decode(mu, rolled),
                "d_feat_of_eval_mu": model.feature(mu),
            }
            if ufdn.face:
                made["d_pix_adv"], made["d_pix_cls"] = model.critic(x)
            else:
                made["d_digit_of_eval_mu"] = model.classifier(mu)
            found = {name: deviation(value, after[name]) for name, value in made.items()}
            found |= ufdn.norms(after["bn"])
            assert max(found.values()) < (2e-3 if small else 1e-1), found
            model.train()
            ufdn.draws = draws(3, range(2))
            recon = model.vae.decode(model._sample(x)[0], code)
            moved = model.vae.decode(model._sample(x)[0], rolled)
        train = {
            "train_mode_recon_eps_step3_slot0": recon,
            "train_mode_translation_rolled_code_eps_step3_slot1": moved,
        }
        found = {name: deviation(value, after[name]) for name, value in train.items()}
        print(f"after: largest deviation {max(found.values()):.1e}")
        assert max(found.values()) < (1e-5 if small else 2e-2), found

    @pytest.mark.skipif(
        "face32_small" not in Unified.file.get("configs", {}), reason="the file holds no statistics"
    )
    def test_initialisation(self):
        recorded = Unified.file["configs"]["face32_small"]["official_default_init_stats"]
        torch.manual_seed(0)
        config = Unified.file["configs"]["face32_small"]
        method = type(Unified(config).model)
        model = method(Spec(64, 3, 3), method.Config())
        kinds: dict[str, list[torch.Tensor]] = {}
        for module in model.modules():
            for name in ("weight", "bias"):
                if isinstance(getattr(module, name, None), torch.nn.Parameter):
                    key = f"{type(module).__name__}.{name}"
                    kinds.setdefault(key, []).append(getattr(module, name).flatten())
        for kind in ("Conv2d.weight", "ConvTranspose2d.weight", "BatchNorm2d.weight"):
            values = torch.cat(kinds[kind])
            assert values.std().item() == pytest.approx(recorded[kind]["std"], rel=0.05)
            assert abs(values.mean().item()) < 2e-3
        assert torch.cat(kinds["BatchNorm2d.bias"]).abs().max() == 0
