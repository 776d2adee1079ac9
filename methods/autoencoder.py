"""A plain autoencoder: the baseline whose training does not use the domains.

It has the networks of the ICLR'19 model, but the code is not split into two parts. To add or remove
content, the method adds or subtracts the mean difference between the codes of B and A. This is the
"attribute vector" of Larsen et al., ICML 2016. The result does not depend on the guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import down, levels, pyramid, reconstruction_loss, up


class Autoencoder(Method):
    """One encoder, one decoder, a reconstruction loss."""

    name = "autoencoder"
    summary = "baseline: plain autoencoder, content by the mean difference of codes"
    paper = "baseline of this suite"
    guided = False
    published_steps = 1_250_000  # not published: same as Press2019

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the ICLR'19 model, as far as they apply.

        width: channels of the first block. The code has 16 times as many.
        memory: decay of the running mean of each domain's codes, per step.
        """

        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = 2e-4
        beta1: float = 0.5
        beta2: float = 0.999
        reconstruction: Annotated[Literal["mse", "l1"], Choice(("mse", "l1"), start="l1")] = "mse"
        width: Annotated[int, Choice((16, 24, 32, 48), start=24)] = 32
        memory: float = 0.99

    means: Tensor
    steps: Tensor

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        outer = pyramid(spec.size, config.width)
        code = 16 * config.width
        side = spec.size >> levels(spec.size)
        self.encoder = down([spec.channels, *outer, code])
        self.decoder = up([code, *reversed(outer), spec.channels])
        self.register_buffer("means", torch.zeros(spec.domains, code, side, side))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._optimizer = torch.optim.Adam(
            self.parameters(), config.learning_rate, (config.beta1, config.beta2), fused=True
        )

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the only optimiser."""
        return {"main": self._optimizer}

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update the autoencoder on a batch of images of all domains."""
        x = torch.cat(batch)
        code = self.encoder(x)
        loss = reconstruction_loss(self.config.reconstruction, self.decoder(code), x)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        with torch.no_grad():
            self.steps += 1
            share = torch.clamp(1 / self.steps, min=1 - self.config.memory)
            now = torch.stack([c.mean(0) for c in code.detach().float().chunk(len(batch))])
            self.means.lerp_(now.to(self.means.dtype), share.to(self.means.dtype))
        return {"reconstruction": loss.detach()}

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the whole code as common code. There is no separate code."""
        return Codes(self.encoder(x))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return the image of the code. The domain is ignored."""
        return self.decoder(codes.common)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return D(E(a) + mean code of B - mean code of A). The guide is ignored."""
        return self.decoder(self.encoder(a) + (self.means[1] - self.means[0]))

    def remove(self, b: Tensor) -> Tensor:
        """Return D(E(b) - mean code of B + mean code of A)."""
        return self.decoder(self.encoder(b) - (self.means[1] - self.means[0]))
