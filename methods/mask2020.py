"""Mask-Based Unsupervised Content Transfer.

Mokady, Benaim, Wolf, Bermano, ICLR 2020 (arXiv 1906.06558). Two encoders split an image into a
common code E1 and a separate code E2, as in the ICLR'19 model (`press2019`). There are two
decoders. The plain decoder D makes the image without the separate content: D(E1(a), 0) = a. The
mask decoder P makes a mask m and a paint p, and paints on an image, its base: m p + (1 - m) base.
An image of B must come back when P paints its separate content on D(E1(b), 0), which has none.

The paper calls A what the suite calls B: the domain with the separate content. The code follows the
released code. Where the two of them use a letter for a loss weight, `Config` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import binary_cross_entropy
from bench.methods.networks.mask2020 import Painter, blocks, code_distance, down, painted, up
from bench.methods.press2019 import Discriminator


class Mask2020(Method):
    """The mask-based model.

    `encode` gives E1(x), and E2(x) for images of B. `add` lets P paint the separate content of the
    guide on the image itself. `remove` replaces the pixels under the mask of b by those that D
    makes.
    """

    name = "mask2020"
    summary = "a mask decoder paints the guide's separate content on the image itself"
    paper = "Mokady, Benaim, Wolf, Bermano, ICLR 2020"
    guided = True
    published_steps = 150_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released code for glasses, its default.

        batch_size: at least 2, because of batch norm.
        width: channels of the first block. All others are multiples of it (512 = 16 widths).
        sep: channels of the separate code. They are part of the 16 widths of the whole code.
        code_side: side of the code of images of up to 64 px. 1: that of the released code at 64 px.
        2: that of `press2019`, with one block less. Larger images have six blocks in both cases.
        reconstruction_weight_a (delta), reconstruction_weight_b (gama): weights of D(E1(a), 0) = a
        and of b, painted on D(E1(b), 0).
        idempotence_weight_a (alpha2), idempotence_weight_b (alpha1): weights of images that should
        not change when their own separate content is painted on them.
        cycle_common_weight (beta1), cycle_separate_weight (beta2): weights of the codes of the
        image that `add` makes. A code with weight 0 is not computed.
        confusion_weight: weight of the confusion loss: the discriminator should predict A for both
        domains.
        clip_norm: largest global gradient norm, of the discriminator and of all other networks.
        mask_threshold: where the mask is above it, `remove` replaces the pixel.
        removal_code: the separate code that D gets in `remove`. "full": E2(b) (released code).
        "zero": none, as in training. D has never learnt to use another separate code.
        """

        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = 2e-4
        discriminator_learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = (
            2e-4
        )
        beta1: float = 0.5
        beta2: float = 0.999
        width: Annotated[int, Choice((16, 24, 32, 48), start=24)] = 32
        sep: int = 25
        code_side: Annotated[Literal[1, 2], Choice((1, 2), start=2)] = 1
        reconstruction_weight_a: float = 5.0
        reconstruction_weight_b: Annotated[float, Range(1.0, 20.0, log=True)] = 7.0
        idempotence_weight_a: float = 0.7
        idempotence_weight_b: float = 0.7
        cycle_common_weight: float = 0.0
        cycle_separate_weight: Annotated[float, Range(1e-4, 0.5, log=True)] = 0.001
        confusion_weight: Annotated[float, Range(1e-3, 1.0, log=True)] = 0.005
        clip_norm: float = 5.0
        mask_threshold: float = 0.1
        removal_code: Annotated[Literal["full", "zero"], Choice(("full", "zero"), start="zero")] = (
            "full"
        )

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.batch_size < 2:
                raise ValueError("batch_size is 1, but batch norm needs at least 2 images")

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        code = 16 * config.width
        if not 0 < config.sep < code:
            raise ValueError(
                f"sep is {config.sep}, but it must leave some of the code's 16 x width = {code} "
                "channels to each side: use a smaller sep or a larger width"
            )
        steps = blocks(spec.size, config.code_side)
        side = spec.size >> steps
        outer = [config.width << step for step in range(steps - 1)]
        narrow = [min(channels, 4 * config.width) for channels in outer]
        common = [code - config.sep] * max(1, len(outer) - 3)
        self.e1 = down([spec.channels, *outer[:4], *common])
        self.e2 = down([spec.channels, *narrow, config.sep])
        self.decoder = nn.Sequential(*up([code, *reversed(outer), spec.channels]), nn.Tanh())
        self.painter = Painter([code, *reversed(outer)], spec.channels)
        self.discriminator = Discriminator((code - config.sep) * side * side, code)

        nets = (self.e1, self.e2, self.decoder, self.painter)
        self._main = [parameter for net in nets for parameter in net.parameters()]
        betas = (config.beta1, config.beta2)
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "main": torch.optim.Adam(self._main, config.learning_rate, betas, fused=True),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(),
                config.discriminator_learning_rate,
                betas,
                fused=True,
            ),
        }

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the two optimisers, in the order in which they step."""
        return self._optimizers

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update the encoders and decoders, then the discriminator on the updated E1.

        Each domain goes through a network on its own, because batch norm would mix the two.
        """
        a, b = batch
        logs = self.losses(a, b)
        self._optimizers["main"].zero_grad()
        self.total(logs).backward()
        logs["gradient_norm"] = nn.utils.clip_grad_norm_(self._main, self.config.clip_norm)
        self._optimizers["main"].step()

        with torch.no_grad():
            common_a, common_b = self.e1(a), self.e1(b)
        logs["discriminator_a"] = binary_cross_entropy(self.discriminator(common_a), 0)
        logs["discriminator_b"] = binary_cross_entropy(self.discriminator(common_b), 1)
        self._optimizers["discriminator"].zero_grad()
        (logs["discriminator_a"] + logs["discriminator_b"]).backward()
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), self.config.clip_norm)
        self._optimizers["discriminator"].step()
        return {name: value.detach() for name, value in logs.items()}

    def losses(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Return the losses of the encoders and decoders for images (N, 3, S, S) of A and of B."""
        common_a, common_b, separate_b = self.e1(a), self.e1(b), self.e2(b)
        nothing = torch.zeros_like(separate_b)
        plain_a = self.decoder(torch.cat([common_a, nothing], 1))
        plain_b = self.decoder(torch.cat([common_b, nothing], 1))
        own_a = self.painter(torch.cat([common_a, nothing], 1))
        own_b = self.painter(torch.cat([common_b, separate_b], 1))
        added = painted(a, *self.painter(torch.cat([common_a, separate_b], 1)))
        logs = {
            "reconstruction_a": F.l1_loss(plain_a.to(a.dtype), a),
            "reconstruction_b": F.l1_loss(painted(plain_b, *own_b).to(b.dtype), b),
            "idempotence_a": F.l1_loss(painted(a, *own_a), a),
            "idempotence_b": F.l1_loss(painted(b, *own_b), b),
        }
        if self.config.cycle_common_weight:
            logs["cycle_common"] = code_distance(self.e1(added), common_a)
        if self.config.cycle_separate_weight:
            logs["cycle_separate"] = code_distance(self.e2(added), separate_b)
        self.discriminator.requires_grad_(False)
        logs["confusion_a"] = binary_cross_entropy(self.discriminator(common_a), 0)
        logs["confusion_b"] = binary_cross_entropy(self.discriminator(common_b), 0)
        self.discriminator.requires_grad_(True)
        return logs

    def total(self, logs: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the losses."""
        c = self.config
        weights = {
            "reconstruction_a": c.reconstruction_weight_a,
            "reconstruction_b": c.reconstruction_weight_b,
            "idempotence_a": c.idempotence_weight_a,
            "idempotence_b": c.idempotence_weight_b,
            "cycle_common": c.cycle_common_weight,
            "cycle_separate": c.cycle_separate_weight,
            "confusion_a": c.confusion_weight,
            "confusion_b": c.confusion_weight,
        }
        return torch.stack([weights[name] * loss for name, loss in logs.items()]).sum()

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return E1(x) as common code, and as separate code E2(x), or zero for images of A."""
        common = self.e1(x)
        return Codes(common, self.e2(x) if domain == 1 else self._nothing(common))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return D(z1, 0), for images of B with what P paints on it for (z1, z2).

        Images of A have no separate content, so their z2 is ignored.
        """
        plain = self.decoder(torch.cat([codes.common, self._nothing(codes.common)], 1))
        if domain == 0 or codes.separate is None:
            return plain
        return painted(plain, *self.painter(torch.cat([codes.common, codes.separate], 1)))

    def _nothing(self, common: Tensor) -> Tensor:
        """Return the separate code of images without separate content."""
        return common.new_zeros(len(common), self.config.sep, *common.shape[2:])

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return a, with what P paints on it for (E1(a), E2(guide))."""
        return painted(a, *self.painter(torch.cat([self.e1(a), self.e2(guide)], 1)))

    def remove(self, b: Tensor) -> Tensor:
        """Return D(E1(b), E2(b)) where the mask of b is above the threshold, and b elsewhere.

        With the removal code "zero", D(E1(b), 0) instead.
        """
        common, separate = self.e1(b), self.e2(b)
        both = torch.cat([common, separate], 1)
        mask = self.painter(both)[1] > self.config.mask_threshold
        if self.config.removal_code == "zero":
            both = torch.cat([common, self._nothing(common)], 1)
        return torch.where(mask, self.decoder(both).to(b.dtype), b)
