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

    def fit(self, x: Features, labellings: Sequence[Labels], classes: Sequence[int]) -> Probe:
        """Fit a classifier for every label of every labelling, each (n, F), of the same items.

        `classes` is the number of classes of each of the F labels.
        """

    def scores(self, x: Features) -> list[list[Scores]]:
        """Return the scores for each label of each labelling, (n, K) for a label of K classes."""


class _Each:
    """A probe that fits one classifier of scikit-learn per label."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def fit(self, x: Features, labellings: Sequence[Labels], classes: Sequence[int]) -> _Each:
        self._classes = classes
        self._models = [[self._fitted(x, labels) for labels in y.T] for y in labellings]
        return self

    def _fitted(self, x: Features, labels: Labels) -> Any:
        told = labels != HIDDEN
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
            return self._make().fit(x[told], labels[told])

    def scores(self, x: Features) -> list[list[Scores]]:
        return [
            [
                self._of(model, x, classes)
                for model, classes in zip(models, self._classes, strict=True)
            ]
            for models in self._models
        ]

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
    and its loss affects no other block. The blocks of several labellings begin with the same values
    and see the same batches and the same dropout.
    """

    hidden, steps, batch, rate = 64, 250, 128, 2e-3

    def fit(self, x: Features, labellings: Sequence[Labels], classes: Sequence[int]) -> _Networks:
        data = torch.from_numpy(np.ascontiguousarray(x))
        labels = torch.from_numpy(np.concatenate(labellings, 1))
        repeats, width, most = len(labellings), len(classes) * self.hidden, max(classes)
        batch = min(self.batch, len(data))
        self._classes = [*classes] * repeats
        self._count = len(classes)
        beyond = torch.arange(most) >= torch.tensor(self._classes).unsqueeze(1)
        self._beyond = torch.where(beyond, -1e4, 0.0).unsqueeze(1)
        random = np.random.default_rng(derive("probe", "dropout"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive("probe", "mlp"))
            first = nn.Linear(x.shape[1], width)
            last = torch.randn(len(classes), self.hidden, most) / self.hidden**0.5
            self._weight = nn.Parameter(first.weight.detach().repeat(repeats, 1))
            self._bias = nn.Parameter(first.bias.detach().repeat(repeats))
            self._last = nn.Parameter(last.repeat(repeats, 1, 1))
            self._offset = nn.Parameter(torch.zeros(len(self._classes), 1, most))
            parameters = [self._weight, self._bias, self._last, self._offset]
            optimizer = torch.optim.AdamW(parameters, self.rate, weight_decay=1e-2, fused=True)
            for _ in range(self.steps):
                at = torch.randint(len(data), (batch,))
                bits = random.integers(0, 256, batch * width // 8, dtype=np.uint8)
                kept = torch.from_numpy(np.unpackbits(bits)).view(batch, width).repeat(1, repeats)
                said = self._forward(data[at], 2.0 * kept)
                told = labels[at].T
                # the mean over the items with this label, which may be none
                losses = nn.functional.cross_entropy(
                    said.flatten(0, 1), told.flatten(), ignore_index=HIDDEN, reduction="none"
                ).view_as(told)
                loss = (losses.sum(1) / (told != HIDDEN).sum(1).clamp_min(1)).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return self

    def _forward(self, x: Tensor, dropout: Tensor | float = 1.0) -> Tensor:
        """Return the scores, (labels, n, K). dropout: factors of the hidden units, (n, units)."""
        hidden = nn.functional.linear(x, self._weight, self._bias).relu() * dropout
        blocks = hidden.unflatten(1, (-1, self.hidden)).transpose(0, 1)
        return blocks @ self._last + self._offset + self._beyond

    def scores(self, x: Features) -> list[list[Scores]]:
        with torch.inference_mode():
            found = self._forward(torch.from_numpy(np.ascontiguousarray(x))).double().numpy()
        of_labels = [of[:, :count] for of, count in zip(found, self._classes, strict=True)]
        starts = range(0, len(of_labels), self._count)
        return [of_labels[start : start + self._count] for start in starts]


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
