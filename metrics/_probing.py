"""Fits probes on a code, chooses the best one for each label, and says how sure the choice is.

Every probe of a battery is fitted on several views of the code. For each label, we choose the probe
with the best accuracy on a held-out quarter of the fitting items, and score it on the *test* items.

The accuracy of a probe also depends on the items that it is fitted on. `Probing.refit` fits the
chosen probes again without each of a few groups of these items. From that, an interval of
`metrics._statistics` includes the fitting.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor

from bench.contracts.task import HIDDEN
from bench.metrics._probes import Features, Labels, Probe, Scores
from bench.metrics._statistics import generator

VALIDATION = 0.25
GROUPS = 4
"""Groups of fitting items that `Probing.refit` leaves out. More cost more and change little."""
ROTATED = ("logistic", "mlp")
"""Kinds that are shown a code of more dimensions than items in the span of the items.

For a linear probe with an L2 penalty that is exact: its weights never leave that span.
"""
Battery = Mapping[str, Sequence[Callable[[], Probe]]]


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


class Probing:
    """Fits probes on codes with labels, and predicts the labels of *test* codes.

    The views of the codes are standardised and rotated once for all probes.

    Args:
        fit: codes, (n, C) or (n, C, H, W), and their labels, (n, F) (`HIDDEN`: no label).
        test: codes whose labels are predicted.
        classes: the number of classes of each label, including classes without items.
    """

    def __init__(self, fit: tuple[Tensor, Labels], test: Tensor, classes: Sequence[int]) -> None:
        code, self._labels = fit
        self._held_out, self._classes = validating(self._labels), classes
        self._views = {
            name: _View(view, of_test, self._held_out)
            for (name, view), of_test in zip(views(code).items(), views(test).values(), strict=True)
        }
        self._again: dict[Told, list[Told]] = {}

    def tell(self, battery: Battery) -> list[list[Told]]:
        """Fit every probe of a battery, in several strengths of regularisation, on every view.

        Returns:
            For each label, the predictions of all probes, from best to worst validation accuracy.
        """
        told: list[list[Told]] = [[] for _ in self._classes]
        for view in self._views:
            for kind, strengths in battery.items():
                for make in strengths:
                    found = self._fitted(kind, view, make, self._labels, self._classes)
                    for of_label, one in zip(told, found, strict=True):
                        of_label.append(one)
        return [sorted(of_label, key=lambda t: -t.validation) for of_label in told]

    def refit(self, told: Sequence[Told]) -> list[list[Told]]:
        """Fit the chosen probe of each label again without each of `GROUPS` groups of items.

        The choice of the probe and the validation items that calibrate its scores stay the same. A
        group keeps its items for a label that would have fewer than two values without them. A
        probe that was fitted again for an earlier call is not fitted a third time.

        Args:
            told: the chosen predictions for each label, from `tell`.

        Returns:
            For each group, the predictions for each label.
        """
        new = {at: one for at, one in enumerate(told) if one not in self._again}
        for kind, view, make in dict.fromkeys((t.kind, t.view, t.make) for t in new.values()):
            columns = [at for at, t in new.items() if (t.view, t.make) == (view, make)]
            classes = [self._classes[at] for at in columns]
            by_group = [
                self._fitted(kind, view, make, labels[:, columns], classes)
                for labels in self._without_groups
            ]
            for at, again in zip(columns, zip(*by_group, strict=True), strict=True):
                self._again[told[at]] = list(again)
        return [[self._again[one][g] for one in told] for g in range(GROUPS)]

    def refit_one(self, told: Told) -> list[Told]:
        """Return what `refit` finds for the only label, for each group."""
        return [one for (one,) in self.refit([told])]

    @cached_property
    def _without_groups(self) -> list[Labels]:
        """The labels with each group of fitting items hidden."""
        labels, fitted = self._labels, ~self._held_out
        group = generator("jackknife", "probe", len(labels)).permutation(len(labels)) % GROUPS
        without = [labels.copy() for _ in range(GROUPS)]
        for g, of_group in enumerate(without):
            for at, column in enumerate(labels.T):
                rest = column[fitted & (group != g)]
                if len(np.unique(rest[rest != HIDDEN])) > 1:
                    of_group[fitted & (group == g), at] = HIDDEN
        return without

    def _fitted(
        self,
        kind: str,
        view: str,
        make: Callable[[], Probe],
        labels: Labels,
        classes: Sequence[int],
    ) -> list[Told]:
        """Fit a probe, and return its predictions for each of (n, F) labels."""
        of_view, held_out = self._views[view], self._held_out
        x_fit, x_validation, x_test = of_view.rotated if kind in ROTATED else of_view.plain
        probe = make().fit(x_fit, labels[~held_out], classes)
        told = []
        pairs = zip(probe.scores(x_validation), probe.scores(x_test), strict=True)
        for truth, (validation, scores) in zip(labels[held_out].T, pairs, strict=True):
            seen = truth != HIDDEN
            right = balanced_accuracy(validation[seen].argmax(1), truth[seen])
            sharpness = _sharpness(validation[seen], truth[seen])
            told.append(Told(kind, view, make, right, scores, sharpness))
        return told


class _View:
    """A view of the fitting, the validation and the *test* items, standardised alike."""

    def __init__(self, fit: Features, test: Features, held_out: NDArray[np.bool_]) -> None:
        self._fit, self._test, self._held_out = fit, test, held_out

    @cached_property
    def plain(self) -> list[Features]:
        """The features of the three sets of items."""
        from sklearn.preprocessing import StandardScaler

        x, held_out = self._fit, self._held_out
        scaler = StandardScaler().fit(x[~held_out])
        return [scaler.transform(part) for part in (x[~held_out], x[held_out], self._test)]

    @cached_property
    def rotated(self) -> list[Features]:
        """The features in the span of the fitting items, if it has fewer dimensions."""
        first = self.plain[0]
        if first.shape[1] <= len(first):
            return self.plain
        _, _, directions = np.linalg.svd(first, full_matrices=False)
        return [part @ directions.T for part in self.plain]


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
