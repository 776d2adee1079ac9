"""Transfer compared with the truth: the task renders the true results of add and remove.

A transfer changes only part of an image, so an error over the whole image flatters a method that
does nothing. Here we divide the image into the pixels that the true change affects and the
others. Inside the true change, the error is compared with the error of the unchanged source.
Outside it, every change is harm. `metrics.scores` combines these numbers into scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData, Truth
from bench.metrics._statistics import Array, estimate, ratio_of_sums


def absolute_error(x: Tensor, y: Tensor) -> Tensor:
    """Return the absolute error of each pixel, float64 (n, S, S) in [0, 1], mean over channels."""
    return (x.to(torch.int16) - y.to(torch.int16)).abs().to(torch.float64).mean(1) / 255


def changed(source: Tensor, truth: Tensor) -> Tensor:
    """Return where the truth differs from the source, bool (n, S, S)."""
    return (source != truth).any(1)


def skill(
    output: Tensor, source: Tensor, truth: Tensor, everywhere: bool = False
) -> tuple[Array, Array]:
    """Return the error of each output and the error of its source, as sums over pixels, (n,).

    The sums run over the true change, or over the whole image if ``everywhere`` is set. The skill
    of a set is 1 - sum(output errors) / sum(source errors). It is 1 for the truth, 0 for a copy of
    the source, and negative for outputs that are worse than the source. As a ratio of sums, it
    weights each pair by the size of its true change.
    """
    counts = torch.ones(1) if everywhere else changed(source, truth)
    error = (absolute_error(output, truth) * counts).sum((1, 2))
    own = (absolute_error(source, truth) * counts).sum((1, 2))
    return error.numpy(), own.numpy()


def harm(
    output: Tensor, source: Tensor, truth: Tensor, kept: Tensor | None = None
) -> tuple[Array, Array]:
    """Return for each pair the change outside the true change, and the number of pixels there.

    kept: the images from which a change is measured; None for the sources.
    """
    outside = ~changed(source, truth)
    error = (absolute_error(output, source if kept is None else kept) * outside).sum((1, 2))
    return error.numpy(), outside.sum((1, 2)).to(torch.float64).numpy()


def nearer(result: Tensor, right: Tensor, wrong: Tensor) -> Array:
    """Return for each result whether it is nearer to its right truth than to a wrong one, (n,).

    The value is 1 or 0, and 1/2 for a tie. It is NaN if the two truths are equal.
    """
    to_right = absolute_error(result, right).sum((1, 2))
    to_wrong = absolute_error(result, wrong).sum((1, 2))
    won: Array = ((to_wrong - to_right).sign().numpy() + 1) / 2
    won[(right == wrong).flatten(1).all(1).numpy()] = np.nan
    return won


def rank(add: Tensor, other: Tensor, truth: Truth) -> Array:
    """Return for each source how often a result is nearer to its own truth than to the other truth.

    Each source has two guides, so two results and two truths. The value is the mean of `nearer`
    over the two results: (n,) values in {0, 1/4, 1/2, 3/4, 1}. A method that ignores the guide gets
    1/2, because its two results are equal: one wins where the other loses. The value is NaN if the
    two truths are equal.
    """
    return (nearer(add, truth.add, truth.other) + nearer(other, truth.other, truth.add)) / 2


class Counterfactual(Metric):
    """Skill inside the true change, harm outside it, and whether the guide is followed."""

    name = "counterfactual"
    summary = "results against the true results that the task draws"
    version = 3
    position = 40
    numbers = (
        MetricInfo(
            id="cf_skill_in_add",
            unit="",
            better="higher",
            meaning="add: error inside the true change, 1 = truth, 0 = copying the source",
            label="skill add",
            group="Transfer",
            bounds=(None, 1.0),
            keeps_items=True,
            main=True,
            tolerance=0.02,
            exact={
                "ground-truth": (1.0, "the truth makes the whole change when it adds"),
                "copy-source": (0.0, "copying the source earns nothing when it adds"),
            },
            needs=("add",),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_skill_in_remove",
            unit="",
            better="higher",
            meaning="remove: error inside the true change, 1 = truth, 0 = copying the source",
            label="skill rem.",
            group="Transfer",
            bounds=(None, 1.0),
            keeps_items=True,
            tolerance=0.02,
            exact={
                "ground-truth": (1.0, "the truth makes the whole change when it removes"),
                "copy-source": (0.0, "copying the source earns nothing when it removes"),
            },
            needs=("remove",),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_harm_out_add",
            unit="pixel range",
            better="lower",
            meaning="add: mean change where nothing should change",
            label="harm add",
            group="Transfer",
            bounds=(0.0, 1.0),
            keeps_items=True,
            main=True,
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            exact={"ground-truth": (0.0, "the truth does no harm")},
            needs=("add",),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_harm_out_remove",
            unit="pixel range",
            better="lower",
            meaning="remove: mean change where nothing should change",
            label="harm rem.",
            group="Transfer",
            bounds=(0.0, 1.0),
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            needs=("remove",),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_skill_add",
            unit="",
            better="higher",
            meaning="add: error over the whole image, 1 = truth, 0 = copying, below 0 = worse",
            label="whole add",
            group="Transfer",
            bounds=(None, 1.0),
            tolerance=0.02,
            exact={
                "ground-truth": (1.0, "the truth adds without an error anywhere"),
                "copy-source": (0.0, "over the whole image, copying adds nothing"),
            },
            needs=("add",),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_skill_remove",
            unit="",
            better="higher",
            meaning="remove: error over the whole image, 1 = truth, 0 = copying, below 0 = worse",
            label="whole rem.",
            group="Transfer",
            bounds=(None, 1.0),
            tolerance=0.02,
            exact={
                "ground-truth": (1.0, "the truth removes without an error anywhere"),
                "copy-source": (0.0, "over the whole image, copying removes nothing"),
            },
            needs=("remove",),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_harm_own_add",
            unit="pixel range",
            better="lower",
            meaning="add: mean distance to the own reconstruction where nothing should change",
            label="own harm add",
            group="Transfer",
            bounds=(0.0, 1.0),
            keeps_items=True,
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            needs=("add", "rec_a"),
            needs_truth=True,
        ),
        MetricInfo(
            id="cf_rank_add",
            unit="",
            better="higher",
            meaning="nearer to the truth of its guide than of another? 0.5 = ignores it",
            label="rank add",
            group="Transfer",
            scale="logit",
            bounds=(0.0, 1.0),
            keeps_items=True,
            exact={
                "ground-truth": (1.0, "the truth follows its guide"),
                "copy-source": (0.5, "copying the source ignores its guide"),
            },
            needs=("add", "other"),
            needs_truth=True,
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers. The intervals resample whole pairs.

        Each source and each guide is in one pair only, so pairs are independent. For the rank, two
        neighbouring pairs use each other's guide, so the interval resamples couples of pairs. A
        couple counts with those of its two pairs that have a value.
        """
        truth = data.truth
        assert truth is not None
        a, b = data.test_pairs
        results = {}
        for info in wanted:
            if info.id == "cf_rank_add":
                won = rank(artefacts.tensors["add"], artefacts.tensors["other"], truth)
                results[info.id] = _rank_result(info, won)
                continue
            what = info.id.rsplit("_", 1)[1]
            source, true = (a, truth.add) if what == "add" else (b, truth.remove)
            output = artefacts.tensors[what]
            is_skill = info.id.startswith("cf_skill")
            if is_skill:
                everywhere = info.id == f"cf_skill_{what}"
                above, below = skill(output, source, true, everywhere)
            else:
                kept = artefacts.tensors["rec_a"] if info.id == "cf_harm_own_add" else source
                above, below = harm(output, source, true, kept)
            results[info.id] = _ratio_result(info, above, below)
        return results


def _ratio_result(info: MetricInfo, above: Array, below: Array) -> Result:
    is_skill = info.id.startswith("cf_skill")
    if below.sum() == 0:
        where = "changes a pixel" if is_skill else "leaves a pixel"
        return Result(status="unavailable", reason=f"the truth of no pair {where}", n=len(above))

    def ratio(weights: Array) -> Array:
        found = ratio_of_sums(weights, above, below)
        return 1 - found if is_skill else found

    return estimate(info, ratio, len(above), info.id)


def _rank_result(info: MetricInfo, won: Array) -> Result:
    n = int((~np.isnan(won)).sum())
    if n == 0:
        return Result(status="unavailable", reason="the guides of all pairs give the same truth")
    couples = won.reshape(-1, 2)
    couples = couples[~np.isnan(couples).all(1)]
    above, below = np.nansum(couples, axis=1), (~np.isnan(couples)).sum(1).astype(np.float64)
    result = estimate(info, partial(ratio_of_sums, above=above, below=below), len(above), info.id)
    return replace(result, n=n)
