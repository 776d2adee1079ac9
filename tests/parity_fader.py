"""Fader Networks against `fader.json`: every network, in eval mode and with batch statistics."""

from __future__ import annotations

import pytest
import torch

from bench.contracts.task import Spec
from tests.helpers import REGISTRY

from .golden_scheme import GOLDEN, deviation, drawn, fill, golden

FILE = golden("fader")
TOLERANCE = 1e-5
CRITICS = {
    "LatentDiscriminator": "latent",
    "PatchDiscriminator": "patch",
    "Classifier": "classifier",
}
"""The critics by their names in the file."""
CASES = [
    pytest.param(block, name, mode, id=f"{group}-{name}-{mode}")
    for group, block in FILE.items()
    for name in ("AutoEncoder", *CRITICS)
    for mode in ("eval", "train_dropout_off")
]


def build(size: int):
    method = REGISTRY.find("method", "fader").load()
    return method(Spec(size), method.Config(patch_weight=1.0, classifier_weight=1.0))


def filled(model, name: str, recorded: dict) -> torch.nn.Module:
    """Return a recorded network with the weights of the scheme."""
    if name == "AutoEncoder":
        net: torch.nn.Module = torch.nn.ModuleList([model.encoder, model.decoder])
    else:
        net = model.critics[CRITICS[name]]
    assert [list(p.shape) for p in net.parameters()] == recorded["shapes"]
    assert sum(p.numel() for p in net.parameters()) == recorded["n_params"]
    fill(net, recorded["base"])
    return net


def in_mode(net: torch.nn.Module, mode: str) -> None:
    """Set the mode of a network. In train mode, only dropout stays off."""
    net.train(mode == "train_dropout_off")
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()


def outputs_of_layers(model, x: torch.Tensor, y: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """Return the output of each layer of the autoencoder, under the names of the file."""
    seen: dict[str, list[torch.Tensor]] = {"enc": [], "dec": []}
    for key, layers in (("enc", model.encoder), ("dec", model.decoder.layers)):
        for layer in layers:
            layer.register_forward_hook(lambda _, __, output, key=key: seen[key].append(output))
    model.decoder(model.encoder(x), y)
    return seen


@pytest.mark.skipif(not FILE, reason=f"no fader.json in {GOLDEN}")
class TestFader:
    def test_every_group_of_the_file_is_compared(self):
        assert all(set(block) == {"AutoEncoder", *CRITICS, "input"} for block in FILE.values())

    @pytest.mark.parametrize(("block", "name", "mode"), CASES)
    def test_networks(self, block, name, mode):
        recorded = block[name]
        inputs = recorded.get("input", block["input"])
        x = drawn(inputs["seed"], inputs["size"])
        model = build(block["input"]["size"][-1])
        net = filled(model, name, recorded)
        in_mode(net, mode)
        with torch.no_grad():
            if name == "AutoEncoder":
                made = outputs_of_layers(model, x, torch.tensor(inputs["y"]))
                expected = recorded[mode]
            else:
                made, expected = {"out": [net(x)]}, {"out": [recorded[mode]["out"]]}
        largest = max(
            deviation(*pair)
            for key, records in expected.items()
            for pair in zip(made[key], records, strict=True)
        )
        print(f"{name} {mode}: largest deviation {largest:.1e}")
        assert largest < TOLERANCE
