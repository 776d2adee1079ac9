"""The plain steps of the ICLR'19 model and of the autoencoder."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig
from bench.contracts.task import Spec

from .plain import PlainStep


def encoder(channels: list[int]) -> nn.Sequential:
    """Return 4x4 convolutions of stride 2, each with instance norm and leaky ReLU."""
    layers: list[nn.Module] = []
    for i, o in pairwise(channels):
        layers += [nn.Conv2d(i, o, 4, 2, 1), nn.InstanceNorm2d(o), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def decoder(channels: list[int]) -> nn.Sequential:
    """Return transposed 4x4 convolutions of stride 2, each with instance norm and ReLU."""
    layers: list[nn.Module] = []
    for i, o in pairwise(channels):
        layers += [nn.ConvTranspose2d(i, o, 4, 2, 1), nn.InstanceNorm2d(o), nn.ReLU()]
    return nn.Sequential(*layers[:-2], nn.Tanh())


def sizes(spec: Spec, width: int) -> tuple[list[int], int]:
    """Return the channels of all blocks but the last, and the side of the code."""
    blocks = min(6, spec.size.bit_length() - 2)
    return [width << k for k in range(blocks - 1)], spec.size >> blocks


class ContentAddition(PlainStep):
    """E1, E2, D and the discriminator; the released code's confusion loss."""

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__(spec, config)
        c = self.config
        outer, side = sizes(spec, c.width)
        code = 16 * c.width
        common = [code - c.sep] * max(1, len(outer) - 3)
        self.e1 = encoder([3, *outer[:4], *common])
        self.e2 = encoder([3, *(min(w, 4 * c.width) for w in outer), c.sep])
        self.d = decoder([code, *reversed(outer), 3])
        self.disc = nn.Sequential(
            nn.Flatten(), nn.Linear((code - c.sep) * side * side, code), nn.LeakyReLU(0.2),
            nn.Linear(code, 1), nn.Sigmoid(), nn.Flatten(0),
        )  # fmt: skip
        self.main = [p for net in (self.e1, self.e2, self.d) for p in net.parameters()]
        betas = (c.beta1, c.beta2)
        self.adam = torch.optim.Adam(self.main, c.learning_rate, betas)
        self.disc_adam = torch.optim.Adam(
            self.disc.parameters(), c.discriminator_learning_rate, betas
        )

    def step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update E1, E2 and D, then the discriminator."""
        c = self.config
        a, b = batch
        distance = {"mse": F.mse_loss, "l1": F.l1_loss}[c.reconstruction]
        common_a, common_b, separate = self.e1(a), self.e1(b), self.e2(b)
        of_a = distance(self.d(torch.cat([common_a, torch.zeros_like(separate)], 1)), a)
        of_b = distance(self.d(torch.cat([common_b, separate], 1)), b)
        said_a, said_b = self.disc(common_a), self.disc(common_b)
        zeros, ones = torch.zeros_like(said_a), torch.ones_like(said_a)
        confused_a = F.binary_cross_entropy(said_a, zeros)
        confused_b = F.binary_cross_entropy(said_b, zeros)
        self.adam.zero_grad()
        (of_a + of_b + c.confusion_weight * (confused_a + confused_b)).backward()
        nn.utils.clip_grad_norm_(self.main, c.clip_norm)
        self.adam.step()

        right_a = F.binary_cross_entropy(self.disc(self.e1(a)), zeros)
        right_b = F.binary_cross_entropy(self.disc(self.e1(b)), ones)
        self.disc_adam.zero_grad()
        (right_a + right_b).backward()
        self.disc_adam.step()
        return {
            "reconstruction_a": of_a, "reconstruction_b": of_b, "confusion_a": confused_a,
            "confusion_b": confused_b, "discriminator_a": right_a, "discriminator_b": right_b,
        }  # fmt: skip


class Autoencoder(PlainStep):
    """One encoder and one decoder; the running means of the codes."""

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__(spec, config)
        c = self.config
        outer, _ = sizes(spec, c.width)
        self.e = encoder([3, *outer, 16 * c.width])
        self.d = decoder([16 * c.width, *reversed(outer), 3])
        self.adam = torch.optim.Adam(self.parameters(), c.learning_rate, (c.beta1, c.beta2))
        self.means: list[Tensor] = []

    def step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update both networks by the reconstruction of all images."""
        x = torch.cat(batch)
        distance = {"mse": F.mse_loss, "l1": F.l1_loss}[self.config.reconstruction]
        code = self.e(x)
        loss = distance(self.d(code), x)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        now = [part.detach().mean(0) for part in code.chunk(len(batch))]
        self.means = [
            old.lerp(new, 1 - self.config.memory)
            for old, new in zip(self.means or now, now, strict=True)
        ]
        return {"reconstruction": loss}
