"""The networks of Double InfoGAN: DCGAN networks without biases, noise before convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.methods.networks.blocks import full_precision


def channels_for(size: int, width: int) -> list[int]:
    """Return the channels of the layers that halve S x S images down to 4x4 maps.

    They double from `width` to at most 8 times that. At 64 px the released code has four layers.
    """
    if width < 1:
        raise ValueError(f"width is {width}, but it must be at least 1")
    halvings = size.bit_length() - 3
    if halvings < 1 or size != 4 << halvings:
        raise ValueError(f"image size {size} does not fit: use a power of two from 8 on")
    return [width << min(k, 3) for k in range(halvings)]


def generator(latent: int, widths: Sequence[int], channels: int) -> nn.Sequential:
    """Return G, (N, latent) -> (N, 3, S, S) in (-1, 1). Its widths are those of D, reversed."""
    first, last = widths[-1], widths[0]
    layers: list[nn.Module] = [
        nn.Unflatten(1, (latent, 1, 1)),
        nn.ConvTranspose2d(latent, first, 4, bias=False),
    ]
    for before, after in pairwise(reversed(widths)):
        layers += [
            nn.BatchNorm2d(before),
            nn.ReLU(),
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
        ]
    layers += [nn.BatchNorm2d(last), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.ConvTranspose2d(last, channels, 4, 2, 1, bias=False), nn.Tanh()
    )


class Trunk(nn.Module):
    """Images (N, C, S, S) -> maps (N, C', 4, 4), with noise before every convolution in training.

    noise: the deviation of the noise. normal: draws it, in the shape of a tensor.
    """

    def __init__(self, channels: int, widths: Sequence[int], noise: float) -> None:
        super().__init__()
        self.noise = noise
        self.normal: Callable[[Tensor], Tensor] = torch.randn_like
        self.stages = nn.ModuleList()
        for at, (before, after) in enumerate(pairwise([channels, *widths])):
            norm = [nn.BatchNorm2d(after)] if at else []
            convolution = nn.Conv2d(before, after, 4, 2, 1, bias=False)
            self.stages.append(nn.Sequential(convolution, *norm, nn.LeakyReLU(0.2)))

    def noisy(self, x: Tensor) -> Tensor:
        """Return x with noise in train mode, x itself in eval mode."""
        return x + self.noise * self.normal(x) if self.training and self.noise else x

    def maps(self, x: Tensor) -> Tensor:
        """Return the maps of images."""
        for stage in self.stages:
            x = stage(self.noisy(x))
        return x


class Heads(NamedTuple):
    """What D says of N images: two probabilities, (N,), and two codes, (N, common), (N, salient).

    real: that an image is real. target: that it is not of domain A.
    """

    real: Tensor
    target: Tensor
    common: Tensor
    salient: Tensor


class Discriminator(Trunk):
    """D: discriminator, classifier of domains and encoder in one. Each head has its own noise."""

    def __init__(self, channels: int, widths: Sequence[int], common: int, salient: int) -> None:
        super().__init__(channels, widths, noise=0.2)
        self.heads = nn.ModuleList(
            nn.Conv2d(widths[-1], outputs, 4, bias=False) for outputs in (1, 1, common, salient)
        )

    def forward(self, x: Tensor) -> Heads:
        """Return the outputs of the four heads, never in bfloat16."""
        h = self.maps(x)
        real, target, common, salient = (
            full_precision(head(self.noisy(h))).flatten(1) for head in self.heads
        )
        return Heads(real.flatten().sigmoid(), target.flatten().sigmoid(), common, salient)


class Coordinate(Trunk):
    """CR: says which coordinate of the salient code two images share; (N, salient) logits."""

    def __init__(self, channels: int, widths: Sequence[int], salient: int) -> None:
        super().__init__(2 * channels, widths, noise=0.1)
        self.head = nn.Conv2d(widths[-1], salient, 4, bias=False)

    def forward(self, pair: Tensor) -> Tensor:
        """Return the logits of pairs of images, (N, 2C, S, S)."""
        return full_precision(self.head(self.maps(pair))).flatten(1)


def initialise(net: nn.Module) -> None:
    """Draw the weights of convolutions from N(0, 0.02). Norms stay at 1 and 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
