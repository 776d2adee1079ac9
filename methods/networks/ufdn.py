"""The networks of UFDN: a variational autoencoder, a pixel critic and a perceptron."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
MOMENTUM = 0.1  # of the running statistics of batch norm


class ToPoint(nn.Conv2d):
    """The 4x4 convolution of stride 2 from a 2x2 map to a 1x1 map.

    Three quarters of the kernel meet only padding. The rest is a matrix product.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, 1, 1) of (N, B, 2, 2)."""
        inner = self.weight[:, :, 1:3, 1:3].flatten(1)
        return F.linear(x.flatten(1), inner, self.bias)[:, :, None, None]


class FromPoint(nn.ConvTranspose2d):
    """The transposed 4x4 convolution of stride 2 from a 1x1 map to a 2x2 map.

    Three quarters of the kernel meet only padding. The rest is a matrix product.
    """

    bias: nn.Parameter

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, 2, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return (N, C, 2, 2) of (N, B, 1, 1)."""
        inner = self.weight[:, :, 1:3, 1:3].flatten(1)
        y = F.linear(x.flatten(1), inner.T).unflatten(1, (-1, 2, 2))
        y = y + self.bias.to(y.dtype)[:, None, None]
        return y.contiguous(memory_format=torch.channels_last)


class VAE(nn.Module):
    """A variational autoencoder. The input of its decoder is the latent and the domain vector.

    The encoder ends in a 1x1 map. Every layer is a 4x4 convolution of stride 2. Batch norm and
    leaky ReLU follow each layer, except the last layer of the encoder and of the decoder.
    """

    def __init__(self, channels: int, widths: list[int], latent: int, domains: int) -> None:
        super().__init__()
        outward = [latent + domains, *reversed(widths)]
        blocks = [
            (nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b, momentum=MOMENTUM), nn.LeakyReLU(SLOPE))
            for a, b in pairwise([channels, *widths])
        ]
        self.encoder = nn.Sequential(*(layer for block in blocks for layer in block))
        self.mu = ToPoint(widths[-1], latent)
        self.logvar = ToPoint(widths[-1], latent)
        turned = [
            (
                FromPoint(a, b) if at == 0 else nn.ConvTranspose2d(a, b, 4, 2, 1),
                nn.BatchNorm2d(b, momentum=MOMENTUM),
                nn.LeakyReLU(SLOPE),
            )
            for at, (a, b) in enumerate(pairwise(outward))
        ]
        self.decoder = nn.Sequential(
            *(layer for block in turned for layer in block),
            nn.ConvTranspose2d(widths[0], channels, 4, 2, 1),
            nn.Tanh(),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and log variance, (N, Z) each, of the latents of (N, C, S, S) images."""
        h = self.encoder(x)
        return self.mu(h).flatten(1), self.logvar(h).flatten(1)

    def decode(self, z: Tensor, code: Tensor) -> Tensor:
        """Return (N, C, S, S) images from latents (N, Z) and domain vectors (N, K)."""
        return self.decoder(torch.cat([z, code.to(z.dtype)], 1)[:, :, None, None])


class PixelCritic(nn.Module):
    """D_x: gives each image a critic score, (N, 1), and domain logits, (N, K). It has no norm."""

    def __init__(self, channels: int, size: int, widths: list[int], hidden: int, k: int) -> None:
        super().__init__()
        blocks = [
            (nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(SLOPE))
            for a, b in pairwise([channels, *widths])
        ]
        side = size >> len(widths)
        self.trunk = nn.Sequential(
            *(layer for block in blocks for layer in block),
            nn.Flatten(),
            nn.Linear(widths[-1] * side * side, hidden),
            nn.LeakyReLU(SLOPE),
        )
        self.adversarial = nn.Linear(hidden, 1)
        self.domain = nn.Linear(hidden, k)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores and the domain logits."""
        h = self.trunk(x)
        return self.adversarial(h), self.domain(h)


def perceptron(widths: list[int]) -> nn.Sequential:
    """Return D_v: linear layers with leaky ReLU between them. The output is logits."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


@contextmanager
def statistics_of(net: nn.Module, passes: int) -> Iterator[None]:
    """Let one pass move the running statistics of batch norm as this many equal passes would.

    With momentum m, k equal passes keep (1 - m)^k of the old statistics.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1 - (1 - MOMENTUM) ** passes
    try:
        yield
    finally:
        for norm in norms:
            norm.momentum = MOMENTUM
            norm.get_buffer("num_batches_tracked").add_(passes - 1)


def initialise(net: nn.Module) -> None:
    """Initialise like the released code: weights and batch-norm scales from N(0, 0.02)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.bias)
