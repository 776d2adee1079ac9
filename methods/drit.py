"""Diverse Image-to-Image Translation via Disentangled Representations.

Lee, Tseng, Huang, Singh, Yang, ECCV 2018 (arXiv 1808.00948); with ``mode_seeking`` DRIT++ (IJCV
2020, arXiv 1905.01270). Encoders split an image into a content map and a vector of eight
attributes. A content discriminator makes the maps of both domains alike, so the attributes must
encode the difference between the domains. The method translates images by exchanging attributes,
and then translates them back (the cross-cycle). Attributes describe *style*, which is uniform over
the image. The literature therefore says that they miss separate content.

This is our own code. It follows what the released code does (HsinYingLee/DRIT, commit f19f50a),
which has no licence.
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
from bench.methods.networks.drit import (
    A,
    B,
    ConcatGenerator,
    ContentEncoder,
    DomainDiscriminator,
    MixGenerator,
    PlainAttributes,
    VariationalAttributes,
    content_discriminator,
)
from bench.methods.networks.drit_blocks import initialise
from bench.methods.networks.drit_updates import (
    Pass,
    attribute_prior,
    judged,
    says,
    total,
    update_twice,
)


class DRIT(Method):
    """DRIT, or DRIT++ with `mode_seeking`."""

    name = "drit"
    summary = "content map and attribute vector, cross-cycle translation, five discriminators"
    paper = "Lee, Tseng, Huang, Singh, Yang, ECCV 2018"
    guided = True
    published_steps = 500_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released code.

        batch_size: images per domain in a step. A step splits them into d_iter parts. The first
        d_iter - 1 parts train only the content discriminator. The last part trains all networks.
        The first half of a part is encoded. The second half is the real data of the second pair of
        discriminators.
        concat: if true, the attributes are appended to every feature map and have a distribution.
        If false, they are deterministic and an input of every block, for changes of shape.
        nz: number of attributes.
        second_backward: how the gradient of the generator's second update is computed. "stale"
        (released code): from the activations before the first update and the weights after it.
        "old_weights": both gradients are computed before both updates. "recompute": from a second
        forward pass.
        scales: number of scales of the domain discriminators. spectral: with spectral norm.
        """

        batch_size: Annotated[int, Choice((6, 12, 24), start=24)] = 6
        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=5e-4)] = 1e-4
        content_learning_rate: Annotated[float, Range(4e-5, 1.2e-3, log=True, start=2e-4)] = 4e-5
        beta1: float = 0.5
        beta2: float = 0.999
        weight_decay: float = 1e-4
        width: Annotated[int, Choice((8, 16, 32, 64), start=16)] = 64
        nz: int = 8
        concat: bool = True
        scales: Annotated[int, Choice((2, 3), start=2)] = 3
        spectral: bool = False
        d_iter: int = 3
        mode_seeking: bool = False
        second_backward: Literal["stale", "old_weights", "recompute"] = "stale"
        reconstruction_weight: Annotated[float, Range(3.0, 100.0, log=True)] = 10.0
        latent_weight: float = 10.0
        prior_weight: float = 0.01
        content_weight: Annotated[float, Range(0.1, 10.0, log=True)] = 1.0
        domain_weight: float = 1.0
        mode_seeking_weight: float = 1.0
        clip_norm: float = 5.0

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        size, w, channels = spec.size, config.width, spec.channels
        if size < 32 or size % 4:
            raise ValueError(f"image size {size} does not fit: use a multiple of 4 from 32 on")
        if config.d_iter < 1 or config.batch_size < config.d_iter + 1:
            raise ValueError(
                f"batch_size {config.batch_size} is too small for d_iter {config.d_iter}: it must "
                "leave two images for the full update"
            )
        self.content = ContentEncoder(channels, w)
        if config.concat:
            self.attributes: nn.Module = VariationalAttributes(channels, w, config.nz)
            self.generator: ConcatGenerator | MixGenerator = ConcatGenerator(channels, w, config.nz)
        else:
            self.attributes = PlainAttributes(channels, w, config.nz)
            self.generator = MixGenerator(channels, w, config.nz)
        self.cross_critics, self.random_critics = (
            nn.ModuleList(
                DomainDiscriminator(channels, size, w, config.scales, config.spectral)
                for _ in (A, B)
            )
            for _ in range(2)
        )
        self.content_critic = content_discriminator(size, w)
        initialise(self)

        betas, decay, rate = (config.beta1, config.beta2), config.weight_decay, config.learning_rate

        def adam(net: nn.Module, rate: float) -> torch.optim.Optimizer:
            return torch.optim.Adam(net.parameters(), rate, betas, weight_decay=decay, fused=True)

        self._optimizers = {
            "cross_a": adam(self.cross_critics[A], rate),
            "random_a": adam(self.random_critics[A], rate),
            "cross_b": adam(self.cross_critics[B], rate),
            "random_b": adam(self.random_critics[B], rate),
            "content_critic": adam(self.content_critic, config.content_learning_rate),
            "content": adam(self.content, rate),
            "attributes": adam(self.attributes, rate),
            "generator": adam(self.generator, rate),
        }

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the eight optimisers, in the order in which they step."""
        return self._optimizers

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update the content discriminator d_iter - 1 times, then all networks once."""
        alone = self.config.d_iter - 1
        part = len(batch[A]) // self.config.d_iter
        logs: dict[str, Tensor] = {}
        if alone:  # the content encoder does not change in between, so it sees all parts at once
            seen = max(1, part // 2)
            first = [x[: alone * part].unflatten(0, (alone, part))[:, :seen] for x in batch]
            with torch.no_grad():
                content = self.content.both([x.flatten(0, 1) for x in first])
            for maps in zip(*(c.split(seen) for c in content), strict=True):
                logs["content_alone"] = self._update_content_critic([self._noisy(c) for c in maps])
        return logs | self._full_update([x[alone * part :] for x in batch])

    def _full_update(self, batch: list[Tensor]) -> dict[str, Tensor]:
        half = len(batch[A]) // 2
        encoded, others = [x[:half] for x in batch], [x[half:] for x in batch]
        made = self._pass(encoded)
        logs = {}
        for d, letter in ((A, "a"), (B, "b")):
            cross, random = f"cross_{letter}", f"random_{letter}"
            logs[cross] = self._update_critic(
                cross, self.cross_critics[d], encoded[d], [made.cross[d]]
            )
            logs[random] = self._update_critic(
                random, self.random_critics[d], others[d], made.random[d]
            )
        logs["content_critic"] = self._update_content_critic(made.content)
        first = self._first_losses(encoded, made)
        second: dict[str, Tensor] = {}

        def second_loss() -> Tensor:
            recompute = self.config.second_backward == "recompute"
            second.update(self._second_losses(self._pass(encoded) if recompute else made))
            return total(second)

        update_twice(self._optimizers, total(first), second_loss, self.config.second_backward)
        return {name: value.detach() for name, value in (logs | first | second).items()}

    def _pass(self, x: list[Tensor]) -> Pass:
        """Encode (N, 3, H, W) images of A and of B, exchange attributes, and translate back."""
        n = len(x[A])
        content = [self._noisy(c) for c in self.content.both(x)]
        attributes = [self.attributes(x[d], d) for d in (A, B)]
        z = [self._draw_attributes(*pair) for pair in attributes]
        draws = [self._normal(z[A]) for _ in range(2 if self.config.mode_seeking else 1)]
        cross, same, random = [], [], []
        shared = self.generator.shared(torch.cat(content)).split(n)
        for d, other in ((A, B), (B, A)):
            h, twice = torch.cat([shared[other], shared[d]]), torch.cat([z[d], z[d]])
            pictures = self.generator.paint(h, twice, d).split(n)
            cross.append(pictures[0])
            same.append(pictures[1])
            # apart from the others, because only the second update needs their gradient
            h = torch.cat([shared[other]] * len(draws))
            random.append(list(self.generator.paint(h, torch.cat(draws), d).split(n)))
        # the content of a translated image of A comes from B, so it is used as content of B
        swapped = [self._noisy(c) for c in self.content.both(cross)]
        back = [self._draw_attributes(*self.attributes(cross[d], d)) for d in (A, B)]
        shared = self.generator.shared(torch.cat(swapped)).split(n)
        again = [self.generator.paint(shared[1 - d], back[d], d) for d in (A, B)]
        found = [self.attributes(random[d][0], d)[0] for d in (A, B)]
        mean, logvar = zip(*attributes, strict=True)
        return Pass(content, list(mean), list(logvar), cross, same, random, again, draws, found)

    def _noisy(self, content: Tensor) -> Tensor:
        """Return a content map with the training noise, N(0, 1) for every element."""
        return content + self._normal(content)

    def _draw_attributes(self, mean: Tensor, logvar: Tensor | None) -> Tensor:
        if logvar is None:
            return mean
        return mean + (logvar / 2).exp() * self._normal(mean)

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn_like(like)

    def _update_critic(
        self, name: str, critic: nn.Module, real: Tensor, fakes: list[Tensor]
    ) -> Tensor:
        """Update a domain discriminator. The real images count once for each set of fake images."""
        shown = [x for fake in fakes for x in (fake.detach(), real)]
        said = judged(critic, shown, together=not self.config.spectral)
        losses = [says(maps, float(at % 2)) for at, maps in enumerate(said)]
        loss = torch.stack(losses).sum()
        self._optimizers[name].zero_grad()
        loss.backward()
        self._optimizers[name].step()
        return loss.detach()

    def _update_content_critic(self, content: list[Tensor]) -> Tensor:
        of_a, of_b = self.content_critic(torch.cat(content).detach()).chunk(2)
        loss = says(of_a, 0.0) + says(of_b, 1.0)
        optimizer = self._optimizers["content_critic"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.content_critic.parameters(), self.config.clip_norm)
        optimizer.step()
        return loss.detach()

    def _first_losses(self, x: list[Tensor], made: Pass) -> dict[str, Tensor]:
        """Return the weighted losses of the first update (of the encoders and the generator)."""
        c, losses = self.config, {}
        said = self.content_critic(torch.cat(made.content)).chunk(2)
        for d, letter in ((A, "a"), (B, "b")):
            content, mean, logvar = made.content[d], made.mean[d], made.logvar[d]
            losses[f"confusion_{letter}"] = c.content_weight * says(said[d], 0.5)
            judged_cross = self.cross_critics[d](made.cross[d])
            cycle, same = F.l1_loss(made.again[d], x[d]), F.l1_loss(made.same[d], x[d])
            losses[f"realism_{letter}"] = c.domain_weight * says(judged_cross, 1.0)
            losses[f"cycle_{letter}"] = c.reconstruction_weight * cycle
            losses[f"reconstruction_{letter}"] = c.reconstruction_weight * same
            losses[f"attribute_prior_{letter}"] = c.prior_weight * attribute_prior(mean, logvar)
            losses[f"content_prior_{letter}"] = c.prior_weight * content.square().mean()
        return {name: loss.to(x[A].dtype) for name, loss in losses.items()}

    def _second_losses(self, made: Pass) -> dict[str, Tensor]:
        """Return the weighted losses of the second update (content encoder and generator)."""
        c, losses = self.config, {}
        for d, letter in ((A, "a"), (B, "b")):
            said = [says(self.random_critics[d](fake), 1.0) for fake in made.random[d]]
            losses[f"random_realism_{letter}"] = c.domain_weight * torch.stack(said).sum()
            losses[f"latent_{letter}"] = c.latent_weight * F.l1_loss(made.found[d], made.z[0])
            if c.mode_seeking:
                apart = (made.random[d][1] - made.random[d][0]).abs().mean()
                apart = apart / (made.z[1] - made.z[0]).abs().mean()
                losses[f"mode_seeking_{letter}"] = c.mode_seeking_weight / (apart + 1e-5)
        dtype = next(self.parameters()).dtype
        return {name: loss.to(dtype) for name, loss in losses.items()}

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the content map as common code, and the mean of the attributes as separate code.

        The content discriminator makes the maps of both domains alike. So only the attributes can
        hold the difference between the domains.
        """
        return Codes(self.content(x, domain), self.attributes(x, domain)[0])

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images of a domain. A missing separate code means zero, the mean of the prior."""
        z = codes.separate
        if z is None:
            z = codes.common.new_zeros(len(codes.common), self.config.nz)
        return self.generator(codes.common, z, domain)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Decode the content of a with the attributes of the guide, as an image of B."""
        return self.decode(Codes(self.content(a, A), self.attributes(guide, B)[0]), B)

    def remove(self, b: Tensor) -> Tensor:
        """Decode the content of b with the mean attributes of the prior, as an image of A.

        The paper does not define removal. Without a guide, it draws the attributes from the prior.
        """
        return self.decode(Codes(self.content(b, B)), A)
