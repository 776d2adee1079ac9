"""A Unified Feature Disentangler for Multi-Domain Image Translation and Manipulation.

Liu, Liu, Yeh, Wang, NeurIPS 2018. The method is a variational autoencoder whose decoder takes the
domain as an input. A discriminator D_v predicts the domain from the latent. The encoder is trained
to make D_v wrong, so that the latent holds only what all domains share. A critic D_x with a domain
head judges translated images. The decoder gets only the domain of the guide, so all guides add the
same separate content.

The code follows the released code (Alexander-H-Liu/UFDN, MIT), including its bugs: the scales of
batch norms start at N(0, 0.02) instead of N(1, 0.02), and the gradient penalty takes its norm over
channels.
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
from bench.methods.networks.blocks import reconstruction_loss
from bench.methods.networks.ufdn import VAE, PixelCritic, initialise, perceptron, statistics_of
from bench.methods.networks.ufdn_losses import advance, kl_divergence, require_fraction, schedule_of


class UFDN(Method):
    """UFDN. `Config` is the released configuration for faces, `Config.digits` for digits."""

    name = "ufdn"
    summary = "one latent for all domains, a decoder that takes the domain; no guide"
    paper = "Liu, Liu, Yeh, Wang, NeurIPS 2018"
    guided = False
    published_steps = 250_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released configuration for faces.

        width: channels of the first block. Each block doubles them, up to 16 widths.
        widths, latent, feature_widths: explicit sizes that replace the default rule. By default,
        the latent (latent 0) has 16 widths and D_v halves it four times. critic_width is the number
        of channels of the first block of D_x.
        *_start, *_weight, *_ramp: a loss weight moves linearly from its start to its final value in
        this fraction of the training, in (0, 1]. The released code fixes 1000 and 10 000 steps of
        250 000.
        penalty: the axes over which the gradient penalty takes its norm: the "channel" axis of each
        pixel (released code) or each whole "sample" (WGAN-GP).
        pixel: whether there is a D_x.
        reconstruction: squared ("mse", released code) or absolute ("l1") error.
        classes: number of classes of the digit classifier, or 0 for no classifier.
        invert: the domains whose images are inverted at every odd step.
        """

        batch_size: Annotated[int, Choice((8, 16, 32), start=16)] = 32
        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=5e-4)] = 1e-4
        beta1: float = 0.5
        beta2: float = 0.999
        width: Annotated[int, Choice((8, 16, 24, 32, 64), start=16)] = 64
        widths: tuple[int, ...] = ()
        latent: int = 0
        feature_widths: tuple[int, ...] = ()
        pixel: bool = True
        critic_width: int = 16
        critic_hidden: int = 512
        classes: int = 0
        invert: tuple[int, ...] = ()
        penalty: Literal["channel", "sample"] = "channel"
        reconstruction: Annotated[Literal["mse", "l1"], Choice(("mse", "l1"))] = "mse"
        reconstruction_start: float = 100.0
        reconstruction_weight: Annotated[float, Range(0.5, 50.0, log=True, start=10.0)] = 1.0
        reconstruction_ramp: float = 0.004
        kl_weight: float = 1e-6
        feature_start: float = 0.0
        feature_weight: Annotated[float, Range(0.1, 10.0, log=True)] = 1.0
        feature_ramp: Annotated[float, Range(0.01, 1.0, log=True, start=0.5)] = 0.04
        penalty_weight: float = 100.0
        pixel_start: float = 0.0
        pixel_weight: float = 1e-6
        pixel_class_weight: float = 1e-6
        pixel_ramp: float = 0.04

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("reconstruction_ramp", "feature_ramp", "pixel_ramp"):
                require_fraction(name, getattr(self, name))

        @classmethod
        def digits(cls, **changes: object) -> UFDN.Config:
            """Return the released configuration for digits: a classifier on z and no D_x."""
            values: dict[str, object] = {
                "batch_size": 16,
                "width": 128,
                "feature_widths": (1024, 256),
                "pixel": False,
                "classes": 10,
                "invert": (1,),
                "reconstruction_start": 1.0,
                "kl_weight": 1e-7,
                "feature_start": 0.1,
                "feature_weight": 0.1,
            }
            return cls(**values | changes)  # type: ignore[arg-type]

    step: Tensor
    weights: Tensor

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        stages = spec.size.bit_length() - 1
        if spec.size != 1 << stages or stages < 3:
            raise ValueError(f"image size {spec.size} does not fit: use a power of two from 8 on")
        widths = list(config.widths) or [config.width << min(k, 4) for k in range(stages - 1)]
        latent = config.latent or 16 * config.width
        feature = list(config.feature_widths) or [max(latent >> k, 2) for k in (1, 2, 3, 4)]
        self.vae = VAE(spec.channels, widths, latent, spec.domains)
        self.feature = perceptron([latent, *feature, spec.domains])
        nets: list[nn.Module] = [self.vae, self.feature]
        trained = list(self.vae.parameters())
        if config.pixel:
            critic = [config.critic_width << k for k in range(stages - 1)]
            self.critic = PixelCritic(
                spec.channels, spec.size, critic, config.critic_hidden, spec.domains
            )
            nets.append(self.critic)
        if config.classes:
            self.classifier = nn.Linear(latent, config.classes)
            trained += self.classifier.parameters()
        for net in nets:
            initialise(net)

        def adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            betas = (config.beta1, config.beta2)
            return torch.optim.Adam(parameters, config.learning_rate, betas, fused=True)

        self._optimizers = {"feature": adam(list(self.feature.parameters()))}
        if config.pixel:
            self._optimizers["critic"] = adam(list(self.critic.parameters()))
        self._optimizers["main"] = adam(trained)

        self.prepare(self.published_steps)
        self.register_buffer("weights", self._schedule[:, 0].clone())
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def prepare(self, steps: int) -> None:
        """Turn the ramps of the loss weights, fractions of the training, into numbers of steps."""
        c = self.config
        ramps = [
            (c.reconstruction_start, c.reconstruction_weight, c.reconstruction_ramp),
            (c.kl_weight, c.kl_weight, 0),
            (c.feature_start, c.feature_weight, c.feature_ramp),
            (c.penalty_weight, c.penalty_weight, 0),
            (c.pixel_start, c.pixel_weight, c.pixel_ramp),
            (c.pixel_start, c.pixel_class_weight, c.pixel_ramp),
        ]
        self._schedule = schedule_of(ramps, steps)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers of D_v, of D_x (if there is one) and of the autoencoder."""
        return self._optimizers

    def training_step(self, batch: list[Tensor], labels: Tensor | None = None) -> dict[str, Tensor]:
        """Update D_v, then D_x, then the encoder and decoder by the sum of their three losses.

        labels: classes of the images of the first domain, (N,), for the digit classifier.
        """
        x, code = self._joined(batch)
        others = 1 - code
        w_reconstruction, w_kl, w_feature, w_penalty, w_pixel, w_class = self.weights.tolist()
        logs: dict[str, Tensor] = {}

        # the released code encodes x for each loss, but the encoder does not change in between
        passes = 3 + 2 * self.config.pixel + (labels is not None and self.config.classes > 0)
        with statistics_of(self.vae.encoder, passes):
            mu, logvar = self.vae.encode(x)
        constant = mu.detach(), logvar.detach()

        logs["feature_discriminator"] = F.binary_cross_entropy_with_logits(
            self.feature(self._latent(*constant)).to(code.dtype), code
        )
        self._update("feature", logs["feature_discriminator"])
        if self.config.pixel:
            target = self._target(code, len(batch))
            logs |= self._update_critic(x, code, self._latent(*constant), target, w_penalty)

        output = self.vae.decode(self._latent(mu, logvar), code)
        logs["reconstruction"] = reconstruction_loss(self.config.reconstruction, output, x)
        logs["kl"] = kl_divergence(mu, logvar.to(x.dtype))
        logs["confusion"] = F.binary_cross_entropy_with_logits(
            self.feature(self._latent(mu, logvar)).to(code.dtype), others
        )
        loss = w_reconstruction * logs["reconstruction"] + w_kl * logs["kl"]
        loss = loss + w_feature * logs["confusion"]
        if self.config.pixel:
            fake = self.vae.decode(self._latent(*constant), target)
            with torch.no_grad():  # for batch-norm statistics only, as in the released code
                self._latent(*self.vae.encode(fake))
            score, said = self.critic(fake)
            logs["translated_score"] = score.to(code.dtype).mean()
            logs["translated_domain"] = F.binary_cross_entropy_with_logits(
                said.to(code.dtype), target
            )
            loss = loss + w_class * logs["translated_domain"] - w_pixel * logs["translated_score"]
        if self.config.classes and labels is not None:
            said = self.classifier(self._latent(mu, logvar)[: len(labels)])
            logs["classifier"] = F.cross_entropy(said.to(x.dtype), labels)
            loss = loss + logs["classifier"]
        self._update("main", loss)

        advance(self.weights, self._schedule)
        self.step += 1
        return {name: value.detach() for name, value in logs.items()}

    def _joined(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the images of all domains of a step, and their one-hot domain vectors."""
        odd = int(self.step) % 2 == 1
        parts = [-x if odd and at in self.config.invert else x for at, x in enumerate(batch)]
        of_domain = [self.domain_vector(len(x), at, like=x) for at, x in enumerate(batch)]
        # convolutions and batch norm are faster in this layout, and keep it
        x = torch.cat(parts).contiguous(memory_format=torch.channels_last)
        return x, torch.cat(of_domain)

    def _target(self, code: Tensor, domains: int) -> Tensor:
        """Return the target domains: the next domain at even steps, else the previous."""
        n = len(code) // domains
        return code.roll(-n if int(self.step) % 2 == 0 else n, 0)

    def _update_critic(
        self, x: Tensor, code: Tensor, z: Tensor, target: Tensor, w_penalty: float
    ) -> dict[str, Tensor]:
        real, said = self.critic(x)
        with torch.no_grad():
            fake = self.vae.decode(z, target).to(x.dtype)
        logs = {
            "critic_domain": F.binary_cross_entropy_with_logits(said.to(code.dtype), code),
            "critic_real": real.to(code.dtype).mean(),
            "critic_fake": self.critic(fake)[0].to(code.dtype).mean(),
            "penalty": self.gradient_penalty(x, fake),
        }
        loss = logs["critic_domain"] + logs["critic_fake"] - logs["critic_real"]
        self._update("critic", loss + w_penalty * logs["penalty"])
        return logs

    def gradient_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the mean of (|gradient of D_x| - 1)^2 between real and generated images."""
        alpha = self._uniform(real)
        between = (alpha * real + (1 - alpha) * fake).detach().requires_grad_() + 0
        score = self.critic(between)[0].sum()
        (gradient,) = torch.autograd.grad(score, between, create_graph=True)
        if self.config.penalty == "sample":
            gradient = gradient.flatten(1)
        norm = gradient.movedim(1, -1).contiguous().norm(dim=-1)  # faster than over axis 1
        return (norm - 1).square().mean()

    def _update(self, name: str, loss: Tensor) -> None:
        """Update the parameters of one optimiser; others get no gradient."""
        optimizer = self._optimizers[name]
        optimizer.zero_grad()
        loss.backward(inputs=optimizer.param_groups[0]["params"])
        optimizer.step()

    def _latent(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """Return a sample of z, (N, Z)."""
        return mu + self._normal(mu) * (0.5 * logvar).exp()

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn_like(like)

    def _uniform(self, like: Tensor) -> Tensor:
        return torch.rand(len(like), 1, 1, 1, device=like.device, dtype=like.dtype)

    def domain_vector(self, n: int, domain: int, like: Tensor) -> Tensor:
        """Return (n, K) one-hot vectors of a domain."""
        return F.one_hot(torch.full((n,), domain, device=like.device), self.spec.domains).to(
            like.dtype
        )

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the mean of the latent as common code, and the domain vector as separate code."""
        return Codes(self.vae.encode(x)[0], self.domain_vector(len(x), domain, x))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images in the domain of the separate code. If there is none, use `domain`."""
        code = codes.separate
        if code is None:
            code = self.domain_vector(len(codes.common), domain, codes.common)
        return self.vae.decode(codes.common, code)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Translate a to B. The guide is ignored."""
        return self.decode(Codes(self.vae.encode(a)[0]), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Translate b to A."""
        return self.decode(Codes(self.vae.encode(b)[0]), 0)
