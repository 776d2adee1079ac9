"""Probes: classifiers that predict labels from a code. Each kind detects one kind of leak.

A logistic regression cannot see a leak in the variance, and trees cannot see one in a rotated
direction. So we fit a battery of probes, with several strengths of regularisation and on several
views of the code. For each label, we choose the probe with the best accuracy on a held-out quarter
of the fitting items, and score it on the *test* items.

The accuracy of a probe also depends on the items that it is fitted on. `refit` fits the chosen
probes again without each of a few groups of these items. From that, an interval of
`metrics._statistics` includes the fitting.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn

from bench.contracts.task import HIDDEN
from bench.metrics._statistics import generator
from bench.utils.seeds import derive

VALIDATION = 0.25
Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Scores = NDArray[np.float64]
"""The score of each item for each class, (n, K). Higher scores mean more likely classes."""


def balanced_accuracy(said: Labels, labels: Labels) -> float:
    """Return the recall (share of correct predictions), averaged over the classes in `labels`."""
    return float(np.mean([np.mean(said[labels == c] == c) for c in np.unique(labels)]))


def weighted_accuracy(right: Scores, labels: Labels, weights: Scores) -> Scores:
    """Return the balanced accuracy of n items that count with (draws, n) weights: (draws,).

    right: 1 for a correct prediction, else 0, (n,). Items whose label is `HIDDEN` do not count. A
    draw ignores the classes of which it has no items. It is NaN if it has no items.
    """
    recalls = []
    for c in np.unique(labels[labels != HIDDEN]):
        of_class = weights[:, labels == c]
        with np.errstate(invalid="ignore"):
            recalls.append((of_class @ right[labels == c]) / of_class.sum(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(recalls, axis=0))


def views(code: Tensor) -> dict[str, Features]:
    """Return the views of a code: flattened, (n, C*H*W), and for maps also pooled, (n, 3*C).

    The pooled view has the mean, standard deviation and maximum over positions. It detects content
    whose position varies.
    """
    found = {"flatten": code.flatten(1)}
    if code.dim() == 4 and code.shape[2] * code.shape[3] > 1:
        maps = code.flatten(2)
        found["pool"] = torch.cat([maps.mean(2), maps.std(2), maps.amax(2)], 1)
    return {name: view.float().numpy() for name, view in found.items()}


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

ROTATED = ("logistic", "mlp")
"""Kinds that are shown a code of more dimensions than items in the span of the items.

For a linear probe with an L2 penalty that is exact: its weights never leave that span.
"""


@dataclass(frozen=True, eq=False)
class Told:
    """The predictions of a fitted probe for one label.

    make: returns the probe before it is fitted. validation: balanced accuracy on the validation
    items. scores: scores of all *test* items, (n, K). sharpness: inverse temperature that
    calibrates the scores, fitted on the validation items.
    """

    kind: str
    view: str
    make: Callable[[], Probe]
    validation: float
    scores: Scores
    sharpness: float

    @property
    def said(self) -> Labels:
        """The predicted class of each *test* item, (n,)."""
        return self.scores.argmax(1)

    def log_probabilities(self) -> Scores:
        """Return the calibrated log-probability of each class, (n, K), in nats."""
        return np.asarray(log_softmax(self.sharpness * self.scores, axis=1))


def tell(
    fit: tuple[Tensor, Labels],
    test: Tensor,
    battery: dict[str, list[Callable[[], Probe]]],
    classes: Sequence[int],
) -> list[list[Told]]:
    """Fit every probe of a battery on every view of the codes.

    Args:
        fit: Codes, (n, C) or (n, C, H, W), and their labels, (n, F) (`HIDDEN`: no label).
        test: Codes whose labels are predicted.
        battery: Kinds of probes, each in several strengths of regularisation.
        classes: The number of classes of each label, including classes without items.

    Returns:
        For each label, the predictions of all probes, from best to worst validation accuracy.
    """
    code, labels = fit
    held_out = validating(labels)
    told: list[list[Told]] = [[] for _ in labels.T]
    for view in views(code):
        plain = _standardised(view, code, test, held_out)
        rotated = _in_span(plain)
        for kind, strengths in battery.items():
            for make in strengths:
                parts = rotated if kind in ROTATED else plain
                found = _fitted(kind, view, make, parts, labels, held_out, classes)
                for of_label, one in zip(told, found, strict=True):
                    of_label.append(one)
    return [sorted(of_label, key=lambda t: -t.validation) for of_label in told]


def refit(
    fit: tuple[Tensor, Labels], test: Tensor, told: Sequence[Told], classes: Sequence[int]
) -> list[list[Told]]:
    """Fit the chosen probe of each label again without each of `GROUPS` groups of fitting items.

    The choice of the probe and the validation items that calibrate its scores stay the same. A
    group keeps its items for a label that would have fewer than two values without them.

    Args:
        fit: The codes and labels of `tell`.
        test: The codes of `tell` whose labels are predicted.
        told: The chosen predictions for each label, from `tell`.
        classes: The number of classes of each label.

    Returns:
        For each group, the predictions for each label.
    """
    code, labels = fit
    held_out = validating(labels)
    group = generator("jackknife", "probe", len(code)).permutation(len(code)) % GROUPS
    without = [labels.copy() for _ in range(GROUPS)]
    for g, of_group in enumerate(without):
        for at, column in enumerate(labels.T):
            rest = column[~held_out & (group != g)]
            if len(np.unique(rest[rest != HIDDEN])) > 1:
                of_group[~held_out & (group == g), at] = HIDDEN
    found: list[list[Told]] = [list(told) for _ in range(GROUPS)]
    for kind, view, make in dict.fromkeys((t.kind, t.view, t.make) for t in told):
        columns = [at for at, t in enumerate(told) if (t.view, t.make) == (view, make)]
        parts = _standardised(view, code, test, held_out)
        parts = _in_span(parts) if kind in ROTATED else parts
        of_columns = [classes[at] for at in columns]
        for g, of_group in enumerate(without):
            again = _fitted(kind, view, make, parts, of_group[:, columns], held_out, of_columns)
            for at, one in zip(columns, again, strict=True):
                found[g][at] = one
    return found


GROUPS = 4
"""Groups of fitting items that `refit` leaves out. More groups cost more and change little."""


def _standardised(
    view: str, code: Tensor, test: Tensor, held_out: NDArray[np.bool_]
) -> list[Features]:
    """Return a view of the fitting, the validation and the *test* items, standardised alike."""
    from sklearn.preprocessing import StandardScaler

    x = views(code)[view]
    scaler = StandardScaler().fit(x[~held_out])
    return [scaler.transform(v) for v in (x[~held_out], x[held_out], views(test)[view])]


def _fitted(
    kind: str,
    view: str,
    make: Callable[[], Probe],
    parts: Sequence[Features],
    labels: Labels,
    held_out: NDArray[np.bool_],
    classes: Sequence[int],
) -> list[Told]:
    """Fit a probe, and return its predictions for each label. `parts` is from `_standardised`."""
    x_fit, x_validation, x_test = parts
    probe = make().fit(x_fit, labels[~held_out], classes)
    told = []
    pairs = zip(probe.scores(x_validation), probe.scores(x_test), strict=True)
    for truth, (validation, scores) in zip(labels[held_out].T, pairs, strict=True):
        seen = truth != HIDDEN
        right = balanced_accuracy(validation[seen].argmax(1), truth[seen])
        sharpness = _sharpness(validation[seen], truth[seen])
        told.append(Told(kind, view, make, right, scores, sharpness))
    return told


def _in_span(parts: Sequence[Features]) -> list[Features]:
    """Rotate features into the span of the first part, if the span has fewer dimensions."""
    first = parts[0]
    if first.shape[1] <= len(first):
        return list(parts)
    _, _, directions = np.linalg.svd(first, full_matrices=False)
    return [part @ directions.T for part in parts]


def validating(labels: Labels) -> NDArray[np.bool_]:
    """Return which of (n, F) labelled items are validation items, the same for all codes.

    With one label, each class has the same share of validation items. With several labels, the
    share is of all items.
    """
    groups = labels[:, 0] if labels.shape[1] == 1 else np.zeros(len(labels))
    held_out = np.zeros(len(labels), dtype=bool)
    for c in np.unique(groups):
        at = np.flatnonzero(groups == c)
        chosen = generator("validation", int(c), len(at)).permutation(len(at))
        held_out[at[chosen[: max(1, round(VALIDATION * len(at)))]]] = True
    return held_out


def _sharpness(scores: Scores, labels: Labels) -> float:
    """Return the inverse temperature with the lowest cross-entropy (Guo et al., ICML 2017)."""

    def loss(log_sharpness: float) -> float:
        log_p = log_softmax(np.exp(log_sharpness) * scores, axis=1)
        return float(-log_p[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-6, 4), method="bounded").x))


def bits(told: Told, labels: Labels) -> Scores:
    """Return -log2 of the predicted probability of the true label of each *test* item, (n,)."""
    return -told.log_probabilities()[np.arange(len(labels)), labels] / np.log(2)


def entropy(labels: Labels) -> float:
    """Return the entropy of labels in bits."""
    share = np.bincount(labels) / len(labels)
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum())
