"""The mask-based model against `mask2020.json`: its networks alone, which are all that it holds."""

from __future__ import annotations

import pytest
import torch

from bench.contracts.task import Spec
from bench.methods.networks.mask2020 import painted
from tests.helpers import REGISTRY

from .golden_scheme import GOLDEN, deviation, drawn, fill, golden

FORWARD = 2e-5  # the same as for press2019, whose layers these are
FILE = golden("mask2020")


def networks(block: dict) -> dict[str, torch.nn.Module]:
    """Return the filled networks of the size of a block, by their recorded names."""
    size = block["inputs"]["x"]["size"][-1]
    method = REGISTRY.find("method", "mask2020").load()
    model = method(Spec(size), method.Config())
    nets = {
        "E1": model.e1,
        "E2": model.e2,
        "D_A": model.decoder,
        "D_B": model.painter,
        "Disc": model.discriminator,
    }
    for name, net in nets.items():
        fill(net, block[name]["base"])
    return nets


def outputs(nets: dict[str, torch.nn.Module], inputs: dict) -> dict[str, dict[str, torch.Tensor]]:
    """Return the outputs of every network under their recorded names."""
    x, code, common = (
        drawn(inputs[name]["seed"], inputs[name]["size"]) for name in ("x", "code", "common")
    )
    side = x.shape[-1] // 64
    maps = code.unflatten(1, (-1, side, side))
    paint, mask = nets["D_B"](maps)
    return {
        "E1": {"out": nets["E1"](x).flatten(1)},
        "E2": {"out": nets["E2"](x).flatten(1)},
        "D_A": {"out": nets["D_A"](maps)},
        "D_B": {"img": painted(x, paint, mask), "mask": mask.expand_as(x)},
        "Disc": {"out": nets["Disc"](common)},
    }


@pytest.mark.skipif(not FILE, reason=f"no mask2020.json in {GOLDEN}")
@pytest.mark.parametrize("name", FILE)
class TestMask2020:
    def test_parameters(self, name):
        block = FILE[name]
        for net_name, net in networks(block).items():
            shapes = [tuple(shape) for shape in block[net_name]["shapes"]]
            assert [tuple(p.shape) for p in net.parameters()] == shapes, net_name
            assert sum(p.numel() for p in net.parameters()) == block[net_name]["n_params"]

    @pytest.mark.parametrize("mode", ["eval", "train_dropout_off"])
    def test_forward(self, name, mode):
        block = FILE[name]
        nets = networks(block)
        for net in nets.values():
            net.train(mode != "eval")
        with torch.no_grad():
            found = outputs(nets, block["inputs"])
        largest = {
            f"{net} {output}": deviation(found[net][output], expected)
            for net in nets
            for output, expected in block[net][mode].items()
        }
        for group, value in largest.items():
            print(f"mask2020 {name} {mode} {group}: largest deviation {value:.1e}")
        assert max(largest.values()) < FORWARD, largest
