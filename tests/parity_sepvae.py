"""SepVAE, cVAE and MM-cVAE against `sepvae.json`: networks, operations, float64 traces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bench.contracts.task import Spec
from tests.helpers import REGISTRY

from .golden_scheme import GOLDEN, deviation, drawn, golden, normal, on_step

FILE = golden("sepvae")
TOLERANCE = 1e-7  # float64, relative for sums; measured below 1e-12, other kernels move it
ROWS = torch.tensor([0, 4, 5, 1, 2, 6, 3, 7])  # the mixture of the recorded traces
VARIANTS = {"sep_vae": "sepvae", "con_vae": "cvae", "mm-cvae": "mm_cvae"}
"""The recorded scripts, and the variants that they are."""
SEEDS = "network_seed_base"


def fill(net: nn.Module, seed_base: int) -> None:
    """Set the k-th parameter from the seed base + k.

    Weights have twice the variance of those in the other files, and those of transposed
    convolutions eight times: ReLU networks without norms would swallow the signal.
    """
    transposed = {id(m.weight) for m in net.modules() if isinstance(m, nn.ConvTranspose2d)}
    with torch.no_grad():
        for k, parameter in enumerate(net.parameters()):
            shape = tuple(parameter.shape)
            values = np.random.RandomState(seed_base + k).standard_normal(shape)
            if len(shape) == 1:
                scale = 0.05
            elif id(parameter) in transposed:
                scale = np.sqrt(8 * shape[1] / np.prod(shape))
            else:
                scale = np.sqrt(2 * shape[0] / np.prod(shape))
            parameter.copy_(torch.from_numpy((scale * values).astype(np.float32)))


class Separated:
    """The model of a script under the names of the file."""

    def __init__(self, **config):
        method = REGISTRY.find("method", "sepvae").load()
        self.model = method(Spec(64), method.Config(**config)).train()
        m = self.model
        self.nets = {
            "vae": nn.ModuleList([m.common_encoder, m.salient_encoder, m.decoder, m.classifier]),
            "factor_classifier": m.dependence,
            "common_classifier": m.common_probe,
            "specific_classifier": m.salient_probe,
        }
        for name, net in self.nets.items():
            fill(net, FILE["scheme"][SEEDS][name])
        m.double()
        m._order = lambda x: ROWS

    def parameter(self, name: str) -> torch.Tensor:
        """Return the parameter that the file calls by its official name."""
        net, _, rest = name.partition(".")
        (k,) = (entry["k"] for entry in FILE["params"][net] if entry["official_name"] == rest)
        return list(self.nets[net].parameters())[k]

    def operations(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return everything that the file records of images in [-1, 1], with images in [0, 1]."""
        m = self.model
        found = {}
        for name, x in (("a", a), ("b", b)):
            for code, encoder in (("z", m.common_encoder), ("s", m.salient_encoder)):
                found[f"{code}_mean({name})"], found[f"{code}_logvar({name})"] = encoder(
                    (x + 1) / 2
                )
        made = {
            "reconstruct_a = D[z(a)|0]": m.reconstruct(a, 0),
            "reconstruct_b = D[z(b)|s(b)]": m.reconstruct(b, 1),
            "add = D[z(a)|s(b)]": m.add(a, b),
            "remove = D[z(b)|0]": m.remove(b),
        }
        return found | {name: (image + 1) / 2 for name, image in made.items()}


def images(seeds: dict, n: int) -> list[torch.Tensor]:
    """Return the images of A and B in [-1, 1]."""
    return [drawn(seeds[name], (n, 3, 64, 64), torch.float64) for name in ("a", "b")]


def worded(largest: dict[str, float]) -> str:
    return ", ".join(f"{value:.1e} ({name})" for name, value in largest.items())


def largest_deviation(found: dict, expected: dict) -> float:
    return max(deviation(found[name], value) for name, value in expected.items())


@pytest.mark.skipif(not FILE, reason=f"no sepvae.json in {GOLDEN}")
class TestSepVAE:
    def test_parameters(self):
        for name, net in Separated().nets.items():
            assert sum(p.numel() for p in net.parameters()) == FILE["param_counts"][name]
            recorded = [tuple(entry["shape"]) for entry in FILE["params"][name]]
            assert [tuple(p.shape) for p in net.parameters()] == recorded

    def test_forward(self):
        block = FILE["forward_float64"]
        separated, n = Separated(), block["batch"]
        m = separated.model
        latent = normal(block["seeds"]["latent"], (n, 32)).double()
        a, b = images(block["seeds"], n)
        x = (torch.cat([a, b]) + 1) / 2
        m._normal = lambda like: normal(block["draw_seed"], tuple(like.shape)).double()
        is_target = torch.tensor([[0.0], [0.0], [1.0], [1.0]], dtype=torch.float64)
        with torch.no_grad():
            posterior = m._posterior(x, is_target)
            common, salient = m._split(posterior.code)
            found = {
                "decoder(latent)": m.decoder(latent),
                "vae.classifier(latent[:, 16:])": m.classifier(latent[:, 16:]).sigmoid(),
                "common_classifier(latent[:, :16])": m.common_probe(latent[:, :16]).sigmoid(),
                "factor_classifier(latent)": m.dependence(latent).sigmoid(),
                "vae(cat(a, b), y).reconstruction": m.decoder(
                    torch.cat([common, salient * is_target], 1)
                ),
                "vae(cat(a, b), y).mean": posterior.mean,
                "vae(cat(a, b), y).logvar": posterior.logvar,
                "vae(cat(a, b), y).class": m.classifier(salient).sigmoid(),
                "vae(cat(a, b), y).z": posterior.code,
            }
            operations = separated.operations(a, b)
        found |= {f"encoder(a).{k[:-3]}": v for k, v in operations.items() if k.endswith("(a)")}
        expected = {k: v for k, v in block.items() if isinstance(v, dict) and "shape" in v}
        largest = {
            "forward": largest_deviation(found, expected),
            "operations": largest_deviation(operations, block["operations (means, no sampling)"]),
        }
        print(f"forward, float64: largest deviation {worded(largest)}")
        assert max(largest.values()) < TOLERANCE, largest

    @pytest.mark.parametrize("script", VARIANTS)
    def test_trace(self, script):
        block = FILE["traces_float64"][script]
        assert block["batch"].startswith(f"rows {ROWS.tolist()}")
        separated = Separated(variant=VARIANTS[script])
        m = separated.model
        for name, field in (("alpha", "alpha"), ("beta_c", "beta_c"), ("kappa", "kappa"),
                            ("background_disentanglement_penalty", "common_mmd"),
                            ("salient_disentanglement_penalty", "salient_mmd")):  # fmt: skip
            recorded = block["hyper_parameters"].get(name)
            assert recorded is None or recorded == getattr(m.config, field)
        norms: dict[str, float] = {}
        for owner, optimizer in m.optimizers().items():
            on_step(optimizer, lambda norm, key=owner: norms.__setitem__(key, norm))
        # the scripts draw in both updates of a step, MM-cVAE first for the autoencoder
        numbers = iter(range(6))
        m._normal = lambda like: normal(
            block["draw_seed"] + next(numbers), tuple(like.shape)
        ).double()
        a, b = images(block["seeds"], 4)
        largest = {"losses": 0.0, "gradient norms": 0.0}
        for record in block["per_step"]:
            logs = m.training_step([a, b])
            losses = {
                "bce_common": logs["common_probe"],
                "bce_specific": logs["salient_probe"],
                "bce_factor": logs["dependence"],
                "reconstruction": logs["reconstruction"],
                "kl (weighted)": logs["kl"],
                "clsf": logs["classifier"],
            }
            if "mmd (weighted)" in record:
                losses["mmd (weighted)"] = logs["mmd"]
                losses["loss_vae"] = sum(logs[k] for k in ("reconstruction", "kl", "mmd"))
            else:
                losses["mi = sum relu(log odds), from loss_vae"] = logs["mutual_information"]
                gamma = block["hyper_parameters"]["gamma"]
                assert gamma == (m.config.gamma if script == "sep_vae" else 0)
                losses["loss_vae"] = (
                    logs["reconstruction"]
                    + logs["kl"]
                    + m.config.kappa * logs["mutual_information"]
                    + gamma * logs["classifier"]
                )
            found = {"losses": losses, "gradient norms": {
                "grad_norm_probes": norms["probes"], "grad_norm_vae": norms["main"],
            }}  # fmt: skip
            unseen = record.keys() - {"step"} - {k for values in found.values() for k in values}
            assert not unseen
            for group, values in found.items():
                off = [
                    abs(float(value) - record[k]) / max(1, abs(record[k]))
                    for k, value in values.items()
                    if k in record
                ]
                largest[group] = max(largest[group], *off)
        weights = {k: separated.parameter(k) for k in block["weights_after_last_step"]}
        with torch.no_grad():
            operations = separated.operations(a, b)
        largest["weights"] = largest_deviation(weights, block["weights_after_last_step"])
        largest["operations"] = largest_deviation(
            operations, block["after_last_step (means, no sampling)"]
        )
        print(f"trace {script}, float64: largest deviation {worded(largest)}")
        assert max(largest.values()) < TOLERANCE, largest
