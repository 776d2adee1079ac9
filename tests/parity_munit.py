"""MUNIT against `munit.json`: both networks at 128 px, with all codes and images."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from bench.contracts.task import Spec
from tests.helpers import REGISTRY

from .golden_scheme import GOLDEN, deviation, drawn, fill, golden

FILE = golden("munit")
TOLERANCE = 1e-5
MODES = ("eval", "train_dropout_off")


def build(size: int):
    method = REGISTRY.find("method", "munit").load()
    model = method(Spec(size), method.Config())
    return model.generators[0], model.critics[0]


def in_order_of_file(generator) -> list[torch.nn.Parameter]:
    """Return the parameters in the order of the file: the norm of a convolution comes first."""
    up = [module for module in generator.up if any(True for _ in module.parameters())]
    for at, (before, after) in enumerate(pairwise(up)):
        if isinstance(before, torch.nn.Conv2d) and not isinstance(after, torch.nn.Conv2d):
            up[at : at + 2] = after, before
    parts = (generator.style, generator.content, generator.residuals, *up, generator.perceptron)
    return [parameter for part in parts for parameter in part.parameters()]


def filled(net: torch.nn.Module, parameters: list[torch.nn.Parameter], recorded: dict) -> None:
    """Set the parameters, which are in the order of the file, by the scheme."""
    assert [list(p.shape) for p in parameters] == recorded["shapes"]
    assert sum(p.numel() for p in parameters) == recorded["n_params"]
    ordered = SimpleNamespace(modules=net.modules, parameters=lambda: iter(parameters))
    fill(ordered, recorded["base"])


@pytest.mark.skipif(not FILE, reason=f"no munit.json in {GOLDEN}")
class TestMUNIT:
    def test_every_group_of_the_file_is_compared(self):
        assert set(FILE) == {"AdaINGen", "MsImageDis", "inputs", "gen", "dis", "part_params"}

    def test_parts_have_the_recorded_parameters(self):
        generator, _ = build(128)
        parts = {
            "enc_style": [generator.style],
            "enc_content": [generator.content],
            "dec": [generator.residuals, generator.up],
            "mlp": [generator.perceptron],
        }
        counts = {
            name: sum(p.numel() for net in nets for p in net.parameters())
            for name, nets in parts.items()
        }
        assert counts == FILE["part_params"]

    @pytest.mark.parametrize("mode", MODES)
    def test_generator(self, mode):
        recorded, inputs = FILE["AdaINGen"], FILE["inputs"]
        x, style = (drawn(inputs[name]["seed"], inputs[name]["size"]) for name in ("x", "style"))
        style = style.flatten(1)
        generator, _ = build(x.shape[-1])
        filled(generator, in_order_of_file(generator), recorded)
        generator.train(mode != "eval")
        with torch.no_grad():
            content, own = generator.content(x), generator.style(x)
            made = {
                "content": content,
                "style": own[:, :, None, None],
                "recon": generator.decode(content, own),
                "cross": generator.decode(content, style),
                "adain_params": generator.perceptron(style),
            }
        assert set(made) == set(recorded[mode])
        found = {name: deviation(value, recorded[mode][name]) for name, value in made.items()}
        for name, value in found.items():
            print(f"{name} {mode}: largest deviation {value:.1e}")
        assert max(found.values()) < TOLERANCE, found

    @pytest.mark.parametrize("mode", MODES)
    def test_discriminator(self, mode):
        recorded, inputs = FILE["MsImageDis"], FILE["inputs"]["x"]
        x = drawn(inputs["seed"], inputs["size"])
        _, critic = build(x.shape[-1])
        filled(critic, list(critic.parameters()), recorded)
        critic.train(mode != "eval")
        with torch.no_grad():
            maps = critic(x)
        pairs = zip(maps, recorded[mode]["out"], strict=True)
        largest = max(deviation(*pair) for pair in pairs)
        print(f"discriminator {mode}: largest deviation {largest:.1e}")
        assert largest < TOLERANCE
