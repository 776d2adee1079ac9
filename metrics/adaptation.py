"""Does a classifier that is fitted on one domain work on the other domain?

This is the test of domain adaptation. If z1 holds what an image shows (the digit) but not its
domain, a classifier that is fitted on source codes works on target codes. It is fitted without
labels of the target. It is fitted on *probe* and scored on *test*. Read it together with
`z1_domain_acc`: a code can hide its domain from every probe and still swap the classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import HIDDEN, TaskData
from bench.metrics._probes import SHORT_BATTERY, Labels, Told, tell, validating

LOGISTIC = {"logistic": SHORT_BATTERY["logistic"]}
ROUTES = {"da_acc": "ab", "da_acc_back": "ba", "da_acc_source": "aa"}
"""For each number: the domain of the fit, and the domain of the score."""


class Adaptation(Metric):
    """Accuracy of a logistic regression on z1 in the domain that was not used to fit it."""

    name = "adaptation"
    summary = "does a classifier of one domain's z1 carry over to the other? (tasks with a label)"
    version = 1
    position = 20
    numbers = (
        MetricInfo(
            id="da_acc",
            unit="",
            better="higher",
            meaning="accuracy in B of a classifier of the label that was fitted on z1 of A",
            label="label A to B",
            group="What is in which code",
            needs=("z1_probe_a", "z1_test_b"),
        ),
        MetricInfo(
            id="da_acc_back",
            unit="",
            better="higher",
            meaning="accuracy in A of a classifier of the label that was fitted on z1 of B",
            label="label B to A",
            group="What is in which code",
            needs=("z1_probe_b", "z1_test_a"),
        ),
        MetricInfo(
            id="da_acc_source",
            unit="",
            better="higher",
            meaning="accuracy of the classifier of da_acc in A itself: what z1 tells at best",
            label="label A to A",
            group="What is in which code",
            needs=("z1_probe_a", "z1_test_a"),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted accuracies. The detail holds the accuracies on raw pixels."""
        column = next((at for at, f in enumerate(data.factors) if f.name == data.label), None)
        if column is None:
            reason = f"task {data.name} names no label that both domains share"
            return {info.id: Result(status="not_applicable", reason=reason) for info in wanted}
        results: dict[str, Result] = {}
        for source in "ab":
            asked = [info.id for info in wanted if ROUTES[info.id][0] == source]
            if asked:
                results |= _accuracies(source, asked, column, artefacts, data)
        return results


def _accuracies(
    source: str, asked: Sequence[str], column: int, artefacts: Artefacts, data: TaskData
) -> dict[str, Result]:
    """Return the wanted accuracies of the classifier fitted on a source domain, 'a' or 'b'."""
    fit = data.domains["probe"]["ab".index(source)]
    told = fit.factors[:, column] != HIDDEN
    labels = fit.factors[told, column].numpy()
    fitted = ~validating(labels[:, None])
    if len(np.unique(labels[fitted])) < 2:
        reason = f"{source.upper()} shows fewer than two values of {data.label} to learn from"
        return {name: Result(status="not_applicable", reason=reason) for name in asked}
    targets = [ROUTES[name][1] for name in asked]
    tests = [data.domains["test"]["ab".index(target)] for target in targets]
    codes = [artefacts.tensors[f"z1_test_{target}"] for target in targets]
    classes = len(data.factors[column].values)
    known = artefacts.tensors[f"z1_probe_{source}"][told]
    best, said = _classified(known, labels, codes, classes)
    pixels = [test.images.float() for test in tests]
    _, of_pixels = _classified(fit.images[told].float(), labels, pixels, classes)
    results = {}
    for name, test, by_code, by_pixels in zip(asked, tests, said, of_pixels, strict=True):
        truth = test.factors[:, column].numpy()
        seen = truth != HIDDEN
        n = int(seen.sum())
        if n == 0:
            reason = f"{data.label} shows in no test image of {ROUTES[name][1].upper()}"
            results[name] = Result(status="not_applicable", reason=reason)
            continue
        right = int((by_code == truth)[seen].sum())
        lo, hi = binomtest(right, n).proportion_ci(method="wilson")
        detail = {
            "pixels": float((by_pixels == truth)[seen].mean()),
            "guess": float(np.bincount(truth[seen]).max() / n),
            "probe": f"{best.kind} on {best.view}",
            "validation": best.validation,
            "n_fit": int(fitted.sum()),
        }
        results[name] = Result(right / n, float(lo), float(hi), n, detail=detail)
    return results


def _classified(
    known: Tensor, labels: Labels, asked: Sequence[Tensor], classes: int
) -> tuple[Told, list[Labels]]:
    """Return the logistic regression with the best validation accuracy, and its predictions."""
    best = tell((known, labels[:, None]), torch.cat(list(asked)), LOGISTIC, (classes,))[0][0]
    return best, np.split(best.said, np.cumsum([len(of) for of in asked])[:-1])
