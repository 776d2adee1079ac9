"""Fader Networks: Manipulating Images by Sliding Attributes.

Lample, Zeghidour, Usunier, Bordes, Denoyer, Ranzato, NIPS 2017 (arXiv 1706.00409). An encoder and a
decoder reconstruct the image; the decoder also gets the attribute y, here the domain. A latent
discriminator predicts the domain from the code E(x). The encoder is trained to make it wrong, so
that the code holds only what all domains share. D(E(x), y) is then the image x in domain y. Nothing
in the method reads a guide, so all guides add the same separate content.

This is our own code. It follows what the released code does (facebookresearch/FaderNetworks, commit
cdd9e50, CC BY-NC 4.0), from a description of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import (
    binary_cross_entropy,
    full_precision,
    levels,
    reconstruction_loss,
)
from bench.methods.networks.fader import (
    Decoder,
    PatchDiscriminator,
    classifier,
    doubling,
    encoder,
    latent_discriminator,
)


def classification_loss(logits: Tensor, domain: Tensor) -> Tensor:
    """Return the cross-entropy of (N, K) logits with the domains (N,)."""
    return F.cross_entropy(full_precision(logits), domain)


class Fader(Method):
    """Fader Networks with the domain as the attribute, for any number of domains.

    `encode` returns the code E(x) as the common code. There is no separate code: the domain vector
    takes its place. `add` decodes the code of a as an image of B and ignores the guide. `remove`
    decodes the code of b as an image of A.
    """

    name = "fader"
    summary = "a code that must not tell the domain, a decoder that takes it; no guide"
    paper = "Lample, Zeghidour, Usunier, Bordes, Denoyer, Ranzato, NIPS 2017"
    guided = False
    published_steps = 1_562_500  # 1000 epochs of 50 000 images, 32 a step

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released code.

        batch_size: images per domain in a step. The first half of them updates the critics, the
        rest updates the autoencoder. With two domains, 32 gives both the published 32 images.
        width: channels of the first block. Each block doubles them, up to 16 widths.
        reconstruction: squared ("mse") or absolute ("l1") error. The published one is squared.
        confusion_weight: final weight of the loss that makes the latent discriminator wrong.
        patch_weight: final weight of the loss that makes D(E(x), y), of another domain y, look real
        to a patch discriminator. classifier_weight: that of the loss that makes it look like domain
        y to a classifier. A critic whose weight is 0 does not exist.
        smoothing: distance from 0 and 1 of the targets of the patch discriminator.
        ramp: the three weights grow from 0 to their final values in this fraction of the training,
        in (0, 1]. The released code fixes 500 000 steps.
        clip_norm: largest gradient norm of the autoencoder, and of each critic.
        """

        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = 2e-4
        discriminator_learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=1e-3)] = (
            2e-4
        )
        beta1: float = 0.5
        beta2: float = 0.999
        width: Annotated[int, Choice((8, 16, 24, 32), start=16)] = 32
        reconstruction: Annotated[Literal["mse", "l1"], Choice(("mse", "l1"), start="l1")] = "mse"
        reconstruction_weight: float = 1.0
        confusion_weight: Annotated[float, Range(1e-4, 0.1, log=True, start=0.01)] = 1e-4
        patch_weight: float = 0.0
        classifier_weight: float = 0.0
        smoothing: float = 0.2
        ramp: float = 0.32
        clip_norm: float = 5.0

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.batch_size < 2:
                raise ValueError(
                    "batch_size is 1, but a step needs one image for each of two parts"
                )
            if not 0 < self.ramp <= 1:
                raise ValueError(
                    f"ramp is {self.ramp}, but it is a fraction of the training, in (0, 1]"
                )

    step: Tensor

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        blocks = levels(spec.size)
        if config.patch_weight and spec.size < 32:
            raise ValueError(
                f"image size {spec.size} is too small for the patch discriminator: use 32 or more, "
                "or patch_weight 0"
            )
        widths = doubling(config.width, spec.size.bit_length() - 1)
        self.encoder = encoder(spec.channels, widths[:blocks])
        self.decoder = Decoder(spec.channels, widths[:blocks], spec.domains)
        self.critics = nn.ModuleDict()
        if config.confusion_weight:
            side = spec.size >> blocks
            self.critics["latent"] = latent_discriminator(widths, side, spec.domains)
        if config.patch_weight:
            self.critics["patch"] = PatchDiscriminator(spec.channels, config.width)
        if config.classifier_weight:
            self.critics["classifier"] = classifier(spec.channels, widths, spec.domains)

        def adam(parameters: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, rate, (config.beta1, config.beta2), fused=True)

        self._optimizers = {
            name: adam(list(net.parameters()), config.discriminator_learning_rate)
            for name, net in self.critics.items()
        }
        autoencoder = [*self.encoder.parameters(), *self.decoder.parameters()]
        self._optimizers["autoencoder"] = adam(autoencoder, config.learning_rate)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.prepare(self.published_steps)

    def prepare(self, steps: int) -> None:
        """Turn the ramp, a fraction of the training, into a number of steps."""
        self._ramp_steps = max(1, round(self.config.ramp * steps))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers of the critics and of the autoencoder, in their order of steps."""
        return self._optimizers

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update the critics on the first half of the batch, then the autoencoder on the rest.

        While one side is trained, the other side is in eval mode.
        """
        halves = [x.tensor_split([len(x) // 2]) for x in batch]
        domain = [torch.full((len(x),), k, device=x.device) for k, x in enumerate(batch)]
        labels = [y.tensor_split([len(y) // 2]) for y in domain]
        (x_critics, x), (y_critics, y) = (
            [torch.cat(part) for part in zip(*of_domains, strict=True)]
            for of_domains in (halves, labels)
        )
        self._train_only(self.critics)
        logs = self._update_critics(x_critics, y_critics)
        self._train_only(self.encoder, self.decoder)
        logs |= self._update_autoencoder(x, y)
        self.train()
        self.step += 1
        return {name: value.detach() for name, value in logs.items()}

    def _train_only(self, *nets: nn.Module) -> None:
        """Set some networks to train mode and all others to eval mode."""
        self.eval()
        for net in nets:
            net.train()

    def _update_critics(self, x: Tensor, domain: Tensor) -> dict[str, Tensor]:
        """Update each critic on images (N, 3, S, S) and their domains (N,)."""
        logs: dict[str, Tensor] = {}
        with torch.no_grad():
            code = self.encoder(x)
        for name, critic in self.critics.items():
            if name == "latent":
                loss = classification_loss(critic(code), domain)
            elif name == "classifier":
                loss = classification_loss(critic(x), domain)
            else:
                with torch.no_grad():
                    fake = self.decoder(code, self._one_hot(self._another(domain)))
                loss = binary_cross_entropy(critic(x), 1 - self.config.smoothing)
                loss = loss + binary_cross_entropy(critic(fake), self.config.smoothing)
            logs[f"critic_{name}"] = loss
            self._update(name, critic.parameters(), loss)
        return logs

    def _update_autoencoder(self, x: Tensor, domain: Tensor) -> dict[str, Tensor]:
        """Update the encoder and the decoder on images (N, 3, S, S) and their domains (N,)."""
        c, logs = self.config, {}
        code = self.encoder(x)
        output = self.decoder(code, self._one_hot(domain))
        logs["reconstruction"] = reconstruction_loss(c.reconstruction, output, x)
        loss = c.reconstruction_weight * logs["reconstruction"]
        grown = min(1.0, int(self.step) / self._ramp_steps)
        self.critics.requires_grad_(False)
        if "latent" in self.critics:
            wrong = self._another(domain)
            logs["confusion"] = classification_loss(self.critics["latent"](code), wrong)
            loss = loss + grown * c.confusion_weight * logs["confusion"]
        if "patch" in self.critics or "classifier" in self.critics:
            wanted = self._another(domain)
            moved = self.decoder(code, self._one_hot(wanted))
            if "patch" in self.critics:
                logs["realism"] = binary_cross_entropy(
                    self.critics["patch"](moved), 1 - c.smoothing
                )
                loss = loss + grown * c.patch_weight * logs["realism"]
            if "classifier" in self.critics:
                said = self.critics["classifier"](moved)
                logs["translated_domain"] = classification_loss(said, wanted)
                loss = loss + grown * c.classifier_weight * logs["translated_domain"]
        self.critics.requires_grad_(True)
        nets = (self.encoder, self.decoder)
        self._update("autoencoder", [p for net in nets for p in net.parameters()], loss)
        return logs

    def _update(self, name: str, parameters: Iterable[nn.Parameter], loss: Tensor) -> None:
        optimizer = self._optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        optimizer.step()

    def _another(self, domain: Tensor) -> Tensor:
        """Return a random other domain for each domain of (N,). Of two, it is the other one."""
        shift = torch.randint(1, self.spec.domains, domain.shape, device=domain.device)
        return (domain + shift) % self.spec.domains

    def _one_hot(self, domain: Tensor) -> Tensor:
        """Return (N, K) domain vectors of the domains (N,)."""
        return F.one_hot(domain, self.spec.domains).to(next(self.parameters()).dtype)

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return E(x) as common code. There is no separate code."""
        return Codes(self.encoder(x))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return D(z1, y) with the domain vector y of a domain."""
        domains = torch.full((len(codes.common),), domain, device=codes.common.device)
        return self.decoder(codes.common, self._one_hot(domains))

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return D(E(a), B). The guide is ignored."""
        return self.decode(self.encode(a, 0), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Return D(E(b), A)."""
        return self.decode(self.encode(b, 1), 0)
