"""SepVAE: a contrastive VAE to separate pathological patterns from healthy ones.

Louiset, Duchesnay, Grigis, Dufumier, Gori, MIDL 2024 (arXiv 2307.06206). Two encoders give a common
and a salient code, one decoder reconstructs the image from both. The salient code of a background
image (domain A) is decoded as zero, and its posterior is N(mean, 0.1). A classifier T estimates by
density ratios how far the joint distribution of both codes is from the product of its marginals,
and the encoders minimise that estimate of their mutual information.

The file also holds the two relatives that the authors compare with, on the same networks: cVAE
(Abid, Zou, 2019) and MM-cVAE (Weinberger, Beebe-Wang, Lee, AISTATS 2022). All three follow the
released code, neurospin-projects/2023_rlouiset_sepvae, script by script.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.method import BaseConfig, Codes, Method
from bench.contracts.search import Choice, Range
from bench.contracts.task import Spec
from bench.methods.networks.blocks import full_precision
from bench.methods.networks.sepvae import Decoder, Encoder, channels_for, perceptron

PLAIN_LOGVAR = math.log(0.1)  # of the salient posterior of background images: variance 0.1
SCALES = tuple(10.0**e for e in range(-6, 7))  # of the kernels in the MMD


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mean, exp(logvar)) || N(0, 1)), summed over images and dimensions."""
    return -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum()


def discrepancy(p: Tensor, q: Tensor) -> Tensor:
    """Return the squared MMD of two samples, (n, d) and (m, d), but never less than 0.

    The kernel is a sum of 13 Gaussians. Means are over all pairs, each point with itself included.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        squared = (x[:, None] - y[None]).square().sum(2)
        return torch.stack([torch.exp(-scale * squared) for scale in SCALES]).sum(0).mean()

    return (kernel(p, p) + kernel(q, q) - 2 * kernel(p, q)).clamp_min(0)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross-entropy of (N, 1) logits and (N, 1) targets, summed over images."""
    return F.binary_cross_entropy_with_logits(full_precision(logits), target, reduction="sum")


class Posterior(NamedTuple):
    """The codes of N images: [common | salient], (N, c + s) each; code is a sample."""

    mean: Tensor
    logvar: Tensor
    code: Tensor


class SepVAE(Method):
    """SepVAE, and on request its relatives.

    `encode` gives the means of both codes, with a salient code of zero for A; `add` decodes a's
    common code with the guide's salient code; `remove` decodes b's common code with a salient code
    of zero.
    """

    name = "sepvae"
    summary = "contrastive VAE: common and salient code, mutual information minimised; zero for A"
    paper = "Louiset, Duchesnay, Grigis, Dufumier, Gori, MIDL 2024"
    guided = True
    published_steps = 7_400

    @dataclass(frozen=True)
    class Config(BaseConfig):
        """The values of the released script for CelebA. All losses are sums, as there.

        batch_size: 256 images of each domain are the released mixture of 512.
        variant: the released script whose losses are used: "sepvae", "cvae" (nothing constrains the
        salient code of A) or "mm_cvae" (the MMD instead of T and of the salient prior of A).
        width: channels of the first block. All others are multiples of it.
        common, salient: sizes of the two codes.
        beta_c, beta_s: weights of the KL divergences of the common and of the salient code.
        alpha: weight of the salient mean of A, in units of beta_s: 1 / 0.025.
        kappa: weight of the mutual information.
        gamma: weight of the classifier that reads the domain from the salient code. The published
        value is so small that only the classifier itself moves.
        common_mmd, salient_mmd: weights of the two discrepancies of MM-cVAE.
        reset_every: the released scripts make new optimisers at every epoch, which is every 37
        updates: Adam forgets its moments. 0 is never. It belongs to Adam, not to a schedule, so it
        is a number of updates and not a fraction of the training.
        """

        batch_size: Annotated[int, Choice((16, 32, 64, 128, 256), start=32)] = 256
        variant: Literal["sepvae", "cvae", "mm_cvae"] = "sepvae"
        learning_rate: Annotated[float, Range(1e-4, 3e-3, log=True)] = 1e-3
        beta1: float = 0.9
        beta2: float = 0.999
        width: Annotated[int, Choice((16, 24, 32, 48))] = 32
        common: Annotated[int, Choice((16, 32, 64, 128), start=64)] = 16
        salient: Annotated[int, Choice((4, 8, 16, 32))] = 16
        beta_c: Annotated[float, Range(0.01, 1.0, log=True, start=0.125)] = 0.5
        beta_s: Annotated[float, Range(0.01, 1.0, log=True, start=0.125)] = 0.5
        alpha: float = 40.0
        kappa: Annotated[float, Range(0.1, 20.0, log=True, start=0.5)] = 2.0
        gamma: float = 1e-9
        common_mmd: float = 1000.0
        salient_mmd: float = 100.0
        reset_every: int = 37

    step: Tensor

    def __init__(self, spec: Spec, config: Config) -> None:
        super().__init__(spec, config)
        for field in ("width", "common", "salient"):
            if getattr(config, field) < 1:
                raise ValueError(f"{field} is {getattr(config, field)}, but it must be at least 1")
        if config.reset_every < 0:
            raise ValueError(f"reset_every is {config.reset_every}, but it must be 0 or more")
        down, up = channels_for(spec.size, config.width)
        both = config.common + config.salient
        self.common_encoder = Encoder([spec.channels, *down], config.common)
        self.salient_encoder = Encoder([spec.channels, *down], config.salient)
        self.decoder = Decoder(both, [*up, spec.channels])
        self.classifier = perceptron(config.salient, config.salient, 1)
        self.dependence = perceptron(both, both, both, 1)  # T
        self.common_probe = perceptron(config.common, config.common, 1)
        self.salient_probe = perceptron(config.salient, config.salient, 1)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

        def adam(*nets: nn.Module) -> torch.optim.Optimizer:
            parameters = [parameter for net in nets for parameter in net.parameters()]
            betas = (config.beta1, config.beta2)
            return torch.optim.Adam(parameters, config.learning_rate, betas, fused=True)

        self._optimizers = {
            "probes": adam(self.dependence, self.common_probe, self.salient_probe),
            "main": adam(self.common_encoder, self.salient_encoder, self.decoder, self.classifier),
        }

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimisers of T with the two probes, and of everything else."""
        return self._optimizers

    def training_step(self, batch: list[Tensor]) -> dict[str, Tensor]:
        """Update T and the probes, then the autoencoder. MM-cVAE does it the other way round.

        All domains but A are targets. Their images are mixed with those of A, because T takes the
        salient code of the next row as one that is independent of the common code.
        """
        x = (torch.cat(batch) + 1) / 2
        is_target = torch.cat([torch.full_like(part[:, :1, 0, 0], at > 0)
                               for at, part in enumerate(batch)])  # fmt: skip
        order = self._order(x)
        x, is_target = x[order], is_target[order]
        if self.config.reset_every and int(self.step) % self.config.reset_every == 0:
            for optimizer in self._optimizers.values():
                optimizer.state.clear()
        self.step += 1
        if self.config.variant == "mm_cvae":
            return self._update_main(x, is_target) | self._update_probes(x, is_target)
        return self._update_probes(x, is_target) | self._update_main(x, is_target)

    def _update_probes(self, x: Tensor, is_target: Tensor) -> dict[str, Tensor]:
        """Update T and the two probes, which only watch, on codes without a gradient."""
        with torch.no_grad():
            posterior = self._posterior(x, is_target)
        code = posterior.mean if self.config.variant == "mm_cvae" else posterior.code
        common, salient = self._split(code)
        shifted = torch.cat([common, salient.roll(-1, 0)], 1)
        ones = torch.ones_like(is_target)
        logs = {
            "dependence": cross_entropy(self.dependence(code), ones)
            + cross_entropy(self.dependence(shifted), 1 - ones),
            "common_probe": cross_entropy(self.common_probe(common), is_target),
            "salient_probe": cross_entropy(self.salient_probe(salient), is_target),
        }
        return self._update("probes", logs, logs["dependence"] + logs["common_probe"]
                            + logs["salient_probe"])  # fmt: skip

    def _update_main(self, x: Tensor, is_target: Tensor) -> dict[str, Tensor]:
        """Update the encoders, the decoder and the salient classifier."""
        c = self.config
        posterior = self._posterior(x, is_target)
        common, salient = self._split(posterior.code)
        output = self.decoder(torch.cat([common, salient * is_target], 1))
        (z_mean, s_mean), (z_logvar, s_logvar) = map(self._split, posterior[:2])
        target = is_target.flatten().bool()
        logs = {
            "reconstruction": (output - x).square().sum(),
            "kl": c.beta_c * kl_divergence(z_mean, z_logvar)
            + c.beta_s * kl_divergence(s_mean[target], s_logvar[target]),
            "classifier": cross_entropy(self.classifier(salient), is_target),
        }
        if c.variant == "sepvae":
            logs["kl"] = logs["kl"] + c.beta_s * c.alpha * 0.5 * s_mean[~target].square().sum()
        loss = logs["reconstruction"] + logs["kl"]
        if c.variant == "mm_cvae":
            plain = salient[~target]
            logs["mmd"] = c.common_mmd * discrepancy(common[~target], common[target])
            logs["mmd"] = logs["mmd"] + c.salient_mmd * discrepancy(plain, torch.zeros_like(plain))
            return self._update("main", logs, loss + logs["mmd"])
        self.dependence.requires_grad_(False)
        logs["mutual_information"] = full_precision(self.dependence(posterior.code)).relu().sum()
        self.dependence.requires_grad_(True)
        gamma = c.gamma if c.variant == "sepvae" else 0.0
        loss = loss + c.kappa * logs["mutual_information"] + gamma * logs["classifier"]
        return self._update("main", logs, loss)

    def _update(self, name: str, logs: dict[str, Tensor], loss: Tensor) -> dict[str, Tensor]:
        self._optimizers[name].zero_grad()
        loss.backward()
        self._optimizers[name].step()
        return {key: value.detach() for key, value in logs.items()}

    def _posterior(self, x: Tensor, is_target: Tensor) -> Posterior:
        """Return the codes of images in [0, 1]; is_target, (N, 1), is 1 for those not of A."""
        z_mean, z_logvar = self.common_encoder(x)
        s_mean, s_logvar = self.salient_encoder(x)
        if self.config.variant == "sepvae":
            s_logvar = torch.where(is_target.bool(), s_logvar, PLAIN_LOGVAR)
        mean, logvar = torch.cat([z_mean, s_mean], 1), torch.cat([z_logvar, s_logvar], 1)
        return Posterior(mean, logvar, mean + (0.5 * logvar).exp() * self._normal(mean))

    def _split(self, code: Tensor) -> list[Tensor]:
        """Return the common and the salient part of (N, c + s) codes."""
        return list(code.split([self.config.common, self.config.salient], 1))

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn_like(like)

    def _order(self, x: Tensor) -> Tensor:
        return torch.randperm(len(x), device=x.device)

    def encode(self, x: Tensor, domain: int) -> Codes:
        """Return the means of the two codes, (N, c) and (N, s). The salient one is zero for A."""
        x = (x + 1) / 2
        common = self.common_encoder(x)[0]
        if domain:
            return Codes(common, self.salient_encoder(x)[0])
        return Codes(common, self._nothing(common))

    def decode(self, codes: Codes, domain: int) -> Tensor:
        """Return images of both codes. Images of A have no salient content: theirs is ignored."""
        salient = codes.separate
        if salient is None or not domain:
            salient = self._nothing(codes.common)
        return 2 * self.decoder(torch.cat([codes.common, salient], 1)) - 1

    def _nothing(self, common: Tensor) -> Tensor:
        return common.new_zeros(len(common), self.config.salient)

    def add(self, a: Tensor, guide: Tensor) -> Tensor:
        """Decode the common code of a with the salient code of the guide."""
        return self.decode(Codes(self.encode(a, 0).common, self.encode(guide, 1).separate), 1)

    def remove(self, b: Tensor) -> Tensor:
        """Decode the common code of b with a salient code of zero."""
        return self.decode(Codes(self.common_encoder((b + 1) / 2)[0]), 0)
