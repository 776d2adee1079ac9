"""Frechet distance between generated and real images, through torch-fidelity.

Heusel et al., NeurIPS 2017: ||m1 - m2||^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2) of Gaussian fits
to features. The real side is the *probe* part of the target domain, never seen in training and no
guide of any pair. The distance is biased upwards by about 1/n, so it is compared at equal n only,
and its interval is that of the biased value at this n. `detail` holds the bias-corrected value,
whose interval covers the true distance, and the floor: the distance between the real test images
and the same real side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from bench import compat
from bench.contracts import Artefacts, Metric, MetricInfo, Result, Settings, TaskData

from ._extractor import avatars64, check_inception, features, inception, pass_through
from ._statistics import generator, jackknife_interval

FOLDS = 10
TARGET = {"add": 1, "remove": 0}
"""The domain that results of each operation should look like."""


def frechet(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Return the Frechet distance of two Gaussians, from float64 (D,) means and (D, D) covariances.

    Tiny negative values, which rounding makes of equal Gaussians, are given as 0.
    """
    values, vectors = torch.linalg.eigh(cov1)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    product = root @ cov2 @ root
    cross = torch.linalg.eigvalsh((product + product.T) / 2).clamp_min(0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross
    return max(0.0, distance.item())


class _Folds:
    """Sums over K groups of (n, D) features, so that moments without one group are a difference."""

    def __init__(self, x: Tensor, role: str) -> None:
        groups = generator("jackknife", role, len(x)).permutation(len(x)) % FOLDS
        split = [x[torch.from_numpy(groups == k)] for k in range(FOLDS)]
        self._counts = [len(group) for group in split]
        self._sums = torch.stack([group.sum(0) for group in split])
        self._squares = torch.stack([group.T @ group for group in split])

    def without(self, fold: int) -> tuple[Tensor, Tensor]:
        """Return mean and covariance of all items but those of a fold."""
        n = sum(self._counts) - self._counts[fold]
        mean = (self._sums.sum(0) - self._sums[fold]) / n
        square = self._squares.sum(0) - self._squares[fold]
        return mean, (square - n * torch.outer(mean, mean)) / (n - 1)


def leave_out(made: Tensor, real: Tensor) -> list[float]:
    """Return the distance without each tenth of both sides, from float64 (n, D) features."""
    centre = real.mean(0)  # keeps the sums small, so that their differences lose no digits
    folds = _Folds(made - centre, "made"), _Folds(real - centre, "real")
    return [frechet(*folds[0].without(k), *folds[1].without(k)) for k in range(FOLDS)]


class _Rows(Dataset[Tensor]):
    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> Tensor:
        return self.rows[at]


def fidelity_distance(made: Tensor, real: Tensor) -> float:
    """Return torch-fidelity's Frechet distance of (n, D) features, through its public call."""
    fidelity = compat.torch_fidelity()
    found = fidelity.calculate_metrics(
        input1=_Rows(made),
        input2=_Rows(real),
        feature_extractor=pass_through(),
        fid=True,
        cuda=False,
        cache=False,
        save_cpu_ram=True,  # the only way to keep torch-fidelity from starting loader processes
        verbose=False,
        batch_size=1024,
    )
    return float(found["frechet_inception_distance"])


def distance(made: Tensor, real: Tensor, identity: str) -> Result:
    """Return the distance of float32 (n, D) features with its jackknife interval.

    There is no value below two items, and no interval unless each side has 2 D items: the
    jackknife fails where the covariance is singular.
    """
    n, dimensions = made.shape
    if min(n, len(real)) < 2:
        reason = f"{min(n, len(real))} image: a covariance needs 2"
        return Result(status="unavailable", reason=reason, n=n, extractor=identity)
    value = max(0.0, fidelity_distance(made, real))
    detail: dict[str, Any] = {"n_real": len(real), "dimensions": dimensions}
    lo = hi = None
    if min(n, len(real)) >= 2 * dimensions:
        left_out = leave_out(made.double(), real.double())
        lo, hi, corrected = jackknife_interval(value, left_out)
        reach = hi - value
        lo = max(0.0, lo)
        detail["bias_corrected"] = [corrected, corrected - reach, corrected + reach]
    else:
        detail["warning"] = f"n below 2 x {dimensions} dimensions: biased, without an interval"
    return Result(value, lo, hi, n, extractor=identity, detail=detail)


class FrechetDistance(Metric):
    """The distance in the features of the extractor that ships with the suite."""

    name = "frechet"
    summary = "Frechet distance of results to real images, with the shipped extractor"
    version = 1
    numbers = {
        "fd_add": {
            "unit": "",
            "better": "lower",
            "meaning": "Frechet distance of add to real images of B",
            "needs": ("add",),
        },
        "fd_remove": {
            "unit": "",
            "better": "lower",
            "meaning": "Frechet distance of remove to real images of A",
            "needs": ("remove",),
        },
    }

    def extractor(self, settings: Settings) -> tuple[str, Any]:
        """Return the identity of the features and what makes them."""
        return avatars64()

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the distance of each wanted operation."""
        # building a network and torch-fidelity's loaders draw from the global random state
        with torch.random.fork_rng(devices=[]):
            return self._distances(wanted, artefacts, data, settings)

    def _distances(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        identity, extractor = self.extractor(settings)
        results = {}
        for info in wanted:
            what = info.id.rsplit("_", 1)[1]
            real = features(extractor, data.domains["probe"][TARGET[what]].images)
            result = distance(features(extractor, artefacts.tensors[what]), real, identity)
            if result.status == "ok":
                held_out = data.domains["test"][TARGET[what]].images
                floor = fidelity_distance(features(extractor, held_out), real)
                result.detail["floor"] = max(0.0, floor)
            results[info.id] = result
        return results


class InceptionDistance(FrechetDistance):
    """True FID: Inception-v3 with the TensorFlow weights, TF1 resize, fp32."""

    name = "inception"
    summary = "true FID; needs --inception FILE"
    version = 1
    numbers = {
        "fid_add": {
            "unit": "",
            "better": "lower",
            "meaning": "FID of add to real images of B",
            "needs": ("add",),
        },
        "fid_remove": {
            "unit": "",
            "better": "lower",
            "meaning": "FID of remove to real images of A",
            "needs": ("remove",),
        },
    }

    def unavailable(self, settings: Settings) -> str:
        """Return that the weights are not given, where they are not; refuse wrong ones."""
        if settings.inception is None:
            return "no weights: give --inception FILE"
        check_inception(settings.inception)
        return ""

    def extractor(self, settings: Settings) -> tuple[str, Any]:
        """Return Inception with the user's weights."""
        assert settings.inception is not None
        return inception(settings.inception)
