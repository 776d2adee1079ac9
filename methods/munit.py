"""Multimodal Unsupervised Image-to-Image Translation (MUNIT).

Huang, Liu, Belongie, Kautz, ECCV 2018 (arXiv 1804.04732). Each domain has an encoder E^c for the
content, a map, and an encoder E^s for the style, a vector of eight numbers. Its decoder G takes the
style as the shifts and scales of its instance norms (AdaIN). An image is translated by decoding its
content with a style of the other domain, drawn from N(0, 1) in training. The codes of translated
images must be those they were made from, and a discriminator of each domain judges the images.
Nothing makes the contents of the domains alike.

This is our own code. It follows what the released code does (NVlabs/MUNIT, CC BY-NC-SA 4.0), from a
description of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import full_precision
from bench.methods.networks.munit import Discriminator, Generator, fitting_scales, initialise

A, B = 0, 1


def says(maps: list[Tensor], target: float) -> Tensor:
    """Return the squared error of a discriminator's maps, summed over its scales (LSGAN)."""
    return torch.stack([(one - target).square().mean() for one in maps]).sum()


def distance(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference."""
    return F.l1_loss(full_precision(output), full_precision(target))


def total(losses: dict[str, Tensor]) -> Tensor:
    """Return the sum of losses."""
    return torch.stack(list(losses.values())).sum()


class MUNIT(Method):
    """MUNIT, for two domains.

    `encode` returns the content E^c(x) as common code and the style E^s(x) as separate code. `add`
    decodes the content of a with the style of the guide, as an image of B. `remove` decodes the
    content of b with the mean style of the images of A, as an image of A.
    """

    name = "munit"
    summary = "content map and style vector that sets the norms of the decoder, two discriminators"
    paper = "Huang, Liu, Belongie, Kautz, ECCV 2018"
    guided = True
    published_steps = 1_000_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released configurations.

        width: channels of the first layer of all networks but the perceptron.
        style: number of style features. hidden: width of the perceptron that turns the style into
        the shifts and scales of the decoder. blocks: residual blocks of E^c and of G each.
        scales: number of scales of the discriminators. Those that do not fit are left out.
        cycle_weight: weight of the error of the image after a translation there and back. The
        released configurations have 0 for drawings of shoes and bags, and 10 for photographs.
        decay_every: the learning rate is halved after each such fraction of the training, in
        (0, 1]. The released code fixes 100 000 of 1 000 000 steps. A short training has a 512th of
        its first rate at its end, so a study searches this fraction.
        memory: decay of the running mean style of each domain, per step (our own).
        """

        batch_size: Annotated[int, Choice((1, 4, 8), start=4)] = 1
        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True, start=5e-4)] = 1e-4
        beta1: float = 0.5
        beta2: float = 0.999
        weight_decay: float = 1e-4
        width: Annotated[int, Choice((8, 16, 32, 64), start=16)] = 64
        style: int = 8
        hidden: int = 256
        blocks: int = 4
        scales: int = 3
        adversarial_weight: Annotated[float, Range(0.1, 10.0, log=True)] = 1.0
        reconstruction_weight: Annotated[float, Range(3.0, 100.0, log=True)] = 10.0
        style_weight: float = 1.0
        map_weight: float = 1.0
        cycle_weight: Annotated[float, Choice((0.0, 10.0))] = 0.0
        decay_every: Annotated[float, Choice((0.1, 0.25, 0.5, 1.0), start=0.5)] = 0.1
        memory: float = 0.99

        def __post_init__(self) -> None:
            super().__post_init__()
            if not 0 < self.decay_every <= 1:
                raise ValueError(
                    f"decay_every is {self.decay_every}, but it is a fraction of the training, in "
                    "(0, 1]"
                )
            for name in ("width", "style", "hidden"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}, but it must be at least 1")

    step: Tensor
    mean_styles: Tensor

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        c, channels = config, spec.channels
        scales = fitting_scales(spec.size, c.scales)
        self.generators = nn.ModuleList(
            Generator(channels, c.width, 2, c.blocks, c.style, c.hidden) for _ in (A, B)
        )
        self.critics = nn.ModuleList(Discriminator(channels, c.width, scales) for _ in (A, B))
        initialise(self.generators, partial(nn.init.kaiming_normal_, mode="fan_in"))
        initialise(self.critics, partial(nn.init.normal_, std=0.02))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean_styles", torch.zeros(2, c.style))
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(
                nets.parameters(),
                c.learning_rate,
                (c.beta1, c.beta2),
                weight_decay=c.weight_decay,
                fused=True,
            )
            for name, nets in (("critics", self.critics), ("generators", self.generators))
        }
        self.prepare(self.published_steps)

    def prepare(self, steps: int) -> None:
        """Turn `decay_every`, a fraction of the training, into a number of steps."""
        self._steps_to_halve = max(1, round(self.config.decay_every * steps))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the two optimisers, in the order in which they step."""
        return self._optimizers

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update the discriminators, then the generators. Each draws styles of its own."""
        a, b = batch
        x = [a, b]
        rate = self.config.learning_rate * 0.5 ** (int(self.step) // self._steps_to_halve)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        logs = self._update_critics(x) | self._update_generators(x)
        self.step += 1
        return {name: value.detach() for name, value in logs.items()}

    def _update_critics(self, x: list[Tensor]) -> dict[str, Tensor]:
        drawn = [self._draw_style(x[d]) for d in (A, B)]
        logs = {}
        with torch.no_grad():
            content = [self._of(d).content(x[d]) for d in (A, B)]
            fake = [self._of(d).decode(content[1 - d], drawn[d]) for d in (A, B)]
        for d, letter in ((A, "a"), (B, "b")):
            critic = self.critics[d]
            logs[f"critic_{letter}"] = says(critic(fake[d]), 0.0) + says(critic(x[d]), 1.0)
        self._update("critics", self.config.adversarial_weight * total(logs))
        return logs

    def _update_generators(self, x: list[Tensor]) -> dict[str, Tensor]:
        c, logs = self.config, {}
        drawn = [self._draw_style(x[d]) for d in (A, B)]
        content = [self._of(d).content(x[d]) for d in (A, B)]
        style = [self._of(d).style(x[d]) for d in (A, B)]
        same = [self._of(d).decode(content[d], style[d]) for d in (A, B)]
        fake = [self._of(d).decode(content[1 - d], drawn[d]) for d in (A, B)]
        # the content of a translated image of A comes from B
        content_again = [self._of(d).content(fake[d]) for d in (A, B)]
        style_again = [self._of(d).style(fake[d]) for d in (A, B)]
        self._remember(style)
        self.critics.requires_grad_(False)
        for d, letter in ((A, "a"), (B, "b")):
            target = x[d]
            logs[f"realism_{letter}"] = c.adversarial_weight * says(self.critics[d](fake[d]), 1.0)
            logs[f"reconstruction_{letter}"] = c.reconstruction_weight * distance(same[d], target)
            logs[f"style_{letter}"] = c.style_weight * distance(style_again[d], drawn[d])
            logs[f"content_{letter}"] = c.map_weight * distance(content_again[1 - d], content[d])
            if c.cycle_weight:
                back = self._of(d).decode(content_again[1 - d], style[d])
                logs[f"cycle_{letter}"] = c.cycle_weight * distance(back, target)
        self.critics.requires_grad_(True)
        self._update("generators", total(logs))
        return logs

    def _of(self, domain: int) -> Generator:
        return cast(Generator, self.generators[domain])

    def _update(self, name: str, loss: Tensor) -> None:
        self._optimizers[name].zero_grad()
        loss.backward()
        self._optimizers[name].step()

    def _draw_style(self, like: Tensor) -> Tensor:
        """Return styles of N(0, 1), one for each image."""
        return torch.randn(len(like), self.config.style, device=like.device, dtype=like.dtype)

    @torch.no_grad()
    def _remember(self, style: list[Tensor]) -> None:
        """Update the running mean styles of the domains."""
        share = torch.clamp(1 / (self.step + 1), min=1 - self.config.memory)
        now = torch.stack([of_domain.mean(0) for of_domain in style])
        self.mean_styles.lerp_(now.to(self.mean_styles.dtype), share.to(self.mean_styles.dtype))

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the content map as common code, and the style as separate code."""
        return Codes(self._of(domain).content(x), self._of(domain).style(x))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images of a domain. If there is no style, use the mean style of the domain."""
        style = codes.separate
        if style is None:
            style = self.mean_styles[domain].expand(len(codes.common), -1)
        return self._of(domain).decode(codes.common, style)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Decode the content of a with the style of the guide, as an image of B."""
        return self.decode(Codes(self._of(A).content(a), self._of(B).style(guide)), B)

    def remove(self, b: Tensor) -> Tensor:
        """Decode the content of b with the mean style of A, as an image of A."""
        return self.decode(Codes(self._of(B).content(b)), A)
