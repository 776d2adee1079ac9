"""DID2019: its spectral norms, its sizes, and what the golden file does not hold."""

from __future__ import annotations

import pytest
import torch

from bench.contracts.method import Codes
from bench.contracts.task import Spec
from bench.methods.networks.did2019 import SpectralConv
from tests.helpers import REGISTRY, make_method, random_batch

PLUGIN = REGISTRY.find("method", "did2019")
SMALL = {"width": 8, "sep": 4}


@pytest.mark.parametrize("turned", [False, True])
def test_the_weight_that_is_used_has_spectral_norm_1(turned):
    """After many steps of power iteration, u' W v is the largest singular value."""
    torch.manual_seed(0)
    layer = SpectralConv(6, 5, turned, "latest").double().train()
    x = torch.rand(1, 6, 4, 4, dtype=torch.float64)
    for _ in range(200):
        layer(x)
    matrix = layer.convolution.weight.flatten(1)
    largest = torch.linalg.matrix_norm(matrix, 2)
    torch.testing.assert_close(layer._norm(), largest, rtol=1e-6, atol=0)
    before = [layer.u.clone(), layer.v.clone()]
    found = layer.eval()(x)
    assert torch.equal(layer.u, before[0])
    assert torch.equal(layer.v, before[1])
    layer.convolution.weight.data /= largest
    assert torch.allclose(found, layer.convolution(x), rtol=1e-5)


@pytest.mark.parametrize("gradient", ["latest", "own"])
def test_the_gradient_of_the_norm_uses_the_right_u_and_v(gradient):
    """A second call before the backward pass changes the gradient of the first if "latest"."""
    torch.manual_seed(0)
    layer = SpectralConv(3, 4, turned=False, gradient=gradient).double().train()
    x = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    layer._iterate()
    norm = layer._norm()
    own = torch.outer(layer.u, layer.v)
    layer(x)
    latest = torch.outer(layer.u, layer.v)
    (found,) = torch.autograd.grad(norm, layer.convolution.weight)
    expected = {"own": own, "latest": latest}
    assert not torch.allclose(own, latest)
    torch.testing.assert_close(found.flatten(1), expected[gradient])


def test_the_union_keeps_what_only_a_has():
    """It decodes both filled slots. Everything else is as without it."""
    transfer, union = (
        make_method(PLUGIN, addition=kind, **SMALL) for kind in ("transfer", "union")
    )
    union.load_state_dict(transfer.state_dict())
    a, b = random_batch()
    for method in (transfer, union):
        method.eval()
    with torch.no_grad():
        codes_a, codes_b = transfer.encode(a, 0), transfer.encode(b, 1)
        assert not codes_a.separate[:, 4:].any()
        assert not codes_b.separate[:, :4].any()
        both = Codes(codes_a.common, codes_a.separate + codes_b.separate)
        assert torch.equal(union.add(a, b), transfer.decode(both, 1))
        assert torch.equal(
            transfer.add(a, b), transfer.decode(Codes(codes_a.common, codes_b.separate), 1)
        )
        assert torch.equal(union.remove(b), transfer.remove(b))
        empty = Codes(codes_b.common, 0 * codes_b.separate)
        assert torch.equal(transfer.remove(b), transfer.decode(empty, 0))


def test_a_copied_slot_holds_the_domains_own_code():
    method = make_method(PLUGIN, empty_slot="copy", **SMALL).eval()
    with torch.no_grad():
        for domain, x in enumerate(random_batch()):
            first, second = method.encode(x, domain).separate.chunk(2, 1)
            assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("size", "common", "separate"),
    [
        (128, [32, 64, 128, 256, 487, 462], [32, 64, 128, 256, 512, 25]),
        (64, [32, 64, 128, 256, 462], [32, 64, 128, 256, 25]),
        (32, [32, 64, 128, 462], [32, 64, 128, 25]),
    ],
)
def test_sizes_below_128_px_drop_blocks(size, common, separate):
    method = PLUGIN.load()
    model = method(Spec(size), method.Config())
    for net, expected in (
        (model.common, common), (model.separate_a, separate), (model.separate_b, separate),
    ):  # fmt: skip
        widths = [x.convolution.out_channels for x in net if isinstance(x, SpectralConv)]
        assert widths == expected
        norms = sum(isinstance(x, torch.nn.InstanceNorm2d) for x in net)
        assert norms == len(expected) - (net is model.common)
    parameters = {32: 3_707_268, 64: 7_902_596, 128: 20_200_331}
    assert sum(p.numel() for p in model.parameters()) == parameters[size]


def test_it_says_what_does_not_fit():
    method = PLUGIN.load()
    with pytest.raises(ValueError, match="sep is 256, but two slots"):
        method(Spec(32), method.Config(sep=256))
    with pytest.raises(ValueError, match="image size 48"):
        method(Spec(48), method.Config())
