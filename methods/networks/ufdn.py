"""The networks of UFDN: a variational autoencoder, a pixel critic and a perceptron."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

SLOPE = 0.2


class VAE(nn.Module):
    """A variational autoencoder. The input of its decoder is the latent and the domain vector.

    The encoder ends in a 1x1 map. Every layer is a 4x4 convolution of stride 2. Batch norm and
    leaky ReLU follow each layer, except the last layer of the encoder and of the decoder.
    """

    def __init__(self, channels: int, widths: list[int], latent: int, domains: int) -> None:
        super().__init__()
        outward = [latent + domains, *reversed(widths)]
        blocks = [
            (nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(SLOPE))
            for a, b in pairwise([channels, *widths])
        ]
        self.encoder = nn.Sequential(*(layer for block in blocks for layer in block))
        self.mu = nn.Conv2d(widths[-1], latent, 4, 2, 1)
        self.logvar = nn.Conv2d(widths[-1], latent, 4, 2, 1)
        turned = [
            (nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(SLOPE))
            for a, b in pairwise(outward)
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


def initialise(net: nn.Module) -> None:
    """Initialise like the released code: weights and batch-norm scales from N(0, 0.02)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.bias)
