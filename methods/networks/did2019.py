"""The networks of DID: those of the ICLR'19 model with spectral normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Gradient = Literal["latest", "own"]
"""Which u and v the gradient of the spectral norm uses; see `SpectralConv`."""
EPSILON = 1e-12


class SpectralConv(nn.Module):
    """A 4x4 convolution of stride 2, turned round or not, whose weight is W / s, s = u' W v.

    W has one row for each slice along its first axis: an output channel of a convolution, an input
    channel of a transposed one. In train mode, every call first moves v and u by one step of power
    iteration, so s comes close to the largest singular value. In eval mode, u and v stay.

    gradient: the u and v in the gradient of s. "own": those of the call. "latest": those at the
    time of the backward pass, which a later call has moved. The released code does the latter,
    because it replaces u and v behind the back of autograd.
    """

    u: Tensor
    v: Tensor

    def __init__(self, before: int, after: int, turned: bool, gradient: Gradient) -> None:
        super().__init__()
        kind = nn.ConvTranspose2d if turned else nn.Conv2d
        self.convolution = kind(before, after, 4, 2, 1)
        self.gradient = gradient
        rows, columns = self._matrix().shape
        self.register_buffer("u", _unit(torch.randn(rows)))
        self.register_buffer("v", _unit(torch.randn(columns)))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C', S / 2, S / 2) from (N, C, S, S), or (N, C', 2S, 2S) if turned round."""
        with torch.autocast(x.device.type, enabled=False):
            if self.training:
                self._iterate()
            weight = self.convolution.weight / self._norm()
        if isinstance(self.convolution, nn.Conv2d):
            return F.conv2d(x, weight, self.convolution.bias, 2, 1)
        return F.conv_transpose2d(x, weight, self.convolution.bias, 2, 1)

    @torch.no_grad()
    def _iterate(self) -> None:
        matrix = self._matrix()
        self.v.copy_(_unit(matrix.T @ self.u))
        self.u.copy_(_unit(matrix @ self.v))

    def _norm(self) -> Tensor:
        if self.gradient == "latest":
            return _NormWithLatestGradient.apply(self._matrix(), self)  # type: ignore[no-untyped-call]
        return self.u.clone() @ (self._matrix() @ self.v.clone())

    def _matrix(self) -> Tensor:
        return self.convolution.weight.flatten(1)


class _NormWithLatestGradient(torch.autograd.Function):
    """u' W v, whose gradient u v' takes u and v as the layer holds them in the backward pass."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, layer: SpectralConv) -> Tensor:
        ctx.layer = layer
        return layer.u @ (matrix @ layer.v)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * torch.outer(ctx.layer.u, ctx.layer.v), None


def _unit(vector: Tensor) -> Tensor:
    return vector / (vector.norm() + EPSILON)


def down(channels: Sequence[int], gradient: Gradient, plain: int | None = None) -> nn.Sequential:
    """Return an encoder of k steps, (N, c0, S, S) -> (N, ck, S/2^k, S/2^k).

    Each step is a spectral convolution, instance norm and leaky ReLU of slope 0.2. Step number
    `plain`, counted from 1, has no instance norm.
    """
    layers: list[nn.Module] = []
    for step, (before, after) in enumerate(pairwise(channels), 1):
        layers.append(SpectralConv(before, after, turned=False, gradient=gradient))
        layers += [] if step == plain else [nn.InstanceNorm2d(after)]
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*layers)


def up(channels: Sequence[int], gradient: Gradient) -> nn.Sequential:
    """Return a decoder that doubles the side at every step. Its output goes through tanh.

    Each step is a spectral convolution, turned round, instance norm and ReLU. The last step is an
    ordinary transposed convolution.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(channels[:-1]):
        layers += [
            SpectralConv(before, after, turned=True, gradient=gradient),
            nn.InstanceNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    before, after = channels[-2:]
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, after, 4, 2, 1), nn.Tanh())
