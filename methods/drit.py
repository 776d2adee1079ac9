"""Diverse Image-to-Image Translation via Disentangled Representations.

Lee, Tseng, Huang, Singh, Yang, ECCV 2018 (arXiv 1808.00948); with ``mode_seeking`` DRIT++ (IJCV
2020, arXiv 1905.01270). An image is a content map and a vector of eight attributes. A content
discriminator makes the maps of both domains alike, so what tells them apart must be an attribute;
images are translated by exchanging attributes and translated back (cross-cycle). Attributes are
meant for *style*, spread evenly over the image, which is why extra content is said to escape them.

Follows the facts of the released code (HsinYingLee/DRIT, commit f19f50a, no licence: not copied).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.task import Spec
from bench.methods._blocks import full_precision

A, B = 0, 1


def leaky(i: int, o: int, k: int, s: int, p: int, spectral: bool = False) -> nn.Sequential:
    """Return reflection padding, convolution, leaky ReLU of slope 0.01; there is no norm."""
    conv = normed(nn.Conv2d(i, o, k, s)) if spectral else nn.Conv2d(i, o, k, s)
    return nn.Sequential(nn.ReflectionPad2d(p), conv, nn.LeakyReLU(0.01))


def normed(conv: nn.Conv2d) -> nn.Module:
    """Return a convolution whose weight is divided by its largest singular value."""
    return nn.utils.spectral_norm(conv)


def padded(i: int, o: int, k: int = 3, s: int = 1, p: int = 1) -> list[nn.Module]:
    """Return reflection padding and a convolution."""
    return [nn.ReflectionPad2d(p), nn.Conv2d(i, o, k, s)]


def normal_conv(i: int, o: int, k: int, s: int, p: int) -> nn.Sequential:
    """Return a padded convolution, instance norm and ReLU."""
    return nn.Sequential(*padded(i, o, k, s, p), nn.InstanceNorm2d(o), nn.ReLU())


class Residual(nn.Module):
    """x plus two padded 3x3 convolutions with instance norm of it; nothing after the sum."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *padded(n, n), nn.InstanceNorm2d(n), nn.ReLU(), *padded(n, n), nn.InstanceNorm2d(n)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum, of the shape of x."""
        return x + self.body(x)


class AttributeResidual(nn.Module):
    """A residual block that is told a vector, (N, n), after each of its convolutions."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*padded(n, n), nn.InstanceNorm2d(n))
        self.second = nn.Sequential(*padded(n, n), nn.InstanceNorm2d(n))
        self.mix_first, self.mix_second = (
            nn.Sequential(nn.Conv2d(2 * n, 2 * n, 1), nn.ReLU(), nn.Conv2d(2 * n, n, 1), nn.ReLU())
            for _ in range(2)
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Return the sum, of the shape of x, (N, n, H, W)."""
        h = self.mix_first(with_vector(self.first(x), z))
        return self.mix_second(with_vector(self.second(h), z)) + x


class AttributeDown(nn.Module):
    """A residual block, activated first, that halves the side; no norm."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2), *padded(i, i), nn.LeakyReLU(0.2), *padded(i, o), nn.AvgPool2d(2)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(i, o, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, o, H/2, W/2)."""
        return self.body(x) + self.shortcut(x)


class ImageLayerNorm(nn.Module):
    """Layer norm over channels and positions of each image, then a scale for each channel."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normed x."""
        return F.layer_norm(x, x.shape[1:]) * self.weight + self.bias


def double(i: int, o: int) -> nn.Sequential:
    """Return a block that doubles the side."""
    return nn.Sequential(
        nn.ConvTranspose2d(i, o, 3, 2, 1, output_padding=1), ImageLayerNorm(o), nn.ReLU()
    )


def with_vector(x: Tensor, z: Tensor) -> Tensor:
    """Return maps (N, C, H, W) with a vector (N, k) behind them, as k constant maps."""
    return torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:]).to(x.dtype)], 1)


class ContentEncoder(nn.Module):
    """A branch for each domain, then a block that both share: (N, 4w, H/4, W/4), without noise."""

    def __init__(self, channels: int, w: int) -> None:
        super().__init__()
        self.shared = Residual(4 * w)
        self.branches = nn.ModuleList(
            nn.Sequential(
                leaky(channels, w, 7, 1, 3),
                normal_conv(w, 2 * w, 3, 2, 1),
                normal_conv(2 * w, 4 * w, 3, 2, 1),
                *(Residual(4 * w) for _ in range(3)),
            )
            for _ in (A, B)
        )

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """Return the content of (N, 3, H, W) images of a domain."""
        return self.shared(self.branches[domain](x))


class VariationalAttributes(nn.Module):
    """Mean and log variance of the attributes, (N, nz) each; nothing is shared (concat 1)."""

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        self.domains = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Linear(4 * w, nz),
                    nn.Linear(4 * w, nz),
                    nn.Sequential(
                        *padded(channels, w, 4, 2),
                        *(AttributeDown(w * k, w * (k + 1)) for k in (1, 2, 3)),
                        nn.LeakyReLU(0.2),
                        nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(),
                    ),
                ]
            )
            for _ in (A, B)
        )

    def forward(self, x: Tensor, domain: int) -> tuple[Tensor, Tensor]:
        """Return mean and log variance for images of a domain."""
        mean, logvar, trunk = self.domains[domain].children()
        h = trunk(x)
        return mean(h), logvar(h)


class PlainAttributes(nn.Module):
    """The attributes, (N, nz), without a distribution (concat 0)."""

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        widths = (w, 2 * w, 4 * w, 4 * w, 4 * w)
        self.domains = nn.ModuleList(
            nn.Sequential(
                *padded(channels, w, 7, 1, 3),
                nn.ReLU(),
                *(layer for i, o in pairwise(widths) for layer in (*padded(i, o, 4, 2), nn.ReLU())),
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(4 * w, nz, 1),
                nn.Flatten(),
            )
            for _ in (A, B)
        )

    def forward(self, x: Tensor, domain: int) -> tuple[Tensor, None]:
        """Return the attributes of images of a domain, and no log variance."""
        return self.domains[domain](x), None


class ConcatGenerator(nn.Module):
    """Content and attributes to an image, the vector laid behind every map (concat 1)."""

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        wide = 4 * w + nz
        half = (wide + nz) // 2
        quarter = (half + nz) // 2
        self.shared = Residual(4 * w)
        self.domains = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Sequential(*(Residual(wide) for _ in range(3))),
                    double(wide + nz, half),
                    double(half + nz, quarter),
                    nn.ConvTranspose2d(quarter + nz, channels, 1),
                ]
            )
            for _ in (A, B)
        )

    def forward(self, content: Tensor, z: Tensor, domain: int) -> Tensor:
        """Return (N, 3, H, W) in (-1, 1) of a domain."""
        h = self.shared(content)
        for layer in self.domains[domain].children():
            h = layer(with_vector(h, z))
        return h.tanh()


class MixGenerator(nn.Module):
    """Content and attributes to an image, the vector mixed into every block (concat 0)."""

    def __init__(self, channels: int, w: int, nz: int) -> None:
        super().__init__()
        n = 4 * w
        self.domains = nn.ModuleList(
            nn.ModuleList(
                [
                    *(AttributeResidual(n) for _ in range(4)),
                    nn.Sequential(
                        double(n, n // 2),
                        double(n // 2, n // 4),
                        nn.ConvTranspose2d(w, channels, 1),
                    ),
                ]
            )
            for _ in (A, B)
        )
        self.vectors = nn.ModuleList(
            nn.Sequential(
                nn.Linear(nz, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 4 * n)
            )
            for _ in (A, B)
        )

    def forward(self, content: Tensor, z: Tensor, domain: int) -> Tensor:
        """Return (N, 3, H, W) in (-1, 1) of a domain."""
        *blocks, last = self.domains[domain].children()
        h = content
        for block, vector in zip(blocks, self.vectors[domain](z).chunk(4, 1), strict=True):
            h = block(h, vector)
        return last(h).tanh()


class DomainDiscriminator(nn.Module):
    """Logit maps of images at several scales, each half the last; one scale is a deeper net."""

    def __init__(self, channels: int, size: int, w: int, scales: int, spectral: bool) -> None:
        super().__init__()
        side = size >> (scales - 1)
        if scales == 1:
            k, widths = 3, [w << n for n in range(min(6, side.bit_length() - 1))]
        else:
            k, widths = 4, [w << n for n in range(min(4, side.bit_length() - 1))]
        self.scales = nn.ModuleList(
            nn.Sequential(
                *(
                    leaky(i, o, k, 2, 1, spectral)
                    for i, o in zip([channels, *widths], widths, strict=False)
                ),
                normed(nn.Conv2d(widths[-1], 1, 1)) if spectral else nn.Conv2d(widths[-1], 1, 1),
            )
            for _ in range(scales)
        )
        self.shrink = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return a logit map for each scale."""
        found = []
        for at, net in enumerate(self.scales):
            x = self.shrink(x) if at else x
            found.append(net(x))
        return found


def content_discriminator(size: int, w: int) -> nn.Sequential:
    """Return the net that tells the domain of content maps: (N, 4w, n, n) to logits, n = size/4.

    From n = 53 up it is the reference's; below, its three 7x7 layers are as many 4x4 layers as it
    takes to come down to 4x4.
    """
    n = size // 4
    if n >= 53:
        layers = [leaky(4 * w, 4 * w, 7, 2, 1) for _ in range(3)]
    else:
        layers = [leaky(4 * w, 4 * w, 4, 2, 1) for _ in range(n.bit_length() - 3)]
    return nn.Sequential(
        *layers, leaky(4 * w, 4 * w, 4, 1, 0), nn.Conv2d(4 * w, 1, 1), nn.Flatten(0)
    )


def says(logits: Tensor | list[Tensor], target: float) -> Tensor:
    """Return the cross entropy of logits to one target: a mean, and a sum over scales."""
    maps = logits if isinstance(logits, list) else [logits]
    full = [full_precision(m) for m in maps]
    return torch.stack(
        [F.binary_cross_entropy_with_logits(m, torch.full_like(m, target)) for m in full]
    ).sum()


def initialise(net: nn.Module) -> None:
    """Draw the weights of all convolutions from N(0, 0.02); all else keeps torch's default."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            weight = getattr(module, "weight_orig", module.weight)
            nn.init.normal_(weight, 0.0, 0.02)


@dataclass
class Pass:
    """What one pass over a batch of both domains made; lists hold A, then B.

    cross: with the other's content. same: with the own. random: with drawn attributes. again: back
    from cross. z: the attributes drawn, found: those read from the first of random.
    """

    content: list[Tensor]
    mean: list[Tensor]
    logvar: list[Tensor | None]
    cross: list[Tensor]
    same: list[Tensor]
    random: list[list[Tensor]]
    again: list[Tensor]
    z: list[Tensor]
    found: list[Tensor]


class DRIT(Method):
    """DRIT; with mode_seeking DRIT++."""

    name = "drit"
    summary = "content map and attribute vector, cross-cycle translation, five discriminators"
    paper = "Lee, Tseng, Huang, Singh, Yang, ECCV 2018"
    guided = True
    published_steps = 500_000

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released code.

        batch_size: images per domain in a step. A step trains the content discriminator alone on
        d_iter - 1 parts of it and everything on the rest; of a part, the first half is encoded and
        the others are what the second pair of discriminators takes for real.
        concat: lay the attributes behind every map (true; attributes are a distribution), or mix
        them into every block (false; for changes of shape). nz: attributes.
        second_backward: the generator is updated twice with one pass. "stale" (released code): the
        second gradient combines the pass with the weights that the first update has already
        changed. "old_weights": both gradients come before both updates. "recompute": a new pass.
        scales, spectral: of the domain discriminators.
        """

        batch_size: int = 6
        learning_rate: float = 1e-4
        content_learning_rate: float = 4e-5
        beta1: float = 0.5
        beta2: float = 0.999
        weight_decay: float = 1e-4
        width: int = 64
        nz: int = 8
        concat: bool = True
        scales: int = 3
        spectral: bool = False
        d_iter: int = 3
        mode_seeking: bool = False
        second_backward: Literal["stale", "old_weights", "recompute"] = "stale"
        reconstruction_weight: float = 10.0
        latent_weight: float = 10.0
        prior_weight: float = 0.01
        content_weight: float = 1.0
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
            self.generator: nn.Module = ConcatGenerator(channels, w, config.nz)
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

        def adam(net: nn.Module, rate: float) -> torch.optim.Optimizer:
            return torch.optim.Adam(
                net.parameters(),
                rate,
                (config.beta1, config.beta2),
                weight_decay=config.weight_decay,
                fused=True,
            )

        rate = config.learning_rate
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
        """Make d_iter - 1 updates of the content discriminator alone, then one of everything."""
        alone = self.config.d_iter - 1
        part = len(batch[A]) // self.config.d_iter
        logs: dict[str, Tensor] = {}
        for at in range(alone):
            images = [x[at * part : (at + 1) * part] for x in batch]
            content = [self._content(x[: max(1, part // 2)], d) for d, x in enumerate(images)]
            logs["content_alone"] = self._update_content_critic(content)
        return logs | self._full_update([x[alone * part :] for x in batch])

    def _full_update(self, batch: list[Tensor]) -> dict[str, Tensor]:
        half = len(batch[A]) // 2
        encoded, others = [x[:half] for x in batch], [x[half:] for x in batch]
        made = self._pass(encoded)
        logs = self._update_critics(encoded, others, made)
        logs["content_critic"] = self._update_content_critic(made.content)
        nets = ("content", "attributes", "generator")

        first = self._first_losses(encoded, made)
        self._zero_grad(*nets)
        torch.stack(list(first.values())).sum().backward(retain_graph=True)
        mode = self.config.second_backward
        if mode == "old_weights":
            gradients = [(p, p.grad) for p in self._owned(*nets)]
            self._zero_grad(*nets)
            second = self._second_losses(made)
            torch.stack(list(second.values())).sum().backward()
            later = [(p, p.grad) for p in self._owned("content", "generator")]
            for parameter, gradient in gradients:
                parameter.grad = gradient
            self._step(*nets)
            for parameter, gradient in later:
                parameter.grad = gradient
        else:
            stale = mode == "stale"
            self._step(*nets, unnoticed=stale)
            second = self._second_losses(made if stale else self._pass(encoded))
            self._zero_grad("content", "generator")
            torch.stack(list(second.values())).sum().backward()
        self._step("content", "generator")
        return {name: value.detach() for name, value in (logs | first | second).items()}

    def _pass(self, x: list[Tensor]) -> Pass:
        """Encode, exchange attributes, and translate back; (N, 3, H, W) images of A and of B."""
        n = len(x[A])
        content = [self._content(x[d], d) for d in (A, B)]
        attributes = [self.attributes(x[d], d) for d in (A, B)]
        z = [self._draw_attributes(*pair) for pair in attributes]
        like = z[A]
        draws = [self._normal(like) for _ in range(2 if self.config.mode_seeking else 1)]
        cross, same, random = [], [], []
        for d, other in ((A, B), (B, A)):
            contents = torch.cat([content[other], content[d], *([content[other]] * len(draws))])
            pictures = self.generator(contents, torch.cat([z[d], z[d], *draws]), d).split(n)
            cross.append(pictures[0])
            same.append(pictures[1])
            random.append(list(pictures[2:]))
        # the content of a picture of A came from B: after encoding it stands for B again
        swapped = [self._content(cross[d], d) for d in (A, B)]
        back = [self._draw_attributes(*self.attributes(cross[d], d)) for d in (A, B)]
        again = [self.generator(swapped[1 - d], back[d], d) for d in (A, B)]
        found = [self.attributes(random[d][0], d)[0] for d in (A, B)]
        mean, logvar = zip(*attributes, strict=True)
        return Pass(content, list(mean), list(logvar), cross, same, random, again, draws, found)

    def _content(self, x: Tensor, domain: int) -> Tensor:
        """Return content with the noise of training, N(0, 1) on every element."""
        content = self.content(x, domain)
        return content + self._normal(content)

    def _draw_attributes(self, mean: Tensor, logvar: Tensor | None) -> Tensor:
        if logvar is None:
            return mean
        return mean + (logvar / 2).exp() * self._normal(mean)

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn_like(like)

    def _update_critics(
        self, encoded: list[Tensor], others: list[Tensor], made: Pass
    ) -> dict[str, Tensor]:
        logs = {}
        for d, letter in ((A, "a"), (B, "b")):
            logs[f"cross_{letter}"] = self._update_critic(
                f"cross_{letter}", self.cross_critics[d], encoded[d], [made.cross[d]]
            )
            logs[f"random_{letter}"] = self._update_critic(
                f"random_{letter}", self.random_critics[d], others[d], made.random[d]
            )
        return logs

    def _update_critic(
        self, name: str, critic: nn.Module, real: Tensor, fakes: list[Tensor]
    ) -> Tensor:
        """Update a domain discriminator; the real images count once for every set of fakes."""
        losses = []
        for fake in fakes:
            of_fake = says(critic(fake.detach()), 0.0)
            losses.append(says(critic(real), 1.0) + of_fake)
        loss = torch.stack(losses).sum()
        self._optimizers[name].zero_grad()
        loss.backward()
        self._optimizers[name].step()
        return loss.detach()

    def _update_content_critic(self, content: list[Tensor]) -> Tensor:
        of_a = says(self.content_critic(content[A].detach()), 0.0)
        loss = of_a + says(self.content_critic(content[B].detach()), 1.0)
        optimizer = self._optimizers["content_critic"]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.content_critic.parameters(), self.config.clip_norm)
        optimizer.step()
        return loss.detach()

    def _first_losses(self, x: list[Tensor], made: Pass) -> dict[str, Tensor]:
        """Return the weighted losses of the update of encoders and generator."""
        c, losses = self.config, {}
        for d, letter in ((A, "a"), (B, "b")):
            content, mean, logvar = made.content[d], made.mean[d], made.logvar[d]
            losses[f"confusion_{letter}"] = c.content_weight * says(
                self.content_critic(content), 0.5
            )
            losses[f"realism_{letter}"] = c.domain_weight * says(
                self.cross_critics[d](made.cross[d]), 1.0
            )
            losses[f"cycle_{letter}"] = c.reconstruction_weight * F.l1_loss(made.again[d], x[d])
            losses[f"reconstruction_{letter}"] = c.reconstruction_weight * F.l1_loss(
                made.same[d], x[d]
            )
            if logvar is None:
                prior = mean.square().mean()
            else:  # a sum over the one image of the released code: a mean over more
                sums = 1 + logvar - mean.square() - logvar.exp()
                prior = -0.5 * sums.sum() / len(mean)
            losses[f"attribute_prior_{letter}"] = c.prior_weight * prior
            losses[f"content_prior_{letter}"] = c.prior_weight * content.square().mean()
        return {name: loss.to(x[A].dtype) for name, loss in losses.items()}

    def _second_losses(self, made: Pass) -> dict[str, Tensor]:
        """Return the weighted losses of the update of content encoder and generator alone."""
        c, losses = self.config, {}
        for d, letter in ((A, "a"), (B, "b")):
            losses[f"random_realism_{letter}"] = (
                c.domain_weight
                * torch.stack(
                    [says(self.random_critics[d](fake), 1.0) for fake in made.random[d]]
                ).sum()
            )
            losses[f"latent_{letter}"] = c.latent_weight * F.l1_loss(made.found[d], made.z[0])
            if c.mode_seeking:
                apart = (made.random[d][1] - made.random[d][0]).abs().mean()
                apart = apart / (made.z[1] - made.z[0]).abs().mean()
                losses[f"mode_seeking_{letter}"] = c.mode_seeking_weight / (apart + 1e-5)
        dtype = next(self.parameters()).dtype
        return {name: loss.to(dtype) for name, loss in losses.items()}

    def _owned(self, *names: str) -> list[nn.Parameter]:
        groups = [group for name in names for group in self._optimizers[name].param_groups]
        return [parameter for group in groups for parameter in group["params"]]

    def _zero_grad(self, *names: str) -> None:
        for name in names:
            self._optimizers[name].zero_grad()

    def _step(self, *names: str, unnoticed: bool = False) -> None:
        """Make a step of each optimiser; unnoticed, autograd takes the weights for unchanged."""
        parameters = tuple(self._owned(*names))
        preserve = torch.autograd._unsafe_preserve_version_counter
        with preserve(parameters) if unnoticed else nullcontext():
            for name in names:
                self._optimizers[name].step()

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the content map as common code, and the attributes' mean as separate code.

        The map is what the content discriminator makes alike in both domains; the attributes are
        all that is left to tell them apart.
        """
        return Codes(self.content(x, domain), self.attributes(x, domain)[0])

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images of a domain; without attributes, with those of the prior's mean, zero."""
        z = codes.separate
        if z is None:
            z = codes.common.new_zeros(len(codes.common), self.config.nz)
        return self.generator(codes.common, z, domain)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Return the content of a with the attributes of the guide, as an image of B."""
        return self.decode(Codes(self.content(a, A), self.attributes(guide, B)[0]), B)

    def remove(self, b: Tensor) -> Tensor:
        """Return the content of b with the prior's mean attributes, as an image of A.

        The method has no notion of removing: without a guide, an image of A is a draw.
        """
        return self.decode(Codes(self.content(b, B)), A)
