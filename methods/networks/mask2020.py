"""The networks of the mask-based model: those of ICLR 2019 with batch norm, and a mask decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.methods.networks.blocks import full_precision, levels


def blocks(size: int, code_side: int) -> int:
    """Return the number of blocks of the encoders, for images of `size` x `size` pixels.

    Each block halves the side. There are six for multiples of 64. Smaller images have fewer, so
    that the code is 1x1. With `code_side` 2, the code of images of up to 64 px is 2x2.

    Raises:
        ValueError: The size does not fit.
    """
    return levels(size) + (code_side == 1 and size <= 64)


def down(channels: Sequence[int]) -> nn.Sequential:
    """Return an encoder of k steps, (N, c0, S, S) -> (N, ck, S/2^k, S/2^k).

    Each step is a 4x4 convolution of stride 2, batch norm and leaky ReLU of slope 0.2.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, 4, 2, 1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers)


def up(channels: Sequence[int]) -> nn.Sequential:
    """Return a decoder that doubles the side at every step. Its last output has no activation.

    Each step is a 4x4 transposed convolution of stride 2. Batch norm and leaky ReLU follow every
    step except the last.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.ConvTranspose2d(before, after, 4, 2, 1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers[:-2])


class Painter(nn.Module):
    """P, the mask decoder: from a code, a paint in [-1, 1] and a mask in [0, 1].

    channels: those of the code and of the blocks. image_channels: those of the paint.
    """

    def __init__(self, channels: Sequence[int], image_channels: int) -> None:
        super().__init__()
        self.trunk = up([*channels, 1 + image_channels])

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Return the paint, (N, C, S, S), and the mask, (N, 1, S, S), from the joined codes."""
        h = full_precision(self.trunk(code))
        return torch.tanh(h[:, 1:]), torch.sigmoid(h[:, :1])


def painted(base: Tensor, paint: Tensor, mask: Tensor) -> Tensor:
    """Return the paint where the mask is 1, and the base where it is 0, (N, C, S, S)."""
    return paint * mask + base * (1 - mask)


def code_distance(code: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of two codes."""
    return F.mse_loss(full_precision(code), full_precision(target))
