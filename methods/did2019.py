"""Domain Intersection and Domain Difference.

Benaim, Khaitov, Galanti, Wolf, ICCV 2019 (arXiv 1908.11628). Both domains may have content that the
other lacks. A common encoder Ec and one separate encoder for each domain, Ea and Eb, give the code
of the decoder D: [common | slot of A | slot of B]. It learns D(Ec(a), Ea(a), 0) = a and
D(Ec(b), 0, Eb(b)) = b. The separate encoder of one domain should find nothing in the other domain,
and a domain discriminator acts on the common code, which Ec learns to confuse.

D(Ec(a), 0, Eb(b)) is a with the content of b: the slot of A is empty, too. The code follows the
released code. Of the paper, only the beginning was available.
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
from bench.methods.networks.blocks import binary_cross_entropy, full_precision, levels, pyramid
from bench.methods.networks.did2019 import Gradient, down, up
from bench.methods.press2019 import Discriminator


class DID2019(Method):
    """Domain intersection and domain difference.

    `encode` gives Ec(x), and as separate code both slots, of which the other domain's is empty.
    `add` decodes the common code of the image with the guide's slot of B. `remove` decodes the
    common code alone, the intersection of the domains.
    """

    name = "did2019"
    summary = "a common encoder and a separate encoder for each of the two domains, one decoder"
    paper = "Benaim, Khaitov, Galanti, Wolf, ICCV 2019"
    guided = True
    published_steps = 1_250_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released code.

        width: channels of the first block. All others are multiples of it (512 = 16 widths).
        sep: channels of each slot. Both slots are part of the 16 widths of the whole code.
        zero_weight: weight of the mean absolute code of Ea for images of B and of Eb for images of
        A. Both encoders end in instance norm, so these losses hardly fall below 0.42.
        confusion_weight: weight of the confusion loss: the discriminator should predict B for both
        domains. `press2019` takes A.
        empty_slot: what the slot of the other domain holds in training. "zero", or "copy": the same
        code as the domain's own slot ("no_flag" in the released code).
        addition: the slot of A in `add`. "transfer": empty. "union": Ea(a), which keeps what only a
        has, but training has never seen both slots filled.
        spectral_gradient: see `SpectralConv`. "latest" is that of the released code.
        clip_norm: largest global gradient norm of the encoders and D. The gradients of the
        discriminator are not clipped, because the released code passes an iterator that is used up.
        """

        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = 2e-4
        discriminator_learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = (
            2e-4
        )
        beta1: float = 0.5
        beta2: float = 0.999
        reconstruction_weight: float = 1.0
        zero_weight: Annotated[float, Range(0.01, 10.0, log=True)] = 1.0
        confusion_weight: Annotated[float, Range(1e-3, 0.5, log=True, start=0.05)] = 0.001
        width: Annotated[int, Choice((16, 24, 32, 48), start=24)] = 32
        sep: int = 25
        empty_slot: Literal["zero", "copy"] = "zero"
        addition: Annotated[Literal["transfer", "union"], Choice(("transfer", "union"))] = (
            "transfer"
        )
        spectral_gradient: Gradient = "latest"
        clip_norm: float = 5.0

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        code = 16 * config.width
        if not 0 < 2 * config.sep < code:
            raise ValueError(
                f"sep is {config.sep}, but two slots of it must leave some of the code's "
                f"16 x width = {code} channels: use a smaller sep or a larger width"
            )
        outer = pyramid(spec.size, config.width)
        side = spec.size >> levels(spec.size)
        inner = [min(channels, code - config.sep) for channels in outer]
        common = code - 2 * config.sep
        gradient = config.spectral_gradient
        self.common = down([spec.channels, *inner, common], gradient, plain=2)
        self.separate_a = down([spec.channels, *outer, config.sep], gradient)
        self.separate_b = down([spec.channels, *outer, config.sep], gradient)
        self.decoder = up([code, *reversed(outer), spec.channels], gradient)
        self.discriminator = Discriminator(common * side * side, code)

        nets = (self.common, self.separate_a, self.separate_b, self.decoder)
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
        """Update the encoders and D together, then the discriminator on the updated Ec.

        Each domain goes through a network on its own, because every call moves its spectral norms.
        """
        a, b = batch
        c = self.config
        logs = self.losses(a, b)
        reconstruction, zero, confusion = (
            logs[f"{name}_a"] + logs[f"{name}_b"]
            for name in ("reconstruction", "zero", "confusion")
        )
        self._optimizers["main"].zero_grad()
        (
            c.reconstruction_weight * reconstruction
            + c.zero_weight * zero
            + c.confusion_weight * confusion
        ).backward()
        logs["gradient_norm"] = nn.utils.clip_grad_norm_(self._main, c.clip_norm)
        self._optimizers["main"].step()

        with torch.no_grad():
            common_a, common_b = self.common(a), self.common(b)
        logs["discriminator_a"] = binary_cross_entropy(self.discriminator(common_a), 1)
        logs["discriminator_b"] = binary_cross_entropy(self.discriminator(common_b), 0)
        self._optimizers["discriminator"].zero_grad()
        (logs["discriminator_a"] + logs["discriminator_b"]).backward()
        self._optimizers["discriminator"].step()
        return {name: value.detach() for name, value in logs.items()}

    def losses(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Return the losses of the encoders and D for images (N, 3, S, S) of A and of B."""
        common_a, separate_a, none_a = (
            net(a) for net in (self.common, self.separate_a, self.separate_b)
        )
        common_b, none_b, separate_b = (
            net(b) for net in (self.common, self.separate_a, self.separate_b)
        )
        again_a = self.decoder(torch.cat([common_a, self._slots(separate_a, 0)], 1))
        again_b = self.decoder(torch.cat([common_b, self._slots(separate_b, 1)], 1))
        self.discriminator.requires_grad_(False)
        said_a, said_b = self.discriminator(common_a), self.discriminator(common_b)
        self.discriminator.requires_grad_(True)
        return {
            "reconstruction_a": F.l1_loss(again_a.to(a.dtype), a),
            "reconstruction_b": F.l1_loss(again_b.to(b.dtype), b),
            "zero_a": full_precision(none_a).abs().mean(),
            "zero_b": full_precision(none_b).abs().mean(),
            "confusion_a": binary_cross_entropy(said_a, 0),
            "confusion_b": binary_cross_entropy(said_b, 0),
        }

    def _slots(self, separate: Tensor, domain: int) -> Tensor:
        """Return both slots, (N, 2 sep, s, s), from the separate code of images of a domain."""
        copied = self.config.empty_slot == "copy"
        other = separate if copied else torch.zeros_like(separate)
        return torch.cat([separate, other] if domain == 0 else [other, separate], 1)

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return Ec(x) as common code, and both slots as separate code."""
        separate = self.separate_a(x) if domain == 0 else self.separate_b(x)
        return Codes(self.common(x), self._slots(separate, domain))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return D(z1, z2) for any domain. Without z2, both slots are empty."""
        separate = codes.separate
        if separate is None:
            z1 = codes.common
            separate = z1.new_zeros(len(z1), 2 * self.config.sep, *z1.shape[2:])
        return self.decoder(torch.cat([codes.common, separate], 1))

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return D(Ec(a), 0, Eb(guide)), or D(Ec(a), Ea(a), Eb(guide)) for the union."""
        slots = self._slots(self.separate_b(guide), 1)
        if self.config.addition == "union":
            slots = torch.cat([self.separate_a(a), slots[:, self.config.sep :]], 1)
        return self.decode(Codes(self.common(a), slots), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Return D(Ec(b), 0, 0)."""
        return self.decode(Codes(self.common(b)), 0)
