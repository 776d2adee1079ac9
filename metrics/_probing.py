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
"""Kinds that are shown a code of more dimensions than items in the span of the fitting items.

For a linear probe with an L2 penalty that is exact: its weights never leave that span.
"""
BY_DISTANCE = ("rbf_svm",)
"""Kinds that depend on distances only. They are shown the same, and the distance from the span."""
FLAT = 1e-10
"""Directions whose variance is below this fraction of the largest one count as none."""
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
                    (found,) = self._fitted(kind, view, make, [self._labels], self._classes)
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
            labellings = [labels[:, columns] for labels in self._without_groups]
            by_group = self._fitted(kind, view, make, labellings, classes)
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
        labellings: Sequence[Labels],
        classes: Sequence[int],
    ) -> list[list[Told]]:
        """Fit a probe, and return its predictions for each label of each labelling, (n, F)."""
        held_out = self._held_out
        x_fit, x_validation, x_test = self._views[view].shown_to(kind)
        probe = make().fit(x_fit, [labels[~held_out] for labels in labellings], classes)
        validation, test = probe.scores(x_validation), probe.scores(x_test)
        return [
            [
                _told(kind, view, make, *of_label)
                for of_label in zip(labels[held_out].T, of_validation, of_test, strict=True)
            ]
            for labels, of_validation, of_test in zip(labellings, validation, test, strict=True)
        ]


def _told(
    kind: str,
    view: str,
    make: Callable[[], Probe],
    truth: Labels,
    validation: Scores,
    scores: Scores,
) -> Told:
    """Return the predictions for a label whose values on the validation items are `truth`."""
    seen = truth != HIDDEN
    right = balanced_accuracy(validation[seen].argmax(1), truth[seen])
    return Told(kind, view, make, right, scores, _sharpness(validation[seen], truth[seen]))


class _View:
    """A view of the fitting, the validation and the *test* items, standardised alike."""

    def __init__(self, fit: Features, test: Features, held_out: NDArray[np.bool_]) -> None:
        self._fit, self._test, self._held_out = fit, test, held_out

    def shown_to(self, kind: str) -> list[Features]:
        """Return the features of the three sets of items for a kind of probe."""
        fitted = self.plain[0]
        if fitted.shape[1] <= len(fitted) or kind not in (*ROTATED, *BY_DISTANCE):
            return self.plain
        if kind in ROTATED:
            return self.rotated
        return [
            np.column_stack([inside, outside])
            for inside, outside in zip(self.rotated, self._outside, strict=True)
        ]

    @cached_property
    def plain(self) -> list[Features]:
        """The features of the three sets of items."""
        from sklearn.preprocessing import StandardScaler

        x, held_out = self._fit, self._held_out
        scaler = StandardScaler().fit(x[~held_out])
        return [scaler.transform(part) for part in (x[~held_out], x[held_out], self._test)]

    @cached_property
    def rotated(self) -> list[Features]:
        """The features in the span of the fitting items, by their principal axes.

        The axes come from the inner products of the items, which is quicker than from the features.
        """
        fitted = self.plain[0].astype(np.float64)
        variances, axes = np.linalg.eigh(fitted @ fitted.T)
        used = variances > FLAT * variances[-1]
        used[-1] = True  # a constant code has no variance
        axes = axes[:, used]
        axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
        to_axes = fitted.T @ (axes / np.sqrt(np.maximum(variances[used], np.finfo(float).tiny)))
        return [(part @ to_axes).astype(np.float32) for part in self.plain]

    @cached_property
    def _outside(self) -> list[Features]:
        """The distance of each item from the span of the fitting items, (n,)."""
        squares = [(part**2).sum(1) for part in self.plain]
        inside = [(part**2).sum(1) for part in self.rotated]
        return [
            np.sqrt(np.maximum(0, whole - part))
            for whole, part in zip(squares, inside, strict=True)
        ]


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
