"""Does the result show what it should? Classifiers judge it, without the true image.

`tr_specific_acc`: does the result show the content of the guide? `tr_common_acc`: does it keep the
common factors of the source? Both count a factor only if source and guide differ in it and both
show it. So a copy of the source scores 0 in the first, and a copy of the guide scores 0 in the
second. A factor also counts only if the judge reads it well in real images, see
`metrics._judge.counted_factors`; the detail names the others.

Cycle and diversity metrics complement them. Each of these is easy to satisfy alone: a copy of the
source closes every cycle, and noise is diverse. So read them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from torch import Tensor

from bench.contracts.images import of_neighbours
from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import HIDDEN, TaskData
from bench.metrics._extractor import Extractor, extractor_for
from bench.metrics._judge import Judge, counted_factors, judge, why_no_domain
from bench.metrics._statistics import (
    Array,
    bootstrap,
    contributions,
    couples,
    estimate,
    finish,
    mean_result,
    ratio_of_sums,
)


class JudgedParts(Metric):
    """Accuracy of the domain, the separate factors and the common factors of the results."""

    name = "judged_parts"
    summary = "do results show the guide's content and the source's face? judged by classifiers"
    version = 5
    position = 50
    numbers = (
        MetricInfo(
            id="tr_specific_acc",
            unit="",
            better="higher",
            meaning="share of the guide's content (kind, colour) that add shows",
            label="add separate",
            group="Transfer",
            main_without_truth=True,
            scale="logit",
            bounds=(0.0, 1.0),
            keeps_items=True,
            needs=("add",),
        ),
        MetricInfo(
            id="tr_common_acc",
            unit="",
            better="higher",
            meaning="share of the source's face that add keeps, where the guide's is another",
            label="add common",
            group="Transfer",
            main_without_truth=True,
            scale="logit",
            bounds=(0.0, 1.0),
            keeps_items=True,
            needs=("add",),
        ),
        MetricInfo(
            id="tr_domain_success",
            unit="",
            better="higher",
            meaning="add looks like B to a classifier; 0 = no more than the source, 1 = as real",
            label="add domain",
            group="Transfer",
            bounds=(0.0, 1.0),
            keeps_items=True,
            needs=("add",),
        ),
        MetricInfo(
            id="rm_common_acc",
            unit="",
            better="higher",
            meaning="share of b's face that remove keeps",
            label="rem. common",
            group="Transfer",
            scale="logit",
            bounds=(0.0, 1.0),
            needs=("remove",),
        ),
        MetricInfo(
            id="rm_domain_success",
            unit="",
            better="higher",
            meaning="remove looks like A to a classifier; 0 = no more than b does, 1 = as real",
            label="rem. domain",
            group="Transfer",
            bounds=(0.0, 1.0),
            keeps_items=True,
            needs=("remove",),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers."""
        extractor, data = extractor_for(data, settings), data.pair
        judged = judge(extractor, data, settings.cache)
        results = {}
        for info in wanted:
            images = artefacts.tensors["add" if info.id.startswith("tr_") else "remove"]
            if info.id.endswith("domain_success"):
                target = 1 if info.id.startswith("tr_") else 0
                results[info.id] = domain_success(info, judged, images, target, data)
            else:
                results[info.id] = _factors_kept(info, judged, images, data)
        return results


def said_target(
    judged: Judge, images: Tensor, target: int, data: TaskData
) -> tuple[Array, Array, Array]:
    """Return which images the judge assigns to the target domain, as 1 and 0.

    They are those of the results, (n,), of their sources, (n,), and of real images of the target.
    """
    source, real = (data.domains["test"][d].images for d in (1 - target, target))
    made, plain, true = (
        (judged.domain(x) == target).double().numpy() for x in (images, source, real)
    )
    return made, plain, true


def success(said: tuple[Array, Array, Array], weights: Array) -> Array:
    """Return (p - p_source) / (p_real - p_source), where p is the share judged as target domain.

    Args:
        said: What `said_target` returns; the first two may be means over couples of pairs.
        weights: How often each pair or couple was drawn, (draws, n).

    Returns:
        The values, (draws,). A draw without a value gives NaN.
    """
    made, plain = (weights @ of / weights.sum(1) for of in said[:2])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (made - plain) / (said[2].mean() - plain)
    return np.where(np.isfinite(found), found, np.nan)


def domain_success(
    info: MetricInfo, judged: Judge, images: Tensor, target: int, data: TaskData
) -> Result:
    """Return `success`, bounded to [0, 1], if the judge can tell real domains apart.

    The detail holds the value before it is bounded. The interval bounds each draw in the same way.
    It draws from the pairs and from half a success and half a failure, so it has a width even if
    the judge assigns all results to one domain (compare `share_interval`).
    """
    n = len(images)
    accuracy = judged.domain_accuracy(data)
    if reason := why_no_domain(accuracy):
        detail: dict[str, object] = {"judge_accuracy": accuracy}
        return Result(status="unavailable", reason=reason, n=n, detail=detail)
    said = said_target(judged, images, target, data)
    second = (judged.second_opinion(images) == target).double().numpy()
    detail = {
        "share": float(said[0].mean()),
        "judge_accuracy": accuracy,
        "second_opinion": float(second.mean()),
        "agreement": float((second == said[0]).mean()),
    }
    value = float(success(said, np.ones((1, n)))[0])
    made, plain, real = said
    added = np.append(made, [1, 0]), np.append(plain, [plain.mean()] * 2), real
    chances = np.append(np.ones(n), [0.5, 0.5])
    interval = bootstrap(partial(success, added), n, "domain_success", target, chances=chances)
    result = finish(info, value, interval, n, contributions(partial(success, said), n))
    detail["unclipped"] = value
    return replace(result, extractor=judged.extractor.name, detail=detail)


def cases(name: str, at: int, data: TaskData) -> tuple[Tensor, Tensor]:
    """Return the right value of a factor for each test pair, and which pairs count.

    Args:
        name: `tr_specific_acc`, `tr_common_acc` or `rm_common_acc`, whose rule applies.
        at: The column of the factor.
        data: The task, with two domains.

    Returns:
        The values, int64 (n,): those of the source (`tr_common_acc`) or of the image of B. And
        whether each pair counts, bool (n,): the value is visible. For add, source and guide also
        differ, and for `tr_common_acc` both are visible.
    """
    a, b = (domain.factors[:, at] for domain in data.domains["test"])
    wanted, other = (a, b) if name == "tr_common_acc" else (b, a)
    count = wanted != HIDDEN
    if name != "rm_common_acc":
        count &= other != wanted
    if name == "tr_common_acc":
        count &= other != HIDDEN
    return wanted, count


def _factors_kept(info: MetricInfo, judged: Judge, images: Tensor, data: TaskData) -> Result:
    """Return the share of correct factors, among the factors that count."""
    name = info.id
    separate = name == "tr_specific_acc"
    owner = data.domains["test"][0 if name == "tr_common_acc" else 1]
    counted = counted_factors(judged, data, separate)
    if counted.reason:
        return Result(
            status="unavailable", reason=counted.reason, n=len(images), detail=counted.detail
        )
    if not counted.columns:
        reason = f"task {data.name} knows no {'separate' if separate else 'common'} factors"
        return Result(status="not_applicable", reason=reason)
    right, counts = np.zeros((2, len(images)))
    by_factor: dict[str, object] = {}
    for at in counted.columns:
        wanted, count = cases(name, at, data)
        factor = data.factors[at]
        kept = (judged.factor(factor, images) == wanted) & count
        right += kept.numpy()
        counts += count.numpy()
        on_real = judged.factor(factor, owner.images)[count] == wanted[count]
        if count.any():
            by_factor[factor.name] = {
                "value": float(kept.sum() / count.sum()),
                "judge_on_real": float(on_real.double().mean()),
                "n": int(count.sum()),
            }
    if counts.sum() == 0:
        return Result(status="unavailable", reason="no factor counts in any pair", n=len(images))

    share = partial(ratio_of_sums, above=right, below=counts)
    result = estimate(info, share, len(images), name, trials=int((counts > 0).sum()))
    detail = counted.detail | {"factors": by_factor}
    return replace(result, extractor=judged.extractor.name, detail=detail)


class Consistency(Metric):
    """Cycle consistency of images and codes, and diversity over guides."""

    name = "consistency"
    summary = "do cycles close, and do other guides give other results?"
    version = 4
    position = 55
    numbers = (
        MetricInfo(
            id="div_guides",
            unit="",
            better="near 1",
            meaning="distance of results with two guides, over that of the true results",
            label="diversity",
            group="Transfer",
            bounds=(0.0, None),
            tolerance=0.02,
            needs=("add", "other"),
            needs_truth=True,
        ),
        MetricInfo(
            id="cyc_l1_a",
            unit="pixel range",
            better="lower",
            meaning="adding and then removing: mean absolute pixel error to the source",
            label="cycle A",
            group="Transfer",
            bounds=(0.0, 1.0),
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            needs=("cycle_a",),
        ),
        MetricInfo(
            id="cyc_l1_b",
            unit="pixel range",
            better="lower",
            meaning="removing and then adding b's own content: mean absolute error to b",
            label="cycle B",
            group="Transfer",
            bounds=(0.0, 1.0),
            digits=4,
            tolerance=0.02,
            tolerance_is_relative=True,
            needs=("cycle_b",),
        ),
        MetricInfo(
            id="cyc_z1",
            unit="",
            better="lower",
            meaning="distance of z1 of add to z1 of its source; 1 = as far as another face",
            label="cycle z1",
            group="Transfer",
            bounds=(0.0, None),
            tolerance=0.02,
            tolerance_is_relative=True,
            needs=("z1_add", "z1_test_a"),
        ),
        MetricInfo(
            id="cyc_z2",
            unit="",
            better="lower",
            meaning="distance of z2 of add to z2 of its guide; 1 = as far as another guide",
            label="cycle z2",
            group="Transfer",
            bounds=(0.0, None),
            tolerance=0.02,
            tolerance_is_relative=True,
            needs=("z2_add", "z2_test_b"),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers."""
        tensors = artefacts.tensors
        results = {}
        for info in wanted:
            match info.id:
                case "cyc_l1_a" | "cyc_l1_b":
                    domain = info.id[-1]
                    target = data.domains["test"]["ab".index(domain)].images
                    error = (tensors[f"cycle_{domain}"].double() - target.double()).abs() / 255
                    result = mean_result(info, error.mean((1, 2, 3)).numpy(), info.id)
                case "cyc_z1":
                    result = _code_cycle(info, tensors["z1_add"], tensors["z1_test_a"])
                case "cyc_z2":
                    result = _code_cycle(info, tensors["z2_add"], tensors["z2_test_b"])
                case _:
                    result = _diversity(info, extractor_for(data, settings), artefacts, data)
            results[info.id] = result
        return results


def _code_cycle(info: MetricInfo, made: Tensor, own: Tensor) -> Result:
    made, own = made.double().flatten(1), own.double().flatten(1)
    spread = (own - of_neighbours(own)).norm(dim=1).numpy()
    if not spread.any():
        return Result(status="unavailable", reason="the code is the same for all images")
    return _ratio(info, (made - own).norm(dim=1).numpy(), spread)


def _diversity(
    info: MetricInfo, extractor: Extractor, artefacts: Artefacts, data: TaskData
) -> Result:
    """Return the distance between the results of two guides, relative to that of the true results.

    It is averaged over many sources, each with two guides.
    """
    assert data.truth is not None

    def apart(first: Tensor, second: Tensor) -> Array:
        features = [extractor.features(images).double() for images in (first, second)]
        return (features[0] - features[1]).norm(dim=1).numpy()

    true = apart(data.truth.add, data.truth.other)
    if not true.any():
        return Result(status="unavailable", reason="all guides give the same truth")
    result = _ratio(info, apart(artefacts.tensors["add"], artefacts.tensors["other"]), true)
    return replace(result, extractor=extractor.name)


def _ratio(info: MetricInfo, above: Array, below: Array) -> Result:
    """Return sum(above) / sum(below) over items, with its interval.

    The bootstrap draws pairs of neighbours, because they share guides or codes.
    """
    made, spread = couples(above), couples(below)
    ratio = partial(ratio_of_sums, above=made, below=spread)
    return replace(estimate(info, ratio, len(made), info.id), n=len(above))
