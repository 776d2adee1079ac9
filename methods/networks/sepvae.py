"""The networks of SepVAE, which have no norm: an encoder for each code, a decoder, perceptrons."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from bench.methods.networks.blocks import full_precision


class Encoder(nn.Module):
    """(N, 3, S, S) images in [0, 1] -> mean and log variance, (N, d) each. There is no norm."""

    def __init__(self, channels: list[int], code: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(channels[:-1]):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU()]
        layers += [nn.Conv2d(channels[-2], channels[-1], 4), nn.ReLU(), nn.Flatten()]
        self.trunk = nn.Sequential(*layers, nn.Linear(channels[-1], 2 * code), nn.ReLU())
        self.mean = nn.Linear(2 * code, code)
        self.logvar = nn.Linear(2 * code, code)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance, never in bfloat16."""
        h = self.trunk(x)
        return full_precision(self.mean(h)), full_precision(self.logvar(h))


class Decoder(nn.Module):
    """(N, d) codes -> (N, 3, S, S) images in (0, 1). The first layer makes a 1x1 map."""

    def __init__(self, code: int, channels: list[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(code, channels[0]), nn.Unflatten(1, (-1, 1, 1))]
        layers += [nn.ReLU(), nn.ConvTranspose2d(channels[0], channels[1], 4)]
        for before, after in pairwise(channels[1:]):
            layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Return images, never in bfloat16."""
        return full_precision(self.layers(code)).sigmoid()


def channels_for(size: int, width: int) -> tuple[list[int], list[int]]:
    """Return the channels of the encoder's and of the decoder's layers, without the image's.

    Halvings lead to a 4x4 map, and one more layer to 1x1. The sizes are those of the released code
    at 64 px and at 128 px; below 64 px, the second layer of `width` channels is left out.
    """
    halvings = size.bit_length() - 3
    if halvings < 1 or size != 4 << halvings:
        raise ValueError(f"image size {size} does not fit: use a power of two from 8 on")
    if halvings < 4:
        down = [width << k for k in range(halvings + 1)]
        return down, down[::-1]
    doubled = [width << k for k in range(halvings)]
    down = [width, *doubled]
    return down, [doubled[-1], *doubled[::-1]] if halvings > 4 else down[::-1]


def perceptron(*widths: int) -> nn.Sequential:
    """Return linear layers with ReLU between them; the output is logits."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
