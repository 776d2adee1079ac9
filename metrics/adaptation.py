"""Does a classifier that is fitted on one domain work on the other domain?

This is the test of domain adaptation. If z1 holds what an image shows (the digit) but not its
domain, a classifier that is fitted on source codes works on target codes. It is fitted without
labels of the target. It is fitted on *probe* and scored on *test*. Read it together with
`z1_domain_acc`: a code can hide its domain from every probe and still swap the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import HIDDEN, TaskData
from bench.metrics._probes import SHORT_BATTERY, Labels
from bench.metrics._probing import Probing, Told, validating
from bench.metrics._statistics import mean_result

LOGISTIC = {"logistic": SHORT_BATTERY["logistic"]}
ROUTES = {"da_acc": "ab", "da_acc_back": "ba", "da_acc_source": "aa"}
"""For each number: the domain of the fit, and the domain of the score."""


class Adaptation(Metric):
    """Accuracy of a logistic regression on z1 in the domain that was not used to fit it."""

    name = "adaptation"
    summary = "does a classifier of one domain's z1 carry over to the other? (tasks with a label)"
    version = 3
    position = 20
    numbers = (
        MetricInfo(
            id="da_acc",
            unit="",
            better="higher",
            meaning="accuracy in B of a classifier of the label that was fitted on z1 of A",
            label="label A to B",
            group="What is in which code",
            scale="logit",
            bounds=(0.0, 1.0),
            keeps_items=True,
            needs=("z1_probe_a", "z1_test_b"),
        ),
        MetricInfo(
            id="da_acc_back",
            unit="",
            better="higher",
            meaning="accuracy in A of a classifier of the label that was fitted on z1 of B",
            label="label B to A",
            group="What is in which code",
            scale="logit",
            bounds=(0.0, 1.0),
            needs=("z1_probe_b", "z1_test_a"),
        ),
        MetricInfo(
            id="da_acc_source",
            unit="",
            better="higher",
            meaning="accuracy of the classifier of da_acc in A itself: what z1 tells at best",
            label="label A to A",
            group="What is in which code",
            scale="logit",
            bounds=(0.0, 1.0),
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
            asked = [info for info in wanted if ROUTES[info.id][0] == source]
            if asked:
                results |= _accuracies(source, asked, column, artefacts, data)
        return results


def _accuracies(
    source: str, asked: Sequence[MetricInfo], column: int, artefacts: Artefacts, data: TaskData
) -> dict[str, Result]:
    """Return the wanted accuracies of the classifier fitted on a source domain, 'a' or 'b'.

    The intervals include the fitting of the classifier (see `metrics._probing.Probing.refit`).
    """
    fit = data.domains["probe"]["ab".index(source)]
    told = fit.factors[:, column] != HIDDEN
    labels = fit.factors[told, column].numpy()
    fitted = ~validating(labels[:, None])
    if len(np.unique(labels[fitted])) < 2:
        reason = f"{source.upper()} shows fewer than two values of {data.label} to learn from"
        return {info.id: Result(status="not_applicable", reason=reason) for info in asked}
    targets = [ROUTES[info.id][1] for info in asked]
    tests = [data.domains["test"]["ab".index(target)] for target in targets]
    codes = [artefacts.tensors[f"z1_test_{target}"] for target in targets]
    classes = len(data.factors[column].values)
    known = artefacts.tensors[f"z1_probe_{source}"][told]
    of_codes = Probing((known, labels[:, None]), torch.cat(codes), (classes,))
    best = _best(of_codes)
    said, *again = (_by_target(told, codes) for told in (best, *of_codes.refit_one(best)))
    pixels = [test.images.float() for test in tests]
    known = fit.images[told].float()
    best_of_pixels = _best(Probing((known, labels[:, None]), torch.cat(pixels), (classes,)))
    of_pixels = _by_target(best_of_pixels, pixels)
    results = {}
    for at, (info, test) in enumerate(zip(asked, tests, strict=True)):
        truth = test.factors[:, column].numpy()
        seen = truth != HIDDEN
        n = int(seen.sum())
        if n == 0:
            reason = f"{data.label} shows in no test image of {ROUTES[info.id][1].upper()}"
            results[info.id] = Result(status="not_applicable", reason=reason)
            continue
        right, *without = ((of[at] == truth)[seen].astype(np.float64) for of in (said, *again))
        detail = {
            "pixels": float((of_pixels[at] == truth)[seen].mean()),
            "guess": float(np.bincount(truth[seen]).max() / n),
            "probe": f"{best.kind} on {best.view}",
            "validation": best.validation,
            "n_fit": int(fitted.sum()),
        }
        left_out = [float(of.mean()) for of in without]
        result = mean_result(info, right, info.id, left_out=left_out)
        results[info.id] = replace(result, detail=detail)
    return results


def _best(probing: Probing) -> Told:
    """Return the predictions of the logistic regression with the best validation accuracy."""
    return probing.tell(LOGISTIC)[0][0]


def _by_target(told: Told, asked: Sequence[Tensor]) -> list[Labels]:
    """Return the predictions for each of several sets of items that follow each other."""
    return np.split(told.said, np.cumsum([len(of) for of in asked])[:-1])
