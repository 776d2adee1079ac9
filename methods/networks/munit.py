"""The networks of MUNIT: encoders of content and style, a decoder, and a discriminator.

All convolutions have reflection padding.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.methods.networks.blocks import full_precision

STYLE_HALVINGS = 4
CRITIC_LAYERS = 4


def conv(i: int, o: int, k: int, s: int = 1) -> list[nn.Module]:
    """Return reflection padding and a k x k convolution that divides the side by s."""
    return [nn.ReflectionPad2d((k - 1) // 2), nn.Conv2d(i, o, k, s)]


def normal_conv(i: int, o: int, k: int, s: int = 1) -> list[nn.Module]:
    """Return a convolution, instance norm without parameters, and ReLU."""
    return [*conv(i, o, k, s), nn.InstanceNorm2d(o), nn.ReLU()]


class Residual(nn.Module):
    """A residual block: two 3x3 convolutions with instance norm. No activation follows the sum."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*normal_conv(n, n, 3), *conv(n, n, 3), nn.InstanceNorm2d(n))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape as x."""
        return x + self.body(x)


class AdaptiveResidual(nn.Module):
    """A residual block whose instance norms take their shift and scale from outside (AdaIN)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*conv(n, n, 3))
        self.second = nn.Sequential(*conv(n, n, 3))

    def forward(self, x: Tensor, parameters: Tensor) -> Tensor:
        """Return a tensor of the same shape as x, (N, n, H, W).

        parameters: (N, 2, 2, n): for each convolution the shifts, then the scales. A scale is taken
        as it is, without adding 1.
        """
        h = adaptive_norm(self.first(x), parameters[:, 0]).relu()
        return x + adaptive_norm(self.second(h), parameters[:, 1])


def adaptive_norm(x: Tensor, parameters: Tensor) -> Tensor:
    """Return instance norm of (N, n, H, W) with the shifts and scales (N, 2, n) of each image."""
    shift, scale = parameters[..., None, None].unbind(1)
    return F.instance_norm(x) * scale + shift


class ImageNorm(nn.Module):
    """A layer norm over all channels and positions of an image, with a scale for each channel.

    It divides by the unbiased standard deviation plus 1e-5. The scales start uniformly in (0, 1).
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(n))
        self.bias = nn.Parameter(torch.zeros(n))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape as x, (N, n, H, W)."""
        flat = full_precision(x).flatten(1)
        normed = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + 1e-5)
        return normed.view_as(x) * self.weight[:, None, None] + self.bias[:, None, None]


class Generator(nn.Module):
    """The autoencoder of a domain: the encoders E^c and E^s, and the decoder G with its MLP."""

    def __init__(
        self, channels: int, width: int, halvings: int, blocks: int, style: int, hidden: int
    ) -> None:
        super().__init__()
        self.style = style_encoder(channels, width, style)
        self.content = content_encoder(channels, width, halvings, blocks)
        n = width << halvings
        self.residuals = nn.ModuleList(AdaptiveResidual(n) for _ in range(blocks))
        layers: list[nn.Module] = []
        for k in reversed(range(halvings)):
            after = width << k
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                *conv(2 * after, after, 5),
                ImageNorm(after),
                nn.ReLU(),
            ]
        self.up = nn.Sequential(*layers, *conv(width, channels, 7), nn.Tanh())
        self.perceptron = nn.Sequential(
            nn.Linear(style, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, blocks * 4 * n),
        )

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        """Return (N, C, S, S) images from content maps and styles, (N, style)."""
        parameters = self.perceptron(style)
        parameters = parameters.view(len(style), len(self.residuals), 2, 2, content.shape[1])
        h = content
        for k, block in enumerate(self.residuals):
            h = block(h, parameters[:, k])
        return self.up(h)


def content_encoder(channels: int, width: int, halvings: int, blocks: int) -> nn.Sequential:
    """Return E^c, whose output is (N, 2^halvings width, S / 2^halvings, S / 2^halvings)."""
    layers = normal_conv(channels, width, 7)
    for before, after in pairwise(width << k for k in range(halvings + 1)):
        layers += normal_conv(before, after, 4, 2)
    return nn.Sequential(*layers, *(Residual(width << halvings) for _ in range(blocks)))


def style_encoder(channels: int, width: int, style: int) -> nn.Sequential:
    """Return E^s, whose output is (N, style).

    It has no norm, because instance norm would remove the statistics that are the style.
    """
    layers: list[nn.Module] = [*conv(channels, width, 7), nn.ReLU()]
    widths = [width << min(k, 2) for k in range(STYLE_HALVINGS + 1)]
    for before, after in pairwise(widths):
        layers += [*conv(before, after, 4, 2), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(widths[-1], style, 1), nn.Flatten()
    )


class Discriminator(nn.Module):
    """Judges the patches of an image at several scales. It has no norm."""

    def __init__(self, channels: int, width: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(self._scale(channels, width) for _ in range(scales))
        self.smaller = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    @staticmethod
    def _scale(channels: int, width: int) -> nn.Sequential:
        widths = [channels, *(width << k for k in range(CRITIC_LAYERS))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [*conv(before, after, 4, 2), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return one map for each scale, (N, 1, S / 16, S / 16) and half the side each."""
        maps = []
        for k, judge in enumerate(self.scales):
            x = self.smaller(x) if k else x
            maps.append(full_precision(judge(x)))
        return maps


def fitting_scales(size: int, scales: int) -> int:
    """Return the number of scales that fit: the smallest image has at least 16 pixels a side.

    Raises:
        ValueError: the size is no multiple of 4 from 16 on, or there is no scale.
    """
    if size < 16 or size % 4:
        raise ValueError(f"image size {size} does not fit: use a multiple of 4 from 16 on")
    if scales < 1:
        raise ValueError(f"scales is {scales}, but it must be at least 1")
    return min(scales, (size >> 4).bit_length())


def initialise(net: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    """Draw the weights of all convolutions and linear layers. Their biases start at 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
