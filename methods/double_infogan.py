"""Double InfoGAN for contrastive analysis.

Carton, Louiset, Gori, AISTATS 2024 (arXiv 2401.17776). A generator G makes background images, those
of domain A, from a random common code and a salient code of zero, and target images from two random
codes. One network D judges whether an image is real, names its domain, and regresses both codes. As
in InfoGAN, D must find the codes of generated images again. D also encodes real images, which G
then reconstructs.

The code follows the released code, Florence-C/Double_InfoGAN, with its configuration for CelebA.
Its configurations for some other data also use the contrastive regulariser of InfoGAN-CR (Lin,
Thekumparampil, Fanti, Oh, ICML 2020), which is `cr_weight` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import binary_cross_entropy
from bench.methods.networks.double_infogan import (
    Coordinate,
    Discriminator,
    Heads,
    channels_for,
    generator,
    initialise,
)


class Pass(NamedTuple):
    """What one update computes: of background and of target, each a pair."""

    latents: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]  # of the fakes: common, salient
    fakes: tuple[Heads, Heads]
    reals: tuple[Heads, Heads]
    reconstructions: tuple[Tensor, Tensor]


def surprise(probability: Tensor) -> Tensor:
    """Return the mean of -ln(p + 1e-8)."""
    return -(probability + 1e-8).log().mean()


@contextmanager
def frozen(*nets: nn.Module) -> Iterator[None]:
    """Let gradients pass through networks, but not into them."""
    for net in nets:
        net.requires_grad_(False)
    try:
        yield
    finally:
        for net in nets:
            net.requires_grad_(True)


class DoubleInfoGAN(Method):
    """Double InfoGAN with DCGAN networks.

    `encode` gives the two codes that D regresses, with a salient code of zero for A; `add` is G of
    a's common code and the guide's salient code; `remove` is G of b's common code and zero.
    """

    name = "double_infogan"
    summary = "contrastive GAN: D regresses common and salient code, G decodes them; zero for A"
    paper = "Carton, Louiset, Gori, AISTATS 2024"
    guided = True
    published_steps = 157_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released configuration for CelebA.

        batch_size: 64 images of each domain are the released mixture of 128.
        learning_rate: of G. discriminator_learning_rate: of D, and of CR.
        width: channels of the first block of D. The others are up to 8 times as many.
        common, salient: sizes of the two codes.
        background_weight, target_weight: of the losses of the two kinds of images.
        adversarial_weight, class_weight: of D's judgement, and of the domain that it names.
        common_weight, salient_weight: of the regression of the codes of fakes.
        reconstruction_weight: of the absolute error of reconstructions.
        zero_weight: of the salient codes of real images of A, which should be zero. Only D has it.
        cr_weight: of the loss of CR in the update of G. With 0 there is no CR.
        """

        batch_size: Annotated[int, Choice((8, 16, 32, 64), start=16)] = 64
        learning_rate: Annotated[float, Range(5e-5, 2e-3, log=True, start=5e-4)] = 2e-4
        discriminator_learning_rate: Annotated[float, Range(5e-5, 2e-3, log=True, start=5e-4)] = (
            2e-4
        )
        beta1: float = 0.5
        beta2: float = 0.999
        width: Annotated[int, Choice((12, 16, 24, 32, 64), start=16)] = 64
        common: int = 95
        salient: Annotated[int, Choice((5, 15, 64))] = 5
        background_weight: float = 0.5
        target_weight: float = 1.0
        adversarial_weight: Annotated[float, Range(0.01, 1.0, log=True)] = 0.5
        class_weight: Annotated[float, Range(0.1, 5.0, log=True)] = 0.5
        common_weight: float = 1.0
        salient_weight: float = 1.0
        reconstruction_weight: Annotated[float, Range(0.5, 50.0, log=True, start=10.0)] = 1.0
        zero_weight: float = 1.0
        cr_weight: float = 0.0

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        for field in ("common", "salient"):
            if getattr(config, field) < 1:
                raise ValueError(f"{field} is {getattr(config, field)}, but it must be at least 1")
        widths = channels_for(spec.size, config.width)
        self.generator = generator(config.common + config.salient, widths, spec.channels)
        self.discriminator = Discriminator(spec.channels, widths, config.common, config.salient)
        self.weights = (config.background_weight, config.target_weight)
        betas = (config.beta1, config.beta2)
        rates = {"generator": config.learning_rate}
        rates["discriminator"] = config.discriminator_learning_rate
        if config.cr_weight:
            self.coordinate = Coordinate(spec.channels, widths, config.salient)
            rates["coordinate"] = config.discriminator_learning_rate
        self._optimizers: dict[str, torch.optim.Optimizer] = {}
        for net, rate in rates.items():
            module = self.get_submodule(net)
            initialise(module)
            self._optimizers[net] = torch.optim.Adam(module.parameters(), rate, betas, fused=True)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers of G, of D and of CR (if there is one)."""
        return self._optimizers

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update G, then D with new latents, then CR. All domains but A are targets."""
        a, b = batch[0], torch.cat(batch[1:])
        c = self.config
        logs: dict[str, Tensor] = {}

        with frozen(self.discriminator):
            made = self._pass(a, b)
            own = {
                "adversarial": self._weighted(surprise(fake.real) for fake in made.fakes),
                "class": self._class_loss(made.fakes),
            } | self._code_losses(made, a, b)  # fmt: skip
            loss = self._total(own)
            if c.cr_weight:
                with frozen(self.coordinate):
                    own["cr"] = self._cr_loss()
                loss = loss + c.cr_weight * own["cr"]
            logs |= self._update("generator", own, loss)

        with frozen(self.generator):
            made = self._pass(a, b)
            own = {
                "adversarial": self._weighted(
                    surprise(real.real) + surprise(1 - fake.real)
                    for real, fake in zip(made.reals, made.fakes, strict=True)
                ),
                "class": self._class_loss(made.reals),
                "zero": made.reals[0].salient.abs().mean(),
            } | self._code_losses(made, a, b)  # fmt: skip
            logs |= self._update(
                "discriminator", own, self._total(own) + c.zero_weight * own["zero"]
            )

        if c.cr_weight:
            with frozen(self.generator):
                loss = self._cr_loss()
            logs |= self._update("coordinate", {"cr": loss}, loss)
        return logs

    def _pass(self, a: Tensor, b: Tensor) -> Pass:
        """Generate as many fakes of each kind as there are images, encode and reconstruct.

        Each kind passes through a network on its own: batch norm sees one kind at a time.
        """
        n = len(a) + len(b)
        common = self._normal(a, n, self.config.common)
        background = (common, self._nothing(common))
        common = self._normal(a, n, self.config.common)
        target = (common, self._normal(a, n, self.config.salient))
        fake_a, fake_b = self.generate(*background), self.generate(*target)
        fakes = (self.discriminator(fake_a), self.discriminator(fake_b))
        of_a, of_b = self.discriminator(a), self.discriminator(b)
        reconstructions = (
            self.generate(of_a.common, self._nothing(of_a.common)),
            self.generate(of_b.common, of_b.salient),
        )
        return Pass((background, target), fakes, (of_a, of_b), reconstructions)

    def _weighted(self, losses: Iterator[Tensor]) -> Tensor:
        """Return the weighted sum of the losses of background and of target."""
        of_background, of_target = losses
        return self.weights[0] * of_background + self.weights[1] * of_target

    def _class_loss(self, said: tuple[Heads, Heads]) -> Tensor:
        return self._weighted(
            binary_cross_entropy(heads.target, domain) for domain, heads in enumerate(said)
        )

    def _code_losses(self, made: Pass, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Return the losses of the codes of fakes and of the reconstructions."""
        pairs = list(zip(made.fakes, made.latents, strict=True))
        images = zip(made.reconstructions, (a, b), strict=True)
        return {
            "common": self._weighted(F.l1_loss(heads.common, z) for heads, (z, _) in pairs),
            "salient": self._weighted(F.l1_loss(heads.salient, s) for heads, (_, s) in pairs),
            "reconstruction": self._weighted(
                F.l1_loss(output.to(x.dtype), x) for output, x in images
            ),
        }

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        c = self.config
        return (
            c.adversarial_weight * losses["adversarial"]
            + c.class_weight * losses["class"]
            + c.common_weight * losses["common"]
            + c.salient_weight * losses["salient"]
            + c.reconstruction_weight * losses["reconstruction"]
        )

    def _cr_loss(self) -> Tensor:
        """Return the cross-entropy of CR for pairs that share one coordinate of the salient code.

        InfoGAN-CR allows a gap between the shared coordinates; the released code has none.
        """
        n, size = self.spec.domains * self.config.batch_size, self.config.salient
        like = next(self.generator.parameters())
        common = self._normal(like, n, self.config.common)
        first, second, shared = (self._normal(like, n, size) for _ in range(3))
        which = self._which(like, n, size)
        same = F.one_hot(which, size).bool()
        pair = [self.generate(common, torch.where(same, shared, own)) for own in (first, second)]
        return F.cross_entropy(self.coordinate(torch.cat(pair, 1)), which)

    def _update(self, net: str, logs: dict[str, Tensor], loss: Tensor) -> dict[str, Tensor]:
        self._optimizers[net].zero_grad()
        loss.backward()
        self._optimizers[net].step()
        return {f"{net}_{name}": value.detach() for name, value in logs.items()}

    def generate(self, common: Tensor, salient: Tensor) -> Tensor:
        """Return G of both codes, (N, 3, S, S)."""
        return self.generator(torch.cat([common, salient], 1))

    def _nothing(self, common: Tensor) -> Tensor:
        return common.new_zeros(len(common), self.config.salient)

    def _normal(self, like: Tensor, n: int, size: int) -> Tensor:
        return torch.randn(n, size, device=like.device, dtype=like.dtype)

    def _which(self, like: Tensor, n: int, size: int) -> Tensor:
        return torch.randint(size, (n,), device=like.device)

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the codes that D regresses, (N, z) and (N, s). The salient one is zero for A."""
        heads = self.discriminator(x)
        return Codes(heads.common, heads.salient if domain else self._nothing(heads.common))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return G of both codes. Images of A have no salient content: theirs is ignored."""
        salient = codes.separate
        if salient is None or not domain:
            salient = self._nothing(codes.common)
        return self.generate(codes.common, salient)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return G of the common code of a and the salient code of the guide."""
        return self.decode(Codes(self.encode(a, 0).common, self.encode(guide, 1).separate), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Return G of the common code of b and zero."""
        return self.decode(Codes(self.encode(b, 1).common), 0)
