"""The layers and blocks of the networks of DRIT."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def leaky(i: int, o: int, k: int, s: int, p: int, spectral: bool = False) -> nn.Sequential:
    """Return reflection padding, a convolution and a leaky ReLU of slope 0.01, without a norm."""
    conv = normed(nn.Conv2d(i, o, k, s)) if spectral else nn.Conv2d(i, o, k, s)
    return nn.Sequential(nn.ReflectionPad2d(p), conv, nn.LeakyReLU(0.01))


def normed(conv: nn.Conv2d) -> nn.Module:
    """Apply spectral norm: the weight is divided by its largest singular value."""
    return nn.utils.spectral_norm(conv)


def padded(i: int, o: int, k: int = 3, s: int = 1, p: int = 1) -> list[nn.Module]:
    """Return reflection padding and a convolution."""
    return [nn.ReflectionPad2d(p), nn.Conv2d(i, o, k, s)]


def normal_conv(i: int, o: int, k: int, s: int, p: int) -> nn.Sequential:
    """Return a padded convolution, instance norm and ReLU."""
    return nn.Sequential(*padded(i, o, k, s, p), nn.InstanceNorm2d(o), nn.ReLU())


class Residual(nn.Module):
    """A residual block: two padded 3x3 convolutions with instance norm.

    No activation follows the sum.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *padded(n, n), nn.InstanceNorm2d(n), nn.ReLU(), *padded(n, n), nn.InstanceNorm2d(n)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape as x."""
        return x + self.body(x)


class AttributeResidual(nn.Module):
    """A residual block with a second input, a vector (N, n), after each of its convolutions."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*padded(n, n), nn.InstanceNorm2d(n))
        self.second = nn.Sequential(*padded(n, n), nn.InstanceNorm2d(n))
        self.mix_first, self.mix_second = (
            nn.Sequential(nn.Conv2d(2 * n, 2 * n, 1), nn.ReLU(), nn.Conv2d(2 * n, n, 1), nn.ReLU())
            for _ in range(2)
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Return a tensor of the same shape as x, (N, n, H, W)."""
        h = self.mix_first(with_vector(self.first(x), z))
        return self.mix_second(with_vector(self.second(h), z)) + x


class AttributeDown(nn.Module):
    """A pre-activation residual block that halves the side. It has no norm."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2), *padded(i, i), nn.LeakyReLU(0.2), *padded(i, o), nn.AvgPool2d(2)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(i, o, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, o, H/2, W/2)."""
        return self.body(x) + self.shortcut(x)


class ImageLayerNorm(nn.Module):
    """Layer norm over all channels and positions of an image, then a scale for each channel."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape as x."""
        return F.layer_norm(x, x.shape[1:]) * self.weight + self.bias


def double(i: int, o: int) -> nn.Sequential:
    """Return a block that doubles the side."""
    return nn.Sequential(
        nn.ConvTranspose2d(i, o, 3, 2, 1, output_padding=1), ImageLayerNorm(o), nn.ReLU()
    )


def with_vector(x: Tensor, z: Tensor) -> Tensor:
    """Append a vector (N, k) to maps (N, C, H, W) as k constant maps: (N, C + k, H, W)."""
    return torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:]).to(x.dtype)], 1)


def initialise(net: nn.Module) -> None:
    """Draw the weights of all convolutions from N(0, 0.02).

    Other parameters keep the default initialisation of torch.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = getattr(module, "weight_orig", module.weight)
            nn.init.normal_(weight, 0.0, 0.02)
