"""Network blocks that several methods share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MANY_WEIGHTS = 1 << 20  # of a layer: from here on, matrix products are faster on 2x2 maps


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


class Halve(nn.Conv2d):
    """A 4x4 convolution of stride 2, (N, C, S, S) -> (N, after, S/2, S/2).

    With many weights, a 2x2 output is a matrix product, which is faster there.
    """

    bias: nn.Parameter

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved maps."""
        if x.shape[2:] != (4, 4) or self.weight.numel() < MANY_WEIGHTS:
            return super().forward(x)
        y = self.weight.flatten(1) @ F.unfold(x, 4, padding=1, stride=2)
        return y.unflatten(2, (2, 2)) + self.bias.to(y.dtype)[:, None, None]


class Double(nn.ConvTranspose2d):
    """A transposed 4x4 convolution of stride 2, (N, C, S, S) -> (N, after, 2S, 2S).

    With many weights, it is a matrix product of a 2x2 input, which is faster there.
    """

    bias: nn.Parameter

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, 2, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the convolved maps."""
        if x.shape[2:] != (2, 2) or self.weight.numel() < MANY_WEIGHTS:
            return super().forward(x, output_size)
        y = F.fold(self.weight.flatten(1).T @ x.flatten(2), (4, 4), 4, padding=1, stride=2)
        return y + self.bias.to(y.dtype)[:, None, None]


def down(channels: Sequence[int]) -> nn.Sequential:
    """Return an encoder of k steps, (N, c0, S, S) -> (N, ck, S/2^k, S/2^k).

    Each step is a 4x4 convolution of stride 2, instance norm and leaky ReLU of slope 0.2.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            Halve(before, after),
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
            Double(before, after),
            nn.InstanceNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers[:-2], nn.Tanh())


class UpsampledConv(nn.Conv2d):
    """Doubles the side by repeating each pixel, then applies a 3x3 convolution without a bias.

    This is one transposed 4x4 convolution of stride 2, with less than half of the multiplications:
    taps of the 3x3 kernel that meet the same pixel are added up first.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, after, 2H, 2W) of (N, before, H, W)."""
        flipped = F.pad(self.weight.flip(2, 3), (1, 1, 1, 1))
        kernel = F.avg_pool2d(flipped, 2, 1, divisor_override=1).transpose(0, 1)
        x = x.contiguous(memory_format=torch.channels_last)  # the faster layout
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)


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
