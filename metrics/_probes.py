"""Probes: classifiers that predict labels from a code. Each kind detects one kind of leak.

A logistic regression cannot see a leak in the variance, and trees cannot see one in a rotated
direction. So there is a battery of kinds, with several strengths of regularisation.
`metrics._probing` fits them and chooses among them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.contracts.task import HIDDEN
from bench.utils.seeds import derive

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Scores = NDArray[np.float64]
"""The score of each item for each class, (n, K). Higher scores mean more likely classes."""


class Probe(Protocol):
    """A probe, fitted on (n, d) features and (n, F) labels (`HIDDEN`: no label)."""

    def fit(self, x: Features, y: Labels, classes: Sequence[int]) -> Probe:
        """Fit a classifier for every label. `classes` is the number of classes of each label."""

    def scores(self, x: Features) -> list[Scores]:
        """Return the scores for each label, (n, K) for a label with K classes."""


class _Each:
    """A probe that fits one classifier of scikit-learn per label."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def fit(self, x: Features, y: Labels, classes: Sequence[int]) -> _Each:
        self._models, self._classes = [], classes
        for labels in y.T:
            told = labels != HIDDEN
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
                self._models.append(self._make().fit(x[told], labels[told]))
        return self

    def scores(self, x: Features) -> list[Scores]:
        pairs = zip(self._models, self._classes, strict=True)
        return [self._of(model, x, classes) for model, classes in pairs]

    def _of(self, model: Any, x: Features, classes: int) -> Scores:
        found = np.asarray(model.decision_function(x), dtype=np.float64)
        if found.ndim == 1:  # two classes: one score, second against first
            found = np.stack([-found / 2, found / 2], 1)
        every = np.repeat(found.min(1, keepdims=True) - UNSEEN, classes, 1)
        every[:, model.classes_] = found
        return every


UNSEEN = 10.0
"""A class without training items gets a score this far below the lowest score of an item."""


class _Networks:
    """A probe that trains one small network per label, with dropout and weight decay.

    The networks are trained together as one wide layer. Each label has its own block of the layer,
    and its loss affects no other block.
    """

    hidden, steps, batch = 64, 500, 128

    def fit(self, x: Features, y: Labels, classes: Sequence[int]) -> _Networks:
        data, labels = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y)
        count, most, self._classes = y.shape[1], max(classes), classes
        beyond = torch.arange(most) >= torch.tensor(classes).unsqueeze(1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive("probe", "mlp"))
            self._first = nn.Sequential(
                nn.Linear(x.shape[1], count * self.hidden), nn.ReLU(), nn.Dropout(0.5)
            )
            self._last = nn.Parameter(torch.randn(count, self.hidden, most) / self.hidden**0.5)
            self._offset = nn.Parameter(torch.zeros(count, 1, most))
            self._beyond = torch.where(beyond, -1e4, 0.0).unsqueeze(1)
            parameters = [*self._first.parameters(), self._last, self._offset]
            optimizer = torch.optim.AdamW(parameters, 1e-3, weight_decay=1e-2)
            for _ in range(self.steps):
                at = torch.randint(len(data), (min(self.batch, len(data)),))
                said = self._forward(data[at])
                told = labels[at].T
                # the mean over the items with this label, which may be none
                losses = nn.functional.cross_entropy(
                    said.flatten(0, 1), told.flatten(), ignore_index=HIDDEN, reduction="none"
                ).view_as(told)
                loss = (losses.sum(1) / (told != HIDDEN).sum(1).clamp_min(1)).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self._first.eval()
        return self

    def _forward(self, x: Tensor) -> Tensor:
        blocks = self._first(x).unflatten(1, (-1, self.hidden)).transpose(0, 1)
        return blocks @ self._last + self._offset + self._beyond

    def scores(self, x: Features) -> list[Scores]:
        with torch.inference_mode():
            found = self._forward(torch.from_numpy(np.ascontiguousarray(x))).double().numpy()
        return [of[:, :count] for of, count in zip(found, self._classes, strict=True)]


def _logistic(strength: float, iterations: int, tolerance: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=iterations, tol=tolerance)


def _rbf_svm(strength: float) -> Any:
    from sklearn.svm import SVC

    return SVC(C=strength)


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        max_bins=63,
        max_features=0.25,
        early_stopping=False,
        random_state=derive("probe", "boosting") % 2**31,
    )


def _each(make: Callable[..., Any], *arguments: float) -> Callable[[], Probe]:
    return lambda: _Each(partial(make, *arguments))


BATTERY: dict[str, list[Callable[[], Probe]]] = {
    "logistic": [_each(_logistic, strength, 300, 1e-3) for strength in (1e-4, 1e-3, 1e-2, 1e-1)],
    "rbf_svm": [_each(_rbf_svm, strength) for strength in (1.0, 10.0)],
    "boosting": [_each(_boosting)],
    "mlp": [_Networks],
}
"""Each kind of probe, in the strengths between which validation chooses."""

SHORT_BATTERY: dict[str, list[Callable[[], Probe]]] = {
    "logistic": [_each(_logistic, strength, 40, 1e-2) for strength in (0.03, 0.3)],
    "mlp": [_Networks],
}
"""For many labels of many classes: forty steps lose nothing that the test part could show."""
