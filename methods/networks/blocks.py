"""Network blocks that several methods share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def levels(size: int) -> int:
    """Return the number of blocks of the encoder, for images of `size` x `size` pixels.

    Each block halves the side. From 128 px up (multiples of 64), there are six blocks, as in the
    ICLR'19 reference, and the side of the code grows with the image. Smaller images (8, 16, 32 or
    64 px) have fewer blocks, so that the code is always 2x2.

    Raises:
        ValueError: The size is none of these.
    """
    if size >= 128 and size % 64 == 0:
        return 6
    if size in (8, 16, 32, 64):
        return size.bit_length() - 2
    raise ValueError(f"image size {size} does not fit: use 8, 16, 32, 64 or a multiple of 64")


def pyramid(size: int, width: int) -> list[int]:
    """Return the channels of each block except the last: width, 2 width, 4 width, ..."""
    if width < 1:
        raise ValueError(f"width is {width}, but it must be at least 1")
    return [width << k for k in range(levels(size) - 1)]


def down(channels: Sequence[int]) -> nn.Sequential:
    """Return an encoder of k steps, (N, c0, S, S) -> (N, ck, S/2^k, S/2^k).

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
    """Return a decoder that doubles the side at every step. Its output goes through tanh.

    Each step is a 4x4 transposed convolution of stride 2. Instance norm and ReLU follow every step
    except the last.
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
    """Return the squared ("mse") or absolute ("l1") error, averaged over all elements."""
    losses = {"mse": F.mse_loss, "l1": F.l1_loss}
    return losses[kind](output.to(target.dtype), target)


def full_precision(x: Tensor) -> Tensor:
    """Convert a bfloat16 tensor, as autocast makes it, to float32. Return others unchanged."""
    return x.float() if x.dtype == torch.bfloat16 else x


def binary_cross_entropy(probability: Tensor, target: float) -> Tensor:
    """Return the mean binary cross-entropy between (N,) probabilities and one target.

    The probabilities must not be bfloat16.
    """
    with torch.autocast(probability.device.type, enabled=False):
        return F.binary_cross_entropy(probability, torch.full_like(probability, target))
