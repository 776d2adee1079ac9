"""Blocks that several methods are built of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def levels(size: int) -> int:
    """Return how often images of a side are halved down to the 2x2 code of this family of networks.

    From 128 px up these are the six blocks of the ICLR'19 reference, whose code then grows with the
    side (sizes are multiples of 64). Below it the code stays 2x2 and blocks are dropped.
    """
    if size >= 128 and size % 64 == 0:
        return 6
    if size in (8, 16, 32, 64):
        return size.bit_length() - 2
    raise ValueError(f"image size {size} does not fit: use 8, 16, 32, 64 or a multiple of 64")


def pyramid(size: int, width: int) -> list[int]:
    """Return the channels of all blocks but the innermost, outermost first: width, 2 width, ..."""
    if width < 1:
        raise ValueError(f"width is {width}, but it must be at least 1")
    return [width << k for k in range(levels(size) - 1)]


def down(channels: Sequence[int]) -> nn.Sequential:
    """Return an encoder that halves the side at every step, (N, c0, S, S) -> (N, ck, S/2^k, S/2^k).

    Each step is a 4x4 convolution of stride 2, instance norm and leaky ReLU of slope 0.2.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, 4, 2, 1),
            nn.InstanceNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers)


def up(channels: Sequence[int]) -> nn.Sequential:
    """Return a decoder that doubles the side at every step and ends in tanh.

    Each step is a 4x4 transposed convolution of stride 2; all but the last are followed by instance
    norm and ReLU.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            nn.ConvTranspose2d(before, after, 4, 2, 1),
            nn.InstanceNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers[:-2], nn.Tanh())


def reconstruction_loss(kind: str, output: Tensor, target: Tensor) -> Tensor:
    """Return the mean over all elements of the squared ("mse") or absolute ("l1") error."""
    losses = {"mse": F.mse_loss, "l1": F.l1_loss}
    return losses[kind](output.to(target.dtype), target)


def full_precision(x: Tensor) -> Tensor:
    """Return x as float32 where autocast has made it bfloat16."""
    return x.float() if x.dtype == torch.bfloat16 else x


def binary_cross_entropy(probability: Tensor, target: float) -> Tensor:
    """Return the mean cross entropy of (N,) probabilities, not of bfloat16, to one target."""
    with torch.autocast(probability.device.type, enabled=False):
        return F.binary_cross_entropy(probability, torch.full_like(probability, target))
