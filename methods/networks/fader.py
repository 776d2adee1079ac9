"""The networks of Fader Networks: an autoencoder, a latent discriminator and two optional critics.

A block is a 4x4 convolution of stride 2, batch norm and a leaky ReLU. It halves the side. The
number of channels doubles from block to block, up to a limit.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.methods.networks.blocks import full_precision

SLOPE = 0.2
DROPOUT = 0.3
PATCH_BLOCKS = 4


def doubling(first: int, blocks: int) -> list[int]:
    """Return the channels of each block: first, 2 first, 4 first, ... up to 16 first.

    Raises:
        ValueError: the number of channels is below 1.
    """
    if first < 1:
        raise ValueError(f"width is {first}, but it must be at least 1")
    return [first * min(1 << k, 16) for k in range(blocks)]


def block(before: int, after: int, norm: bool = True, stride: int = 2) -> nn.Sequential:
    """Return a block, (N, before, S, S) -> (N, after, S / 2, S / 2) at stride 2."""
    layers: list[nn.Module] = [nn.Conv2d(before, after, 4, stride, 1)]
    if norm:
        layers.append(nn.BatchNorm2d(after))
    return nn.Sequential(*layers, nn.LeakyReLU(SLOPE))


def encoder(channels: int, widths: list[int]) -> nn.Sequential:
    """Return the encoder, with one block for each width. The first block has no norm."""
    pairs = pairwise([channels, *widths])
    return nn.Sequential(*(block(a, b, norm=k > 0) for k, (a, b) in enumerate(pairs)))


class Decoder(nn.Module):
    """Mirrors the encoder. Each layer gets the domain vector as K more constant input maps.

    A layer is a 4x4 transposed convolution of stride 2 without bias, batch norm and ReLU. The last
    layer has no norm and ends in tanh.
    """

    def __init__(self, channels: int, widths: list[int], domains: int) -> None:
        super().__init__()
        *inner, last = pairwise([*reversed(widths), channels])
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(a + domains, b, 4, 2, 1, bias=False),
                nn.BatchNorm2d(b),
                nn.ReLU(),
            )
            for a, b in inner
        )
        self.layers.append(
            nn.Sequential(
                nn.ConvTranspose2d(last[0] + domains, last[1], 4, 2, 1, bias=False), nn.Tanh()
            )
        )

    def forward(self, code: Tensor, domain: Tensor) -> Tensor:
        """Return (N, C, S, S) images from codes, (N, Z, s, s), and domain vectors, (N, K)."""
        h = code
        for layer in self.layers:
            maps = domain[:, :, None, None].expand(-1, -1, *h.shape[2:])
            h = layer(torch.cat([h, maps.to(h.dtype)], 1))
        return h


def classifying(blocks: list[nn.Module], features: int, labels: int) -> nn.Sequential:
    """Return blocks whose output is (N, features, 1, 1) and two linear layers: (N, labels)."""
    return nn.Sequential(
        *blocks,
        nn.Flatten(),
        nn.Linear(features, features),
        nn.LeakyReLU(SLOPE),
        nn.Linear(features, labels),
    )


def latent_discriminator(widths: list[int], side: int, domains: int) -> nn.Sequential:
    """Return the network that predicts the domain from a code: logits, (N, K).

    It goes on where the encoder ends: blocks with dropout, until the map is 1x1.

    Args:
        widths: the channels of all blocks of the encoder and of this network.
        side: the side of the code.
        domains: K.
    """
    count = side.bit_length() - 1
    inputs = widths[len(widths) - count - 1 :]
    blocks: list[nn.Module] = [
        nn.Sequential(*block(a, b), nn.Dropout(DROPOUT)) for a, b in pairwise(inputs)
    ]
    return classifying(blocks, widths[-1], domains)


def classifier(channels: int, widths: list[int], domains: int) -> nn.Sequential:
    """Return the network that predicts the domain of an image: logits, (N, K)."""
    return classifying([encoder(channels, widths)], widths[-1], domains)


class PatchDiscriminator(nn.Module):
    """Predicts the probability that an image is real, (N,): the mean over patches.

    It runs in full precision, because the sigmoid of large values is 1 in bfloat16.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        widths = [channels, *doubling(width, PATCH_BLOCKS)]
        self.patches = nn.Sequential(
            *(
                block(a, b, norm=k > 0, stride=1 if k == PATCH_BLOCKS - 1 else 2)
                for k, (a, b) in enumerate(pairwise(widths))
            ),
            nn.Conv2d(widths[-1], 1, 4, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N,) probabilities for (N, C, S, S) images, S at least 32."""
        with torch.autocast(x.device.type, enabled=False):
            return full_precision(self.patches(full_precision(x))).sigmoid().flatten(1).mean(1)
