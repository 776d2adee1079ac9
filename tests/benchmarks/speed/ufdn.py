"""The plain step of UFDN, with a critic and without a classifier."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig
from bench.contracts.task import Spec

from .plain import PlainStep


class Ufdn(PlainStep):
    """Encodes the images anew for each loss, as the released code does."""

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__(spec, config)
        c = self.config
        stages = spec.size.bit_length() - 1
        widths = [c.width << min(k, 4) for k in range(stages - 1)]
        latent = 16 * c.width
        layers: list[nn.Module] = []
        for i, o in pairwise([3, *widths]):
            layers += [nn.Conv2d(i, o, 4, 2, 1), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*layers)
        self.mu = nn.Conv2d(widths[-1], latent, 4, 2, 1)
        self.logvar = nn.Conv2d(widths[-1], latent, 4, 2, 1)
        layers = []
        for i, o in pairwise([latent + spec.domains, *reversed(widths)]):
            layers += [nn.ConvTranspose2d(i, o, 4, 2, 1), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(widths[0], 3, 4, 2, 1), nn.Tanh())
        layers = []
        for i, o in pairwise([latent, *(max(latent >> k, 2) for k in (1, 2, 3, 4)), spec.domains]):
            layers += [nn.Linear(i, o), nn.LeakyReLU(0.2)]
        self.feature = nn.Sequential(*layers[:-1])
        critic = [c.critic_width << k for k in range(stages - 1)]
        layers = []
        for i, o in pairwise([3, *critic]):
            layers += [nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.2)]
        side = spec.size >> len(critic)
        self.trunk = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(critic[-1] * side * side, c.critic_hidden),
            nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.score = nn.Linear(c.critic_hidden, 1)
        self.domain = nn.Linear(c.critic_hidden, spec.domains)

        def adam(*nets: nn.Module) -> torch.optim.Adam:
            parameters = [p for net in nets for p in net.parameters()]
            return torch.optim.Adam(parameters, c.learning_rate, (c.beta1, c.beta2))

        self.main_adam = adam(self.encoder, self.mu, self.logvar, self.decoder)
        self.feature_adam = adam(self.feature)
        self.critic_adam = adam(self.trunk, self.score, self.domain)
        self.weights = [
            c.reconstruction_start, c.kl_weight, c.feature_start, c.penalty_weight, c.pixel_start,
        ]  # fmt: skip

    def sample(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return a draw of the latent, its mean and its log variance."""
        h = self.encoder(x)
        mu, logvar = self.mu(h).flatten(1), self.logvar(h).flatten(1)
        return mu + torch.randn_like(mu) * (0.5 * logvar).exp(), mu, logvar

    def decode(self, z: Tensor, code: Tensor) -> Tensor:
        """Return images of latents and domain vectors."""
        return self.decoder(torch.cat([z, code], 1)[:, :, None, None])

    def critic(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and domain logits."""
        h = self.trunk(x)
        return self.score(h), self.domain(h)

    def step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update D_v, D_x and the autoencoder; the loss weights stay those of the first step."""
        entropy = F.binary_cross_entropy_with_logits
        w_image, w_kl, w_feature, w_penalty, w_pixel = self.weights
        x, n = torch.cat(batch), len(batch[0])
        code = torch.eye(len(batch), dtype=x.dtype).repeat_interleave(n, 0)
        target = code.roll(-n, 0)
        logs: dict[str, Tensor] = {}

        logs["feature_discriminator"] = entropy(self.feature(self.sample(x)[0].detach()), code)
        self.feature_adam.zero_grad()
        logs["feature_discriminator"].backward()
        self.feature_adam.step()

        real, said = self.critic(x)
        fake = self.decode(self.sample(x)[0], target).detach()
        logs["critic_domain"], logs["critic_real"] = entropy(said, code), real.mean()
        logs["critic_fake"] = self.critic(fake)[0].mean()
        alpha = torch.rand(len(x), 1, 1, 1, dtype=x.dtype)
        between = (alpha * x + (1 - alpha) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between)[0].sum(), between, create_graph=True)
        logs["penalty"] = (slope.norm(dim=1) - 1).square().mean()
        self.critic_adam.zero_grad()
        loss = logs["critic_domain"] + logs["critic_fake"] - logs["critic_real"]
        (loss + w_penalty * logs["penalty"]).backward()
        self.critic_adam.step()

        self.main_adam.zero_grad()
        z, mu, logvar = self.sample(x)
        logs["reconstruction"] = F.mse_loss(self.decode(z, code), x)
        logs["kl"] = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()
        (w_image * logs["reconstruction"] + w_kl * logs["kl"]).backward()
        logs["confusion"] = entropy(self.feature(self.sample(x)[0]), 1 - code)
        (w_feature * logs["confusion"]).backward()
        fake = self.decode(self.sample(x)[0].detach(), target)
        self.sample(fake)  # moves the statistics of batch norm
        score, said = self.critic(fake)
        logs["translated_score"], logs["translated_domain"] = score.mean(), entropy(said, target)
        (w_pixel * (logs["translated_domain"] - logs["translated_score"])).backward()
        self.main_adam.step()
        return logs
