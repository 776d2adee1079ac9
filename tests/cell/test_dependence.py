"""The parameters behind a result are counted."""

from __future__ import annotations

import pytest
import torch

from bench.cell.parameter_use import parameters_behind


class _Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Linear(3, 4)
        self.unused = torch.nn.Linear(3, 4)
        self.decoder = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def _frozen(net, x):
    net.encoder.requires_grad_(False)
    return net(x)


def _inference(net, x):
    with torch.inference_mode():
        return net(x)


def _in_place(net, x):
    made = torch.zeros(2, 3)
    made[:1] = net(x)[:1]
    made.add_(net.decoder.bias)
    return made


@pytest.mark.parametrize(
    "how",
    [
        lambda net, x: net(x),
        _frozen,
        torch.no_grad()(lambda net, x: net(x)),
        _inference,
        lambda net, x: net.decoder(net.encoder(x).detach()),
        lambda net, x: net.decoder(net.encoder(x).data.clone()),
        _in_place,
    ],
    ids=["plain", "frozen", "no_grad", "inference_mode", "detach", "data", "in place"],
)
def test_parameters_behind_a_result_are_counted_whatever_becomes_of_gradients(how):
    """Case 11; the network that is not used never counts."""
    net = _Two()
    found = parameters_behind(lambda: how(net, torch.ones(2, 3)), list(net.parameters()))
    wanted = [*net.encoder.parameters(), *net.decoder.parameters()]
    assert {id(p) for p in found} == {id(p) for p in wanted}
