"""The judge: classifiers that predict the domain and every factor of an image.

They are fitted on real images of the *probe* part, which no method has seen. They share neither
networks nor seeds with any method. Two different classifiers predict the domain: a small network on
pixels, and a linear head on the features of the shipped extractor. If a result fools only one of
them, they disagree. Linear heads on the same features predict the factors.

They are fitted once per machine, and cached under a hash of the images, factors and extractor.

A classifier that is often wrong about real images says nothing about results. So its predictions
count only if its balanced accuracy on the real images of *test* is at least `LEAST_ACCURACY`; see
`counted_factors` and `why_no_domain`.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.contracts.images import to_float
from bench.contracts.task import HIDDEN, Factor, TaskData
from bench.metrics._extractor import Extractor
from bench.utils.files.tensor_files import content_hash, keep_if_possible
from bench.utils.seeds import derive
from bench.utils.threads import computing_with

FORMAT = 4
"""The version of the cached files. Increase it with every change of their content."""

LEAST_ACCURACY = 0.9
"""The least balanced accuracy on real *test* images with which a judge counts."""
FEWEST_SHOWN = 10
"""A value of a factor is in the balanced accuracy if at least so many *test* images show it."""
NETWORK = "network/"
SIDE = 32
STEPS, BATCH = 400, 64


@dataclass(frozen=True)
class Judge:
    """Predicts the domain and the factors of images. ``tensors`` holds all fitted weights."""

    tensors: Mapping[str, Tensor]
    extractor: Extractor

    def domain(self, images: Tensor) -> Tensor:
        """Predict the domain of uint8 (n, 3, S, S) images with the pixel network: int64 (n,)."""
        net = _network()
        held = {k: v for k, v in self.tensors.items() if k.startswith(NETWORK)}
        net.load_state_dict({k.removeprefix(NETWORK): v for k, v in held.items()})
        with torch.inference_mode():
            return torch.cat([net.eval()(_shrunk(part)).argmax(1) for part in images.split(256)])

    def second_opinion(self, images: Tensor) -> Tensor:
        """Predict the domain with the linear head on the features of the extractor: int64 (n,)."""
        return self._head("domain", images)

    def factor(self, factor: Factor, images: Tensor) -> Tensor:
        """Predict the value of a factor, int64 (n,): `HIDDEN` if it is separate and not visible."""
        return self._head(_head_of(factor), images)

    def knows(self, factor: Factor) -> bool:
        """Return whether a factor was fitted, which needs images of *probe* that show it."""
        return f"{_head_of(factor)}.weight" in self.tensors

    def accuracy(self, factor: Factor, data: TaskData) -> float | None:
        """Return the balanced accuracy for a factor, in [0, 1].

        It is the mean recall over the values that at least `FEWEST_SHOWN` real *test* images of all
        domains show. It is None if there are fewer than two such values: a judge that always says
        the same would be right about the only one.
        """
        at = data.factors.index(factor)
        domains = data.domains["test"]
        shown = torch.cat([domain.factors[:, at] for domain in domains])
        said = torch.cat([self.factor(factor, domain.images) for domain in domains])
        values, counts = shown[shown != HIDDEN].unique(return_counts=True)
        recalls = [
            (said[shown == value] == value).double().mean()
            for value in values[counts >= FEWEST_SHOWN]
        ]
        return float(torch.stack(recalls).mean()) if len(recalls) > 1 else None

    def domain_accuracy(self, data: TaskData) -> float:
        """Return the balanced accuracy for the domain on *test* images: mean recall, in [0, 1]."""
        domains = enumerate(data.domains["test"])
        right = [(self.domain(domain.images) == at).double().mean() for at, domain in domains]
        return float(torch.stack(right).mean())

    def _head(self, name: str, images: Tensor) -> Tensor:
        features = self.extractor.judge_features(images).double()
        scores = features @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return self.tensors[f"{name}.classes"][scores.argmax(1)]


@dataclass(frozen=True)
class CountedFactors:
    """The factors that a judged number counts, and why others do not count.

    columns: the columns of the factors that count. accuracy: the `Judge.accuracy` of
    each factor that counts, by name; ``not_counted``: the same of the factors that are below
    `LEAST_ACCURACY`. reason: why the number is unavailable, or ''.
    """

    columns: tuple[int, ...]
    accuracy: Mapping[str, float]
    not_counted: Mapping[str, float]
    reason: str

    def with_others(self, others: CountedFactors, reason: str = "") -> CountedFactors:
        """Return these factors and others, with the first of their reasons and the given one."""
        return CountedFactors(
            self.columns + others.columns,
            {**self.accuracy, **others.accuracy},
            {**self.not_counted, **others.not_counted},
            self.reason or others.reason or reason,
        )

    @property
    def detail(self) -> dict[str, Any]:
        """What a result says about its judge, as JSON.

        ``judge_accuracy`` is the mean over the factors that count (if there are any). ``judge``
        gives the accuracy of each of them, and ``not_counted`` that of the others.
        """
        found: dict[str, Any] = {"judge": dict(self.accuracy)}
        if self.accuracy:
            found["judge_accuracy"] = float(np.mean(list(self.accuracy.values())))
        if self.not_counted:
            found["not_counted"] = dict(self.not_counted)
        return found


def counted_factors(judged: Judge, data: TaskData, separate: bool) -> CountedFactors:
    """Return which separate or shared factors a judged number counts.

    A shared factor counts if the judge has a balanced accuracy of at least `LEAST_ACCURACY` on real
    *test* images. The number is unavailable if no shared factor reaches that. Of the separate
    factors, each must reach it: the number would otherwise leave out a part of the content. Factors
    that the judge does not know or that have no balanced accuracy are left out. If nothing is left,
    the number is unavailable.
    """
    asked = [at for at, factor in enumerate(data.factors) if factor.separate is separate]
    known = {
        at: found
        for at in asked
        if judged.knows(data.factors[at])
        and (found := judged.accuracy(data.factors[at], data)) is not None
    }
    right = {at: found for at, found in known.items() if found >= LEAST_ACCURACY}
    wrong = {data.factors[at].name: known[at] for at in known if at not in right}
    reason = ""
    if wrong and (separate or not right):
        each = ", ".join(f"{found:.3f} for {name}" for name, found in wrong.items())
        reason = too_often_wrong(each)
    elif asked and not known:
        group = "separate" if separate else "common"
        reason = f"no {group} factor has two values that {FEWEST_SHOWN} real test images show"
    return CountedFactors(
        tuple(right), {data.factors[at].name: right[at] for at in right}, wrong, reason
    )


def why_no_domain(accuracy: float) -> str:
    """Return why the domains of results cannot be judged with this accuracy, or ''."""
    return "" if accuracy >= LEAST_ACCURACY else too_often_wrong(f"{accuracy:.3f} for the domain")


def too_often_wrong(each: str) -> str:
    """Return the reason for a missing number, from the accuracies that are too low, in words."""
    return f"the judge's accuracy on real test images is {each}, below {LEAST_ACCURACY}"


def judge(extractor: Extractor, data: TaskData, cache: Path | None) -> Judge:
    """Return the judge of a task from the cache. Without a cache folder, fit it."""
    parts = data.domains["probe"]
    images = torch.cat([domain.images for domain in parts])
    factors = torch.cat([domain.factors for domain in parts])
    domains = torch.arange(len(parts)).repeat_interleave(
        torch.tensor([len(domain.images) for domain in parts])
    )

    if cache is None:
        return Judge(_fitted(extractor, data, images, factors, domains), extractor)
    content = content_hash({"images": images, "factors": factors, "domains": domains})
    versions = f"{torch.__version__}|{sklearn.__version__}"
    key = f"{FORMAT}|{content}|{data.factors}|{data.features}|{extractor.name}|{versions}"
    name = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    path = cache / f"judge-{name}.safetensors"
    tensors = keep_if_possible(path, lambda: _fitted(extractor, data, images, factors, domains))
    return Judge(tensors, extractor)


def _fitted(
    extractor: Extractor, data: TaskData, images: Tensor, factors: Tensor, domains: Tensor
) -> dict[str, Tensor]:
    """Fit the classifiers of a judge. With one thread, every cell gets the same judge.

    An image of A shows no separate content, so `HIDDEN` is one more value of a separate factor. In
    B of drawn faces, it means the same. In B of other images, it means that the value is unknown,
    and the classifier does not learn from the image.
    """
    absent = (domains == 0) | (data.features == "avatars")
    with computing_with(1):
        features = extractor.judge_features(images).double()
        tensors = _fit_head("domain", features, domains)
        for column, factor in zip(factors.T, data.factors, strict=True):
            told = (column != HIDDEN) | (absent & factor.separate)
            if told.any():
                tensors |= _fit_head(_head_of(factor), features[told], column[told])
        network = _fit_network(images, domains)
    return tensors | {f"{NETWORK}{name}": value for name, value in network.items()}


def _head_of(factor: Factor) -> str:
    return f"factor/{factor.name}"


def _fit_head(name: str, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Fit a linear classifier of scikit-learn, and return its weights as tensors."""
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
