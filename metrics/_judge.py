"""Who says what an image shows: classifiers of the domain and of every factor.

They are fitted on the real images of the *probe* part, which no method has seen, and share neither
networks nor seeds with any method. Two unlike ones judge the domain, so that a result which fools
one of them shows as a disagreement: a small network on pixels, and a linear head on the features of
the shipped extractor. Factors are judged by linear heads on those features.

They are fitted once a machine and kept under a hash of the images, factors and extractor.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.cached import content_hash, keep
from bench.contracts import HIDDEN, Factor, TaskData
from bench.images import to_float
from bench.seeds import derive

from ._extractor import Extractor

FORMAT = 1
"""Rises with every change of what is kept."""

SIDE = 32
STEPS, BATCH = 400, 64


@dataclass(frozen=True)
class Judge:
    """Names the domain and the factors of images. ``tensors`` is all it knows."""

    tensors: Mapping[str, Tensor]
    extractor: Extractor

    def domain(self, images: Tensor) -> Tensor:
        """Return the domain of uint8 (n, 3, S, S) images by the network on pixels, int64 (n,)."""
        net = _network()
        weights = {k.removeprefix("net."): v for k, v in self.tensors.items() if "net." in k}
        net.load_state_dict(weights)
        with torch.inference_mode():
            return torch.cat([net.eval()(_shrunk(part)).argmax(1) for part in images.split(256)])

    def second_opinion(self, images: Tensor) -> Tensor:
        """Return the domain by the head on the extractor's features, int64 (n,)."""
        return self._head("domain", images)

    def factor(self, factor: Factor, images: Tensor) -> Tensor:
        """Return the value of a factor, int64 (n,); `HIDDEN` where a separate one is not seen."""
        return self._head(factor.name, images)

    def _head(self, name: str, images: Tensor) -> Tensor:
        features = self.extractor.features(images).double()
        scores = features @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return self.tensors[f"{name}.classes"][scores.argmax(1)]


def judge(extractor: Extractor, data: TaskData, cache: Path | None) -> Judge:
    """Return the judge of a task; without a cache folder it is fitted anew."""
    parts = data.domains["probe"]
    images = torch.cat([domain.images for domain in parts])
    factors = torch.cat([domain.factors for domain in parts])
    domains = torch.arange(len(parts)).repeat_interleave(
        torch.tensor([len(domain.images) for domain in parts])
    )

    def make() -> dict[str, Tensor]:
        features = extractor.features(images).double()
        tensors = _fit_head("domain", features, domains)
        for column, factor in zip(factors.T, data.factors, strict=True):
            told = (
                torch.ones_like(column, dtype=torch.bool) if factor.separate else column != HIDDEN
            )
            tensors |= _fit_head(factor.name, features[told], column[told])
        return tensors | {f"net.{k}": v for k, v in _fit_network(images, domains).items()}

    if cache is None:
        return Judge(make(), extractor)
    content = content_hash({"images": images, "factors": factors, "domains": domains})
    key = f"{FORMAT}|{content}|{extractor.name}|{torch.__version__}"
    name = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return Judge(keep(cache / f"judge-{name}.safetensors", make), extractor)


def _fit_head(name: str, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Fit a linear classifier of scikit-learn and return it as tensors."""
    from sklearn.linear_model import LogisticRegression

    x, y = features.numpy(), labels.numpy()
    classes = np.unique(y)
    weight, bias = np.zeros((1, x.shape[1])), np.zeros(1)
    if len(classes) > 1:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
            model = LogisticRegression(C=1.0, max_iter=200).fit(x, y)
        weight, bias = model.coef_, model.intercept_
        if len(classes) == 2:
            weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
    return {
        f"{name}.weight": torch.from_numpy(weight),
        f"{name}.bias": torch.from_numpy(bias),
        f"{name}.classes": torch.from_numpy(classes),
    }


def _network() -> nn.Module:
    """Return a network that maps (N, 3, 32, 32) in [-1, 1] to two scores."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive("judge", "network"))
        return nn.Sequential(
            *(nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU()),
            *(nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU()),
            *(nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(32 * (SIDE // 8) ** 2, 2)),
        )


def _fit_network(images: Tensor, domains: Tensor) -> dict[str, Tensor]:
    net, x = _network(), _shrunk(images)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive("judge", "order"))
        for _ in range(STEPS):
            at = torch.randint(len(x), (BATCH,))
            loss = F.cross_entropy(net(x[at]), domains[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.state_dict()


def _shrunk(images: Tensor) -> Tensor:
    x = to_float(images)
    return x if x.shape[-1] == SIDE else F.adaptive_avg_pool2d(x, SIDE)
