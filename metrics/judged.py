"""Transfer as a judge sees it, for tasks that know factors but no true results.

`transfer_judged` is built like `metrics.scores.Scores`, but from the judge's predictions instead of
true pixels. A judge does not notice where the content is, so this number is never mixed with
`transfer`.

`tr_companion` concerns tasks where a shared factor goes with the separate content in *train* (see
`bench.contracts.task.Companion`). It shows whether a method takes that factor for a part of the
content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import HIDDEN, TaskData
from bench.metrics._extractor import extractor_for
from bench.metrics._judge import (
    Judge,
    counted_factors,
    judge,
    too_often_wrong,
    why_no_domain,
)
from bench.metrics._statistics import Array, couples, mean_result, ratio_of_sums
from bench.metrics.judged_parts import cases, said_target, success
from bench.metrics.scores import Part, Parts, combined

FEWEST = 10
"""A value of a factor counts if at least so many of the pairs that count have it."""


class Judged(Metric):
    """The score of transfer by the judge, and the companion of the separate content."""

    name = "judged"
    summary = "transfer as a judge sees it: for tasks without true results"
    version = 3
    position = 52
    numbers = (
        MetricInfo(
            id="transfer_judged",
            unit="",
            better="higher",
            meaning="as transfer, by the judge's predictions; it does not see where content is",
            label="transf. jdg.",
            group="Scores",
            bounds=(0.0, 1.0),
            keeps_items=True,
            agrees_with="transfer",
            main_without_truth=True,
            orders=2,
            exact={"copy-source": (0.0, "a judge gives copying the source a transfer of 0")},
            in_curve=True,
            needs=("add", "remove"),
        ),
        MetricInfo(
            id="tr_companion",
            unit="",
            better="lower",
            meaning="share of add that shows the content's companion unasked, minus the truth's",
            label="companion",
            group="Transfer",
            bounds=(-1.0, 1.0),
            exact={"ground-truth": (0.0, "the truth shows no companion unasked")},
            needs=("add",),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers. `metrics.scores.combined` describes the detail of the score.

        Each number is unavailable if the judge is too often wrong about real images.
        """
        extractor, data = extractor_for(data, settings), data.pair
        results = {}
        for info in wanted:
            if reason := _why_not(info.id, data):
                results[info.id] = Result(status="not_applicable", reason=reason)
                continue
            judged = judge(extractor, data, settings.cache)
            find = _transfer if info.id == "transfer_judged" else _companion
            results[info.id] = find(info, judged, artefacts.tensors, data)
        return results


def _why_not(name: str, data: TaskData) -> str:
    """Return why a number does not apply to a task, or ''."""
    if name == "transfer_judged":
        shared = any(not factor.separate for factor in data.factors)
        return "" if shared else f"task {data.name} knows no common factors"
    if data.companion is None:
        return f"task {data.name} has no companion of its separate content"
    return "" if data.truth else f"task {data.name} cannot render the true result"


def _transfer(
    info: MetricInfo, judged: Judge, images: Mapping[str, Tensor], data: TaskData
) -> Result:
    """Return the mean of H(S, C) for add and H(D, C') for remove, H being the harmonic mean.

    S, C and C' are corrected accuracies of the separate and the common factors (see `_factors`). D
    is `rm_domain_success`. If the task has no separate factor, S is `tr_domain_success`.
    """
    separate, common = (counted_factors(judged, data, of) for of in (True, False))
    accuracy = judged.domain_accuracy(data)
    counted = separate.with_others(common, why_no_domain(accuracy))
    detail = counted.detail | {"domain_accuracy": accuracy}
    add, remove = images["add"], images["remove"]
    if counted.reason:
        return Result(status="unavailable", reason=counted.reason, n=len(add), detail=detail)
    if any(factor.separate for factor in data.factors):
        content = _factors("tr_specific_acc", separate.columns, judged, add, data)
    else:
        content = _domain("B's content shown", 1, judged, add, data)
    sides: Mapping[str, Parts] = {
        "add": {"S": content, "C": _factors("tr_common_acc", common.columns, judged, add, data)},
        "remove": {
            "D": _domain("B's content gone", 0, judged, remove, data),
            "C'": _factors("rm_common_acc", common.columns, judged, remove, data),
        },
    }
    return combined(info, sides, len(add), judged.extractor.name, detail)


_SAYS = {
    "tr_specific_acc": "guide's content shown",
    "tr_common_acc": "source kept",
    "rm_common_acc": "image kept",
}


def _factors(
    name: str, columns: Sequence[int], judged: Judge, images: Tensor, data: TaskData
) -> Part:
    """Return the mean over factors of (accuracy - 1 / K) / (1 - 1 / K).

    The accuracy is the mean recall over the K values of the factor that `FEWEST` of the pairs that
    count have. Which pairs count is the rule of `cases` for the named number. A factor with fewer
    than two such values is left out.
    """
    factors: list[tuple[Array, Array]] = []
    for at in columns:
        wanted, count = cases(name, at, data)
        values = [
            v for v in wanted[count].unique().tolist() if (wanted[count] == v).sum() >= FEWEST
        ]
        if len(values) > 1:
            of_value = torch.stack([(wanted == v) & count for v in values])
            right = of_value & (judged.factor(data.factors[at], images) == wanted)
            factors.append((couples(right.double().numpy()), couples(of_value.double().numpy())))

    def unclipped(weights: Array) -> Array:
        corrected = []
        for right, of_value in factors:
            # a draw may lack a value: NaN
            accuracy = ratio_of_sums(weights, right.T, of_value.T).mean(1)
            chance = 1 / len(right)
            corrected.append((accuracy - chance) / (1 - chance))
        return np.mean(corrected, axis=0)

    group = "separate" if name == "tr_specific_acc" else "common"
    empty = f"no {group} factor has two values that at least {FEWEST} pairs show"
    return Part(_SAYS[name], unclipped, "" if factors else empty)


def _domain(says: str, target: int, judged: Judge, images: Tensor, data: TaskData) -> Part:
    """Return `metrics.judged_parts.success` as a part of a score."""
    made, plain, real = said_target(judged, images, target, data)
    return Part(says, partial(success, (couples(made) / 2, couples(plain) / 2, real)))


def _companion(
    info: MetricInfo, judged: Judge, images: Mapping[str, Tensor], data: TaskData
) -> Result:
    """Return in what share of results the judge sees the companion, minus that share of the truths.

    A pair counts if its source shows that it lacks the companion, and its guide has content that
    brings the companion in *train*.
    """
    companion, truth = data.companion, data.truth
    assert companion is not None
    assert truth is not None
    shared, of_a, shown = _found(companion.shared, companion.shown, 0, data)
    _, of_b, bring = _found(companion.separate, companion.bring, 1, data)
    factor, n = data.factors[shared], len(of_a)
    counted = counted_factors(judged, data, separate=False)
    if shared not in counted.columns:
        reason = f"too few real test images show {factor.name} to know the judge's accuracy"
        if (found := counted.not_counted.get(factor.name)) is not None:
            reason = too_often_wrong(f"{found:.3f} for {factor.name}")
        return Result(status="unavailable", reason=reason, n=n)
    count = (of_a != HIDDEN) & ~torch.isin(of_a, shown) & torch.isin(of_b, bring)
    if not count.any():
        reason = f"no source lacks {factor.name} while its guide's content usually brings it"
        return Result(status="unavailable", reason=reason, n=n)
    made, true = (
        torch.isin(judged.factor(factor, of)[count], shown).double().numpy()
        for of in (images["add"], truth.add)
    )
    detail = {
        "share": float(made.mean()),
        "share_of_truth": float(true.mean()),
        "judge": {factor.name: counted.accuracy[factor.name]},
        "judge_accuracy": counted.accuracy[factor.name],
    }
    result = mean_result(info, made - true, info.id)
    return replace(result, extractor=judged.extractor.name, detail=detail)


def _found(
    name: str, values: Sequence[str], domain: int, data: TaskData
) -> tuple[int, Tensor, Tensor]:
    """Return the column of a factor, its *test* values in a domain, (n,), and some of its values.

    The named values are returned as indices.
    """
    at = next(at for at, factor in enumerate(data.factors) if factor.name == name)
    indices = torch.tensor([data.factors[at].values.index(value) for value in values])
    return at, data.domains["test"][domain].factors[:, at], indices
