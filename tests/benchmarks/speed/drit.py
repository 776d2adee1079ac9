"""The plain step of DRIT, of the variant `concat` without mode seeking and spectral norm.

Its networks are stock layers of torch, so it takes those of `methods/`. The step is written anew.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig
from bench.contracts.task import Spec
from bench.methods.networks.drit import (
    ConcatGenerator,
    ContentEncoder,
    DomainDiscriminator,
    VariationalAttributes,
    content_discriminator,
)

from .plain import PlainStep

A, B = 0, 1


def says(maps: list[Tensor], target: float) -> Tensor:
    """Return the cross-entropy with one target: mean over a map, sum over scales."""
    losses = [F.binary_cross_entropy_with_logits(m, torch.full_like(m, target)) for m in maps]
    return torch.stack(losses).sum()


class Drit(PlainStep):
    """Every image passes every network alone where the released code says so."""

    def __init__(self, spec: Spec, config: BaseConfig) -> None:
        super().__init__(spec, config)
        c = self.config
        self.content = ContentEncoder(3, c.width)
        self.attributes = VariationalAttributes(3, c.width, c.nz)
        self.generator = ConcatGenerator(3, c.width, c.nz)
        self.cross, self.random = (
            nn.ModuleList(
                DomainDiscriminator(3, spec.size, c.width, c.scales, False) for _ in (A, B)
            )
            for _ in range(2)
        )
        self.content_critic = content_discriminator(spec.size, c.width)
        self.adams = {
            net: torch.optim.Adam(
                net.parameters(),
                c.content_learning_rate if net is self.content_critic else c.learning_rate,
                (c.beta1, c.beta2),
                weight_decay=c.weight_decay,
            )
            for net in (
                *self.cross, *self.random, self.content_critic, self.content, self.attributes,
                self.generator,
            )
        }  # fmt: skip

    def encode(self, x: Tensor, d: int) -> Tensor:
        """Return the content map with its noise."""
        content = self.content(x, d)
        return content + torch.randn_like(content)

    def draw(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """Return a draw of the attributes."""
        return mean + (logvar / 2).exp() * torch.randn_like(mean)

    def update(self, loss: Tensor, net: nn.Module) -> None:
        """Update one network by a loss."""
        self.adams[net].zero_grad()
        loss.backward()
        if net is self.content_critic:
            nn.utils.clip_grad_norm_(net.parameters(), self.config.clip_norm)
        self.adams[net].step()

    def step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update the content discriminator d_iter - 1 times, then all networks."""
        c = self.config
        logs: dict[str, Tensor] = {}
        part = len(batch[A]) // c.d_iter
        for at in range(c.d_iter - 1):
            first = [x[at * part :][: max(1, part // 2)] for x in batch]
            logs["content_alone"] = self.judge_content([self.encode(first[d], d) for d in (A, B)])
        rest = [x[(c.d_iter - 1) * part :] for x in batch]
        half = len(rest[A]) // 2
        x, others = [images[:half] for images in rest], [images[half:] for images in rest]

        content = [self.encode(x[d], d) for d in (A, B)]
        found = [self.attributes(x[d], d) for d in (A, B)]
        z = [self.draw(*pair) for pair in found]
        noise = torch.randn_like(z[A])
        pictures = [
            self.generator(
                torch.cat([content[1 - d], content[d], content[1 - d]]),
                torch.cat([z[d], z[d], noise]), d,
            ).split(half)
            for d in (A, B)
        ]  # fmt: skip
        cross, same, random = zip(*pictures, strict=True)
        swapped = [self.encode(cross[d], d) for d in (A, B)]
        back = [self.draw(*self.attributes(cross[d], d)) for d in (A, B)]
        again = [self.generator(swapped[1 - d], back[d], d) for d in (A, B)]
        attributes = [self.attributes(random[d], d)[0] for d in (A, B)]

        for d, letter in ((A, "a"), (B, "b")):
            for name, critics, fake, real in (
                ("cross", self.cross, cross[d], x[d]), ("random", self.random, random[d], others[d])
            ):  # fmt: skip
                net = critics[d]
                loss = says(net(fake.detach()), 0.0) + says(net(real), 1.0)
                self.update(loss, net)
                logs[f"{name}_{letter}"] = loss
        logs["content_critic"] = self.judge_content(content)

        losses = {}
        for d, letter in ((A, "a"), (B, "b")):
            mean, logvar = found[d]
            prior = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum() / half
            losses |= {
                f"confusion_{letter}": c.content_weight
                * says([self.content_critic(content[d])], 0.5),
                f"realism_{letter}": c.domain_weight * says(self.cross[d](cross[d]), 1.0),
                f"cycle_{letter}": c.reconstruction_weight * F.l1_loss(again[d], x[d]),
                f"reconstruction_{letter}": c.reconstruction_weight * F.l1_loss(same[d], x[d]),
                f"attribute_prior_{letter}": c.prior_weight * prior,
                f"content_prior_{letter}": c.prior_weight * content[d].square().mean(),
            }
        nets = (self.content, self.attributes, self.generator)
        for net in nets:
            self.adams[net].zero_grad()
        torch.stack(list(losses.values())).sum().backward(retain_graph=True)
        weights = tuple(p for net in nets for p in net.parameters())
        # the released code's torch did not notice that the weights have changed since the pass
        with torch.autograd._unsafe_preserve_version_counter(weights):  # type: ignore[attr-defined]
            for net in nets:
                self.adams[net].step()
        later = {}
        for d, letter in ((A, "a"), (B, "b")):
            later[f"random_realism_{letter}"] = c.domain_weight * says(
                self.random[d](random[d]), 1.0
            )
            later[f"latent_{letter}"] = c.latent_weight * F.l1_loss(attributes[d], noise)
        for net in (self.content, self.generator):
            self.adams[net].zero_grad()
        torch.stack(list(later.values())).sum().backward()
        for net in (self.content, self.generator):
            self.adams[net].step()
        return logs | losses | later

    def judge_content(self, content: list[Tensor]) -> Tensor:
        """Update the content discriminator and return its loss."""
        loss = says([self.content_critic(content[A].detach())], 0.0)
        loss = loss + says([self.content_critic(content[B].detach())], 1.0)
        self.update(loss, self.content_critic)
        return loss
