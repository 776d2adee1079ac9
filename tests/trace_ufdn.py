"""Run a training that `ufdn.json` or `ufdn_float64.json` records, and pair its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from unittest import mock

import numpy as np
import torch

from bench.contracts.task import Spec
from tests.helpers import REGISTRY

from .golden_scheme import Pairs, drawn, fill, normal, on_step, pairs_of


class Unified:
    """UFDN under the names of its golden files.

    Args:
        file: The whole file, for its seeds.
        config: One of its configurations.
        schedule: The schedule of the weights of the losses, if the configuration is trained.
        dtype: Of weights and images. Seeded numbers are rounded to float32 in any case.
        changes: What to set against the configuration, to plant a fault.
    """

    steps = REGISTRY.find("method", "ufdn").load().published_steps

    def __init__(
        self,
        file: dict,
        config: dict,
        schedule: dict | None = None,
        dtype: torch.dtype = torch.float32,
        **changes,
    ):
        self.file, self.config, self.dtype = file, config, dtype
        method = REGISTRY.find("method", "ufdn").load()
        parameters = {
            name: [entry["shape"] for entry in net["parameter_order"]]
            for name, net in config["networks"].items()
        }
        self.face = config["kind"] == "face"
        *widths, latent = config["shape_spec"][2]
        feature = [shape[0] for shape in parameters["d_feat"] if len(shape) == 2]
        values: dict = {
            "batch_size": file["batch"],
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
        model = method(Spec(config["img_size"], 3, feature[-1]), make(**values | changes))
        # not .to(float32): that would round the weights of the losses, which are always float64
        self.model = model.double() if dtype == torch.float64 else model
        self.nets = {"vae": self.model.vae, "d_feat": self.model.feature}
        if self.face:
            self.nets["d_pix"] = self.model.critic
        else:
            self.nets["d_digit"] = self.model.classifier
        for net in self.nets.values():
            fill(net, file["base"])
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

    def norms(self, expected: dict) -> Pairs:
        """Return the batch norms' buffers, which the files name by block, beside those recorded."""
        found = {}
        for side in ("enc", "dec"):
            sequence = self.model.vae.encoder if side == "enc" else self.model.vae.decoder
            modules = [m for m in sequence if isinstance(m, torch.nn.BatchNorm2d)]
            for at, module in enumerate(modules):
                recorded = expected[f"{side}_{at}.1"]
                for name in ("running_mean", "running_var"):
                    key = f"{side}_{at}.{name}"
                    found |= pairs_of(key, getattr(module, name), recorded[name])
                assert int(module.num_batches_tracked) == recorded["num_batches_tracked"]
        return found


TERMS = {
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
"""The files' names of what a step logs."""

WEIGHTS = ("pix_recon", "kl", "feat_domain", "gp", "pix_adv", "pix_clf")


class UFDNTrace(Unified):
    """The training of a configuration by one schedule. See `Unified` for the arguments."""

    def __init__(self, file: dict, config: dict, block: dict, dtype: torch.dtype, **changes):
        super().__init__(file, config, block["lambda_schedule"], dtype, **changes)
        self.block, self.size = block, block["batch_per_domain"]
        self.model.train()
        self.batch, self.labels = self._inputs(self.size, config["img_size"])
        self.gradients: dict[str, float] = {}
        owners = {"feature": "d_feat", "critic": "d_pix"}
        owners["main"] = "vae" if self.face else "vae+d_digit"
        for owner, optimizer in self.model.optimizers().items():
            on_step(optimizer, partial(self.gradients.__setitem__, owners[owner]))
        self.filled = {name: self._weights(net) for name, net in self.nets.items()}

    @staticmethod
    def _weights(net: torch.nn.Module) -> torch.Tensor:
        return torch.cat([p.detach().double().flatten() for p in net.parameters()])

    def _inputs(self, n: int, size: int):
        seeds, dtype = self.file["seeds"], self.dtype
        if self.face:
            gray = drawn(seeds["train_b_or_tgt"], (n, 1, size, size), dtype).repeat(1, 3, 1, 1)
            photo = drawn(seeds["train_a_or_src"], (n, 3, size, size), dtype)
            return [photo, gray, drawn(seeds["train_c"], (n, 3, size, size), dtype)], None

        def unit(seed, channels):
            values = np.random.RandomState(seed).uniform(0, 1, (n, channels, size, size))
            return torch.from_numpy(values.astype(np.float32)).to(dtype).expand(-1, 3, -1, -1)

        source, target = unit(seeds["train_a_or_src"], 3), unit(seeds["train_b_or_tgt"], 1)
        labels = np.random.RandomState(seeds["train_labels"]).randint(0, 10, 8)[:n]
        return [2 * source - 1, 2 * target - 1], torch.from_numpy(labels)

    def _draws(self, step: int, slots: int) -> Iterator[torch.Tensor]:
        shape = (self.size * len(self.batch), self.config["zdim"])
        seed = self.file["seeds"]["trace_eps"] + 100 * step
        return (normal(seed + slot, shape, self.dtype) for slot in range(slots))

    def weights_of_losses(self) -> dict[str, float]:
        return dict(zip(WEIGHTS, self.model.weights.tolist(), strict=True))

    def step(self, record: dict) -> Pairs:
        """Make a step of the training, and return its numbers beside those of the record."""
        step, model = record["step"], self.model
        weight = self.weights_of_losses()
        assert record["lambda"].items() <= weight.items()
        self.draws = self._draws(step, 6)
        alpha = np.random.RandomState(self.file["seeds"]["trace_alpha"] + 100 * step)
        alpha = alpha.uniform(0, 1, (self.size * len(self.batch), 1)).astype(np.float32)
        model._uniform = lambda like: torch.from_numpy(alpha).to(self.dtype)[:, :, None, None]
        x = model._joined(self.batch)[0]
        made = []

        def keep(decode, *codes):
            made.append(decode(*codes))
            return made[-1]

        with mock.patch.object(model.vae, "decode", partial(keep, model.vae.decode)):
            logs = model.training_step(self.batch, self.labels)
        found = {k: logs[v].item() for k, v in TERMS.items() if k in record["terms"]}
        found |= self._sums(found, weight)
        assert found.keys() == record["terms"].keys()
        pairs = {f"loss {k}": (v, record["terms"][k]) for k, v in found.items()}
        recorded = record["grad_l2_at_optimizer_step"]
        pairs |= {f"norm {k}": (self.gradients[k], v) for k, v in recorded.items()}
        pairs |= pairs_of("image input", x, record["input_img"])
        # a face step decodes for the critic, to reconstruct, and to be judged; else once
        pairs |= pairs_of("image recon", made[1 if self.face else 0], record["recon_batch"])
        if self.face:
            pairs |= pairs_of("image fake", made[2], record["pixel_phase_fake_img"])
        for name, net in self.nets.items():
            now = self._weights(net)
            length, change = now.norm().item(), (now - self.filled[name]).norm().item()
            pairs[f"weights {name}"] = (length, record["param_l2_after_step"][name])
            pairs[f"weights {name} change"] = (change, record["param_change_l2_since_fill"][name])
        return pairs

    @staticmethod
    def _sums(terms: dict[str, float], weight: dict[str, float]) -> dict[str, float]:
        """Return the losses that the files hold as weighted sums of others."""
        sums = {"recon_loss": weight["pix_recon"] * terms["mse"] + weight["kl"] * terms["kl"]}
        if "domain_loss" in terms:
            return sums | {"adv_loss": weight["feat_domain"] * terms["domain_loss"]}
        penalty = weight["gp"] * terms["gp_unweighted"]
        critic = terms["pix_code_loss"] + terms["pix_fake_pred"] - terms["pix_real_pred"]
        judged = weight["pix_clf"] * terms["pix_clf_loss"]
        return sums | {
            "gp": penalty,
            "d_pix_loss": critic + penalty,
            "feature_loss": weight["feat_domain"] * terms["adv_code_loss"],
            "pixel_loss": judged - weight["pix_adv"] * terms["adv_pix_loss"],
        }

    def evaluation(self, recorded: dict) -> tuple[Pairs, Pairs]:
        """Evaluate a copy of the model on the last step's images.

        Returns:
            The numbers in eval mode and the buffers of batch norms, and the numbers in train mode,
            each beside those recorded.
        """
        assert recorded["lambda_after"].items() <= self.weights_of_losses().items()
        done = int(self.model.step)
        own, self.model = self.model, deepcopy(self.model)
        try:
            return self._evaluate(recorded, done)
        finally:
            self.model = own

    def _evaluate(self, recorded: dict, done: int) -> tuple[Pairs, Pairs]:
        model = self.model
        model.step -= 1
        x, code = model._joined(self.batch)
        rolled = code.roll(self.size, 0)
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
            if self.face:
                made["d_pix_adv"], made["d_pix_cls"] = model.critic(x)
            else:
                made["d_digit_of_eval_mu"] = model.classifier(mu)
            still = self.norms(recorded["bn"])
            for name, value in made.items():
                still |= pairs_of(name, value, recorded[name])
            model.train()
            self.draws = self._draws(done, 2)
            trained = {
                f"train_mode_recon_eps_step{done}_slot0": code,
                f"train_mode_translation_rolled_code_eps_step{done}_slot1": rolled,
            }
            moving = {}
            for name, domain in trained.items():
                picture = model.vae.decode(model._latent(*model.vae.encode(x)), domain)
                moving |= pairs_of(name, picture, recorded[name])
        return still, moving


def all_steps(trace: UFDNTrace) -> Iterator[tuple[str, Pairs, Pairs]]:
    """Train through a trace. Yield the pairs of each step and of each evaluation, by its name.

    The last are those that depend on batch norms' buffers, which cannot be as exact: biases in
    front of a batch norm have no gradient, so Adam moves them by what rounding leaves.
    """
    for record in trace.block["steps"]:
        yield f"step {record['step']}", trace.step(record), {}
        done = record["step"] + 1
        for key in (f"after_{done}_steps", *(["after"] * (record is trace.block["steps"][-1]))):
            if key in trace.block:
                still, moving = trace.evaluation(trace.block[key])
                yield f"after {done} steps", moving, still
