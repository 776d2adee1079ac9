"""The networks of DRIT: encoders of content and attributes, generators, discriminators."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from bench.methods.networks.drit_blocks import (
    AttributeDown,
    AttributeResidual,
    Residual,
    double,
    leaky,
    normal_conv,
    normed,
    padded,
    with_vector,
)

A, B = 0, 1


class ContentEncoder(nn.Module):
    """The content encoder: one branch per domain, then a shared block.

    Its output is (N, 4w, H/4, W/4), without the training noise.
    """

    def __init__(self, channels: int, w: int) -> None:
        super().__init__()
        self.shared = Residual(4 * w)
        self.branches = nn.ModuleList(
            nn.Sequential(
                leaky(channels, w, 7, 1, 3),
                normal_conv(w, 2 * w, 3, 2, 1),
                normal_conv(2 * w, 4 * w, 3, 2, 1),
                *(Residual(4 * w) for _ in range(3)),
            )
            for _ in (A, B)
        )

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """Return the content maps of (N, 3, H, W) images of one domain."""
        return self.shared(self.branches[domain](x))

    def both(self, x: list[Tensor]) -> list[Tensor]:
        """Return the content maps of equally many images of A and of B."""
        branched = [branch(images) for branch, images in zip(self.branches, x, strict=True)]
        return list(self.shared(torch.cat(branched)).chunk(2))


class VariationalAttributes(nn.Module):
    """The attribute encoder of `concat`: mean and log variance, (N, nz) each.

    Each domain has its own network.
    """

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        self.domains = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Linear(4 * w, nz),
                    nn.Linear(4 * w, nz),
                    nn.Sequential(
                        *padded(channels, w, 4, 2),
                        *(AttributeDown(w * k, w * (k + 1)) for k in (1, 2, 3)),
                        nn.LeakyReLU(0.2),
                        nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(),
                    ),
                ]
            )
            for _ in (A, B)
        )

    def forward(self, x: Tensor, domain: int) -> tuple[Tensor, Tensor]:
        """Return the mean and log variance of the attributes of images of one domain."""
        mean, logvar, trunk = self.domains[domain].children()
        h = trunk(x)
        return mean(h), logvar(h)


class PlainAttributes(nn.Module):
    """The attribute encoder without `concat`: a deterministic vector (N, nz)."""

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        widths = (w, 2 * w, 4 * w, 4 * w, 4 * w)
        self.domains = nn.ModuleList(
            nn.Sequential(
                *padded(channels, w, 7, 1, 3),
                nn.ReLU(),
                *(layer for i, o in pairwise(widths) for layer in (*padded(i, o, 4, 2), nn.ReLU())),
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(4 * w, nz, 1),
                nn.Flatten(),
            )
            for _ in (A, B)
        )

    def forward(self, x: Tensor, domain: int) -> tuple[Tensor, None]:
        """Return the attributes of images of one domain, and None for the log variance."""
        return self.domains[domain](x), None


class ConcatGenerator(nn.Module):
    """The generator of `concat`: the attributes are appended to every feature map.

    A block for both domains comes first. It does not see the attributes.
    """

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        wide = 4 * w + nz
        half = (wide + nz) // 2
        quarter = (half + nz) // 2
        self.shared = Residual(4 * w)
        self.domains = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Sequential(*(Residual(wide) for _ in range(3))),
                    double(wide + nz, half),
                    double(half + nz, quarter),
                    nn.ConvTranspose2d(quarter + nz, channels, 1),
                ]
            )
            for _ in (A, B)
        )

    def forward(self, content: Tensor, z: Tensor, domain: int) -> Tensor:
        """Return images of one domain, (N, 3, H, W) in (-1, 1)."""
        return self.paint(self.shared(content), z, domain)

    def paint(self, h: Tensor, z: Tensor, domain: int) -> Tensor:
        """Return images from the output of the shared block."""
        for layer in self.domains[domain].children():
            h = layer(with_vector(h, z))
        return h.tanh()


class MixGenerator(nn.Module):
    """The generator without `concat`: the attributes are an input of every block."""

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        n = 4 * w
        self.shared = nn.Identity()
        self.domains = nn.ModuleList(
            nn.ModuleList(
                [
                    *(AttributeResidual(n) for _ in range(4)),
                    nn.Sequential(
                        double(n, n // 2),
                        double(n // 2, n // 4),
                        nn.ConvTranspose2d(w, channels, 1),
                    ),
                ]
            )
            for _ in (A, B)
        )
        self.vectors = nn.ModuleList(
            nn.Sequential(
                nn.Linear(nz, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 4 * n)
            )
            for _ in (A, B)
        )

    def forward(self, content: Tensor, z: Tensor, domain: int) -> Tensor:
        """Return images of one domain, (N, 3, H, W) in (-1, 1)."""
        return self.paint(self.shared(content), z, domain)

    def paint(self, h: Tensor, z: Tensor, domain: int) -> Tensor:
        """Return images from the output of the shared block, of which there is none here."""
        *blocks, last = self.domains[domain].children()
        for block, vector in zip(blocks, self.vectors[domain](z).chunk(4, 1), strict=True):
            h = block(h, vector)
        return last(h).tanh()


class DomainDiscriminator(nn.Module):
    """A discriminator that gives maps of logits at several scales of an image.

    Each scale is half the previous one. With a single scale, the network is deeper.
    """

    def __init__(self, channels: int, size: int, w: int, scales: int, spectral: bool) -> None:
        super().__init__()
        side = size >> (scales - 1)
        if scales == 1:
            k, widths = 3, [w << n for n in range(min(6, side.bit_length() - 1))]
        else:
            k, widths = 4, [w << n for n in range(min(4, side.bit_length() - 1))]
        self.scales = nn.ModuleList(
            nn.Sequential(
                *(
                    leaky(i, o, k, 2, 1, spectral)
                    for i, o in zip([channels, *widths], widths, strict=False)
                ),
                normed(nn.Conv2d(widths[-1], 1, 1)) if spectral else nn.Conv2d(widths[-1], 1, 1),
            )
            for _ in range(scales)
        )
        self.shrink = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return a logit map for each scale."""
        found = []
        for at, net in enumerate(self.scales):
            x = self.shrink(x) if at else x
            found.append(net(x))
        return found


def content_discriminator(size: int, w: int) -> nn.Sequential:
    """Return the discriminator of content maps, (N, 4w, n, n) -> (N,) logits, with n = size/4.

    For n >= 53 it is the network of the reference. For smaller maps, 4x4 layers replace its three
    7x7 layers. Their number is chosen so that the map shrinks to 4x4.
    """
    n = size // 4
    if n >= 53:
        layers = [leaky(4 * w, 4 * w, 7, 2, 1) for _ in range(3)]
    else:
        layers = [leaky(4 * w, 4 * w, 4, 2, 1) for _ in range(n.bit_length() - 3)]
    return nn.Sequential(
        *layers, leaky(4 * w, 4 * w, 4, 1, 0), nn.Conv2d(4 * w, 1, 1), nn.Flatten(0)
    )
