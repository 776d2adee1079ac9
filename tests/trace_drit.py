"""Run a training that `drit.json` or `drit_float64.json` records, and pair its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch

from bench.contracts.task import Spec
from tests.helpers import REGISTRY

from .golden_scheme import Pairs, drawn, fill, normal, on_step, pairs_of

A, B = 0, 1

LOSSES = {
    "disA_loss": "cross_a",
    "disA2_loss": "random_a",
    "disB_loss": "cross_b",
    "disB2_loss": "random_b",
    "disContent_loss": "content_critic",
    "gan_loss_a": "realism_a",
    "gan_loss_b": "realism_b",
    "gan_loss_acontent": "confusion_a",
    "gan_loss_bcontent": "confusion_b",
    "kl_loss_za_a": "attribute_prior_a",
    "kl_loss_za_b": "attribute_prior_b",
    "kl_loss_zc_a": "content_prior_a",
    "kl_loss_zc_b": "content_prior_b",
    "l1_recon_A_loss": "cycle_a",
    "l1_recon_B_loss": "cycle_b",
    "l1_recon_AA_loss": "reconstruction_a",
    "l1_recon_BB_loss": "reconstruction_b",
    "l1_recon_z_loss_a": "latent_a",
    "l1_recon_z_loss_b": "latent_b",
    "gan2_loss_a": "random_realism_a",
    "gan2_loss_b": "random_realism_b",
    "lz_AB": "mode_seeking_b",
    "lz_BA": "mode_seeking_a",
}
"""The files' names of what a step logs."""

SECOND = ("l1_recon_z_loss", "gan2_loss", "lz_")
"""Losses of the second update. With the semantics recompute, they follow an update."""

OPTIMIZERS = {
    "disA": "cross_a",
    "disB": "cross_b",
    "disA2": "random_a",
    "disB2": "random_b",
    "enc_c": "content",
    "enc_a": "attributes",
    "gen": "generator",
}


def build(size: int, **config):
    method = REGISTRY.find("method", "drit").load()
    return method(Spec(size), method.Config(**config))


def networks(model) -> dict[str, torch.nn.Module]:
    """Return the networks under the names of the files."""
    return {
        "enc_c": model.content,
        "enc_a": model.attributes,
        "gen": model.generator,
        "disA": model.cross_critics[A],
        "disB": model.cross_critics[B],
        "disA2": model.random_critics[A],
        "disB2": model.random_critics[B],
        "disContent": model.content_critic,
    }


def fill_network(net: torch.nn.Module, base: int) -> None:
    fill(net, base)
    vectors = [m for m in net.modules() if hasattr(m, "weight_u")]
    for j, module in enumerate(vectors):
        u = np.random.RandomState(base + 150 + j).standard_normal(len(module.weight_u))
        module.weight_u.copy_(torch.from_numpy((u / np.linalg.norm(u)).astype(np.float32)))


def weights_of(net: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().double().flatten() for p in net.parameters()])


class DRITTrace:
    """A model of a trace, whose configuration is in the trace's name.

    Args:
        file: The whole file, for its scheme.
        name: The name of the trace, such as `w16_64_concat1_noms`.
        block: The trace.
        mode: The semantics of the second backward pass.
        dtype: Of weights, images and draws. Seeded numbers are rounded to float32 in any case.
        config: What to set against the trace, to plant a fault.
    """

    def __init__(self, file: dict, name: str, block: dict, mode: str, dtype, **config):
        self.base, self.block, self.dtype = file["scheme"]["base"], block, dtype
        width = 64 if name.startswith("official") else int(name.split("_")[0][1:])
        scales = int(name.split("disscale")[1]) if "disscale" in name else 3
        model = build(
            block["resolution"],
            width=width,
            scales=scales,
            spectral=name.endswith("_sn"),
            concat="concat1" in name,
            mode_seeking=name.split("_noms")[0] == name,
            d_iter=2,
            batch_size=4,
            second_backward=mode,
            **config,
        )
        self.model = model.to(dtype).train()
        self.nets = networks(model)
        for net, module in self.nets.items():
            fill_network(module, self.base + file["scheme"]["network_offset"][net])
            values, recorded = weights_of(module), block["init_weights"][net]
            assert values.mean().item() == pytest.approx(recorded["mean"], abs=1e-9)
            assert values.std(correction=0).item() == pytest.approx(recorded["std"], abs=1e-9)
        shape = (2, 3, block["resolution"], block["resolution"])
        self.images = [drawn(self.base + 2100 + d, shape, dtype) for d in (A, B)]
        self.norms: dict[str, list[float]] = {net: [] for net in OPTIMIZERS}
        for net, owner in OPTIMIZERS.items():
            on_step(model.optimizers()[owner], self.norms[net].append)
        self.passes: list[dict[str, torch.Tensor]] = []
        model._pass = partial(self._kept, model._pass)

    def _kept(self, make, x):
        """Make a forward pass, and keep its tensors under the names of the files."""
        sampled = []

        def keep(draw, *distribution):
            sampled.append(draw(*distribution))
            return sampled[-1]

        draw = self.model._draw_attributes
        with mock.patch.object(self.model, "_draw_attributes", partial(keep, draw)):
            made = make(x)
        tensors = {}
        for d, (letter, small) in enumerate(("Aa", "Bb")):
            tensors |= {
                f"z_content_{small}": made.content[d],
                f"z_attr_{small}": sampled[d],
                f"fake_{letter}_encoded": made.cross[d],
                f"fake_{letter}{letter}_encoded": made.same[d],
                f"fake_{letter}_recon": made.again[d],
            }
            for at, picture in enumerate(made.random[d]):
                tensors[f"fake_{letter}_random{at + 1 if at else ''}"] = picture
        self.passes.append({name: value.detach().clone() for name, value in tensors.items()})
        return made

    def step(self, record: dict) -> Pairs:
        """Make a step of the training, and return its numbers beside those of the record."""
        step, counter = record["step"], iter(range(1000))
        self.model._normal = lambda like: normal(
            self.base + 3000 + 100 * step + next(counter), like.shape, self.dtype
        )
        for found in (*self.norms.values(), self.passes):
            found.clear()
        before = {name: weights_of(net) for name, net in self.nets.items()}
        clipped = []

        def clip(was, *arguments):
            clipped.append(float(was(*arguments)))

        was = torch.nn.utils.clip_grad_norm_
        with mock.patch.object(torch.nn.utils, "clip_grad_norm_", partial(clip, was)):
            logs = self.model.training_step([torch.cat([x, x]) for x in self.images])
        pairs = {"loss content_only": (logs["content_alone"],
                                       record["content_only"]["disContent_loss"])}  # fmt: skip
        unseen = {name for part in ("D", "EG") for name in record[part]} - set(LOSSES)
        assert unseen <= {"G_loss"}
        for part in ("D", "EG"):
            for name in set(record[part]) & set(LOSSES):
                pairs[f"loss {name}"] = (logs[LOSSES[name]], record[part][name])
        first = [logs[LOSSES[k]] for k in set(record["EG"]) & set(LOSSES)
                 if not k.startswith(SECOND)]  # fmt: skip
        pairs["loss G_loss"] = (torch.stack(first).sum(), record["EG"]["G_loss"])
        for at, norm in enumerate(record["disContent_grad_norm_before_clip"]):
            pairs[f"clip {at}"] = (clipped[at], norm)
        assert len(clipped) == 2
        for part, at in (("D", 0), ("EG", 0), ("G_alone", 1)):
            for net, norm in record["grad_l2"].get(part, {}).items():
                pairs[f"norm {part} {net}"] = (self.norms[net][at], norm)
        found = {name: (float(a), float(b)) for name, (a, b) in pairs.items()}
        return found | self._tensors(record) | self._weights(record, before)

    def _tensors(self, record: dict) -> Pairs:
        pairs = {}
        # The scheme of the float32 file is wrong: with recompute, its tensors are of the last pass.
        second = record.get("forward_tensors_second_pass")
        recorded = [record["forward_tensors"], *([second] if second else [])]
        shown = self.passes if second else self.passes[-1:]
        for at, (tensors, expected) in enumerate(zip(shown, recorded, strict=True)):
            assert expected.keys() == tensors.keys()
            for name, values in expected.items():
                pairs |= pairs_of(f"pass {at} {name}", tensors[name], values)
        return pairs

    def _weights(self, record: dict, before: dict[str, torch.Tensor]) -> Pairs:
        pairs = {}
        for name, expected in record["weights_after"].items():
            now = weights_of(self.nets[name])
            pairs |= pairs_of(f"weights {name}", now, expected)
            change = (now - before[name]).abs().mean().item()
            pairs[f"weights {name} change"] = (change, expected["mean_abs_change_this_step"])
        return pairs

    def translations(self, recorded: dict) -> Pairs:
        """Return the numbers of four images, made in eval mode, beside those recorded."""
        model, base, pairs = self.model.eval(), self.base, {}
        a, b = self.images[A][:1], self.images[B][:1]
        shape = (1, model.config.nz)
        with torch.no_grad():
            for direction, x, y, domain in (("a2b", a, b, B), ("b2a", b, a, A)):
                content = model.content(x, 1 - domain)
                # draw 0 is of the attributes of A's image, draw 1 of B's
                eps = normal(base + 3900 + domain, shape, self.dtype)
                model._normal = lambda like, eps=eps: eps
                z = model._draw_attributes(*model.attributes(y, domain))
                other = normal(base + 3950, shape, self.dtype)
                for name, code in (("transfer", z), ("random", other)):
                    picture = model.generator(content, code, domain)
                    key = f"{name}_{direction}"
                    pairs |= pairs_of(f"image {key}", picture, recorded[key])
        model.train()
        return pairs


def all_steps(trace: DRITTrace) -> Iterator[tuple[str, Pairs]]:
    """Train through a trace. Yield the pairs of each step and of each evaluation, by its name."""
    for record in trace.block["steps"]:
        yield f"step {record['step']}", trace.step(record)
        done = record["step"] + 1
        if f"eval_after_{done}_steps" in trace.block:
            found = trace.translations(trace.block[f"eval_after_{done}_steps"])
            yield f"after {done} steps", found
    found = trace.translations(trace.block["eval_after_last_step"])
    yield f"after {len(trace.block['steps'])} steps", found
