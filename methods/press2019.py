"""Emerging Disentanglement in Auto-Encoder Based Unsupervised Image Content Transfer.

Press, Galanti, Benaim, Wolf, ICLR 2019 (arXiv 2001.05017). Two encoders and one decoder are trained
to reconstruct both domains: D(E1(a), 0) = a and D(E1(b), E2(b)) = b. A domain discriminator acts on
the common code E1, and E1 is trained to confuse it. So E2 must encode the separate content, which
only B has. D(E1(a), E2(b)) is then the image a with the separate content of b.

The paper and its released code differ in the confusion loss. The default is the released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import (
    binary_cross_entropy,
    down,
    full_precision,
    levels,
    pyramid,
    reconstruction_loss,
    up,
)


class Discriminator(nn.Module):
    """Predicts the probability of domain B, (N,) in (0, 1), from z1, (N, C, s, s).

    It runs in full precision. In bfloat16, the sigmoid of any value above 6 is 1, and the loss has
    no gradient there.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.classify = nn.Sequential(
            nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1), nn.Sigmoid()
        )

    def forward(self, common: Tensor) -> Tensor:
        """Return (N,) probabilities."""
        with torch.autocast(common.device.type, enabled=False):
            return self.classify(full_precision(common).flatten(1)).flatten()


class Press2019(Method):
    """The content-addition model."""

    name = "press2019"
    summary = "content addition: two encoders, one decoder, a domain discriminator on z1"
    paper = "Press, Galanti, Benaim, Wolf, ICLR 2019"
    guided = True
    published_steps = 1_250_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released code.

        width: channels of the first block. All others are multiples of it (512 = 16 widths).
        sep: channels of the separate code. They are part of the 16 widths of the whole code.
        confusion_weight: weight of the confusion loss. With 0 there is no discriminator.
        confusion: how E1 is trained against the discriminator. "plain" (released code): the
        discriminator should predict A for both domains. "adversarial" (paper): the negative loss of
        the discriminator.
        reconstruction: squared ("mse") or absolute ("l1") error. Its weight is 1, because only its
        ratio to confusion_weight counts.
        zero_separate: whether the separate code of A is zero. False is an ablation: A is trained
        like B, to D(E1(a), E2(a)) = a. Then `encode` gives E2(a) as the separate code of A, and
        `decode` uses it. `remove` still decodes a zero code, which training has never seen.
        clip_norm: largest global gradient norm of E1, E2 and D. The gradients of the discriminator
        are not clipped. The released code tries to, but passes an iterator that is used up.
        """

        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = 2e-4
        discriminator_learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = (
            2e-4
        )
        beta1: float = 0.5
        beta2: float = 0.999
        confusion_weight: Annotated[float, Range(1e-3, 0.5, log=True, start=0.05)] = 0.001
        confusion: Literal["plain", "adversarial"] = "plain"
        reconstruction: Annotated[Literal["mse", "l1"], Choice(("mse", "l1"), start="l1")] = "mse"
        width: Annotated[int, Choice((16, 24, 32, 48), start=24)] = 32
        sep: int = 25
        zero_separate: bool = True
        clip_norm: float = 5.0

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        code = 16 * config.width
        if not 0 < config.sep < code:
            raise ValueError(
                f"sep is {config.sep}, but it must leave some of the code's 16 x width = {code} "
                "channels to each side: use a smaller sep or a larger width"
            )
        outer = pyramid(spec.size, config.width)
        side = spec.size >> levels(spec.size)
        narrow = [min(channels, 4 * config.width) for channels in outer]
        common = [code - config.sep] * max(1, len(outer) - 3)
        self.e1 = down([spec.channels, *outer[:4], *common])
        self.e2 = down([spec.channels, *narrow, config.sep])
        self.decoder = up([code, *reversed(outer), spec.channels])
        self.discriminator = Discriminator((code - config.sep) * side * side, code)

        betas = (config.beta1, config.beta2)
        self._main = [p for net in (self.e1, self.e2, self.decoder) for p in net.parameters()]
        self._main_optimizer = torch.optim.Adam(self._main, config.learning_rate, betas, fused=True)
        self._discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), config.discriminator_learning_rate, betas, fused=True
        )

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the two optimisers, in the order in which they step."""
        return {"main": self._main_optimizer, "discriminator": self._discriminator_optimizer}

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update E1, E2 and D together, then the discriminator on the codes of the updated E1."""
        a, b = batch
        both = torch.cat([a, b])
        n = len(a)
        logs: dict[str, Tensor] = {}

        common = self.e1(both)
        if self.config.zero_separate:
            separate = self.e2(b)
            separate = torch.cat([torch.zeros_like(separate), separate])
        else:
            separate = self.e2(both)
        output = self.decoder(torch.cat([common, separate], 1))
        for domain, part in (("a", slice(0, n)), ("b", slice(n, None))):
            logs[f"reconstruction_{domain}"] = reconstruction_loss(
                self.config.reconstruction, output[part], both[part]
            )
        loss = logs["reconstruction_a"] + logs["reconstruction_b"]
        if self.config.confusion_weight:
            self.discriminator.requires_grad_(False)
            logs["confusion_a"], logs["confusion_b"] = self._confusion(self.discriminator(common))
            self.discriminator.requires_grad_(True)
            loss = loss + self.config.confusion_weight * (logs["confusion_a"] + logs["confusion_b"])
        self._main_optimizer.zero_grad()
        loss.backward()
        logs["gradient_norm"] = nn.utils.clip_grad_norm_(self._main, self.config.clip_norm)
        self._main_optimizer.step()

        if self.config.confusion_weight:
            with torch.no_grad():
                common = self.e1(both)
            said = self.discriminator(common)
            logs["discriminator_a"] = binary_cross_entropy(said[:n], 0)
            logs["discriminator_b"] = binary_cross_entropy(said[n:], 1)
            self._discriminator_optimizer.zero_grad()
            (logs["discriminator_a"] + logs["discriminator_b"]).backward()
            self._discriminator_optimizer.step()
        return {name: value.detach() for name, value in logs.items()}

    def _confusion(self, said: Tensor) -> tuple[Tensor, Tensor]:
        """Return the confusion losses of A and B from the discriminator's output for [a; b]."""
        of_a, of_b = said.chunk(2)
        if self.config.confusion == "plain":
            return binary_cross_entropy(of_a, 0), binary_cross_entropy(of_b, 0)
        return -binary_cross_entropy(of_a, 0), -binary_cross_entropy(of_b, 1)

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return E1(x) as common code, and as separate code E2(x), or zero for images of A.

        Images of A have the separate code E2(x), too, if ``zero_separate`` is false.
        """
        common = self.e1(x)
        if domain == 1 or not self.config.zero_separate:
            return Codes(common, self.e2(x))
        return Codes(common, self._nothing(common))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return D(z1, z2). Images of A have no separate content, so their z2 is ignored.

        It is used if ``zero_separate`` is false. Codes without z2 always have a zero code.
        """
        if codes.separate is None or (domain == 0 and self.config.zero_separate):
            return self.decoder(torch.cat([codes.common, self._nothing(codes.common)], 1))
        return self.decoder(torch.cat([codes.common, codes.separate], 1))

    def _nothing(self, common: Tensor) -> Tensor:
        """Return the separate code of images without separate content."""
        return common.new_zeros(len(common), self.config.sep, *common.shape[2:])

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return D(E1(a), E2(guide))."""
        return self.decode(Codes(self.e1(a), self.e2(guide)), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Return D(E1(b), 0)."""
        return self.decode(Codes(self.e1(b)), 0)
