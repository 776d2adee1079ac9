"""The plain step of D2AE."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig
from bench.contracts.task import Spec

from .plain import PlainStep


class D2ae(PlainStep):
    """The decoder repeats pixels, then convolves."""

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__(spec, config)
        c, doublings = self.config, spec.size.bit_length() - 3
        layers: list[nn.Module] = []
        for i, o in pairwise([3, *(c.width << k for k in range(doublings))]):
            layers += [nn.Conv2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*layers)
        top = c.width << (doublings - 1)
        self.distil, self.dispel = (
            self.branch(top, 8 * c.width, features) for features in (c.distilled, c.dispelled)
        )
        features = c.distilled + c.dispelled
        widths = [8 * c.width, *(max(c.width, (8 * c.width) >> k) for k in range(doublings))]
        layers = [nn.ConvTranspose2d(features, widths[0], 4, bias=False)]
        layers += [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for i, o in pairwise(widths):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, 1, 1, bias=False)]
            layers += [nn.BatchNorm2d(o), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(widths[-1], 3, 3, 1, 1), nn.Tanh())
        self.classifier = nn.Linear(c.distilled, spec.domains)
        self.adversary = nn.Sequential(
            nn.Linear(c.dispelled, c.hidden), nn.LeakyReLU(0.2), nn.Linear(c.hidden, spec.domains)
        )
        self.deviation = torch.ones(features)
        nets = (self.encoder, self.distil, self.dispel, self.decoder, self.classifier)
        self.main = [p for net in nets for p in net.parameters()]
        betas = (c.beta1, c.beta2)
        self.adam = torch.optim.Adam(self.main, c.learning_rate, betas)
        self.adversary_adam = torch.optim.Adam(self.adversary.parameters(), c.learning_rate, betas)

    @staticmethod
    def branch(channels: int, width: int, features: int) -> nn.Sequential:
        """Return three convolutions, a linear layer and a norm without a scale."""
        layers: list[nn.Module] = []
        for i in (channels, width, width):
            layers += [nn.Conv2d(i, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.Flatten(), nn.Linear(16 * width, features)]
        return nn.Sequential(*layers, nn.BatchNorm1d(features, affine=False))

    def step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update all networks but the adversary, then the adversary a few times."""
        c, x = self.config, torch.cat(batch)
        labels = torch.arange(len(batch)).repeat_interleave(len(batch[0]))
        h = self.encoder(x)
        distilled, dispelled = self.distil(h), self.dispel(h)
        code = torch.cat([distilled, dispelled], 1)
        self.deviation = self.deviation.to(x).lerp(code.detach().std(0), 1 - c.memory)
        noisy = code + c.noise * self.deviation * torch.randn_like(code)
        # one pass, because batch norm would tell apart what is decoded in two
        output, noisy_output = self.decoder(torch.cat([code, noisy])[:, :, None, None]).chunk(2)
        logs = {
            "reconstruction": 0.5 * (output - x).square().flatten(1).sum(1).mean(),
            "noisy_reconstruction": 0.5 * (noisy_output - x).square().flatten(1).sum(1).mean(),
            "label": F.cross_entropy(self.classifier(distilled), labels),
            "confusion": -F.log_softmax(self.adversary(dispelled), 1).mean(),
        }
        images = (logs["reconstruction"] + logs["noisy_reconstruction"]) / self.spec.size**2
        self.adam.zero_grad()
        (
            images + c.label_weight * logs["label"] + c.confusion_weight * logs["confusion"]
        ).backward()
        nn.utils.clip_grad_norm_(self.main, c.clip_norm)
        self.adam.step()
        for _ in range(c.adversary_steps):
            logs["adversary"] = F.cross_entropy(self.adversary(dispelled.detach()), labels)
            self.adversary_adam.zero_grad()
            (c.confusion_weight * logs["adversary"]).backward()
            self.adversary_adam.step()
        return logs
