"""Checks of a family of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bench.conformance import made_up
from bench.conformance.attributes import require_text
from bench.conformance.check import FailedCheck, SkippedCheck, check
from bench.conformance.generators import random_states
from bench.conformance.metric_case import CASES, MetricCase
from bench.conformance.shipped import NOT_TOLD_APART
from bench.contracts.metric import Artefacts, Result

POORER = (("truth", "separate"), ("truth", "factors", "images"), ("truth", "images"))
"""What the tasks of the check `poor-task` lack."""


def _require_available(case: MetricCase) -> None:
    if reason := case.family.unavailable(case.settings):
        raise SkippedCheck(f"it cannot be computed here: {reason}")


@check("facts", "bench/contracts/metric.py says what each attribute of the class is")
def facts(case: MetricCase) -> None:
    """The class says what the metric is, and what each of its numbers means."""
    require_text(case.plugin, "name", "summary")
    version = case.family.version
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FailedCheck(f"version is {version!r}, expected a whole number of at least 1")
    read = case.plugin.facts["numbers"]
    if tuple(read) != tuple(case.family.numbers):
        raise FailedCheck("numbers is not what its source says: write it as a literal")
    for info in read:
        if not info.meaning.strip():
            raise FailedCheck(f"number {info.id} has no meaning, expected one sentence")


@check("told-apart", "look at `better`: is lower better? Is the sign right?")
def told_apart(case: MetricCase) -> None:
    """A perfect method has a better value than a useless one."""
    _require_available(case)
    for name, info in case.infos.items():
        if name in NOT_TOLD_APART:
            continue
        best, worst = case.scored("perfect")[name], case.scored("useless")[name]
        for said, result in (("perfect", best), ("useless", worst)):
            if result.status != "ok":
                raise FailedCheck(f"{name} of a {said} method is {result.status}: {result.reason}")
        if not _is_better(info.better, _value(best), _value(worst)):
            raise FailedCheck(
                f"{name} ({info.better} is better) is {_value(best):.4g} for a perfect method and "
                f"{_value(worst):.4g} for a useless one"
            )


def _value(result: Result) -> float:
    assert result.value is not None
    return result.value


def _is_better(better: str, best: float, worst: float) -> bool:
    if better == "near 1":
        return abs(best - 1) < abs(worst - 1)
    return best > worst if better == "higher" else best < worst


@check("degenerate", "give no value but a status and a reason where a value has no meaning")
def degenerate(case: MetricCase) -> None:
    """A gray picture and a constant code have a finite value or a reason for none."""
    _require_available(case)
    _require_numbers_or_reasons(case.scored("degenerate"), "a gray picture")


def _require_numbers_or_reasons(results: Mapping[str, Result], what: str) -> None:
    for name, result in results.items():
        if result.status == "ok" and (result.value is None or not math.isfinite(result.value)):
            raise FailedCheck(f"{name} of {what} is {result.value}, and its status is ok")
        if result.status != "ok" and not result.reason:
            raise FailedCheck(f"{name} of {what} is {result.status} without a reason")


@check("interval", "clip the interval to the bounds, and let it include the value")
def interval(case: MetricCase) -> None:
    """An interval includes the value and stays in the bounds; the items have the value as mean."""
    _require_available(case)
    for method in CASES:
        for name, result in case.scored(method).items():
            info = case.infos[name]
            where = f"{name} of a {method} method"
            if method != "degenerate" and not result.n > 0:
                raise FailedCheck(f"{where} is computed from n = {result.n} items")
            if result.lo is None or result.hi is None or result.value is None:
                continue
            if not result.lo <= result.value <= result.hi:
                raise FailedCheck(
                    f"{where} is {result.value:.4g}, outside its interval "
                    f"[{result.lo:.4g}, {result.hi:.4g}]"
                )
            low, high = info.bounds
            if (low is not None and result.lo < low) or (high is not None and result.hi > high):
                raise FailedCheck(f"the interval of {where} leaves the bounds {info.bounds}")
            if info.scale == "logit" and not result.lo < result.hi:
                raise FailedCheck(f"the interval of {where} is a point")
            if bool(result.items) != info.keeps_items:
                said = "has" if result.items else "has no"
                raise FailedCheck(f"{where} {said} items, but keeps_items is {info.keeps_items}")
            if result.items and not math.isclose(
                float(np.mean(result.items)), result.value, abs_tol=1e-9, rel_tol=1e-6
            ):
                raise FailedCheck(
                    f"{where} is {result.value:.6g}, and the mean of its items "
                    f"{np.mean(result.items):.6g}"
                )


@check("missing", "name every artefact that it uses in `needs`")
def missing(case: MetricCase) -> None:
    """Without artefacts, the reason says which one is missing."""
    for name, result in case.score(Artefacts({})).items():
        if result.status != "not_applicable" or result.value is not None:
            raise FailedCheck(f"{name} without artefacts is {result.status}: {result.value}")
        if "gives no" not in result.reason:
            raise FailedCheck(f"{name} does not say which artefact is missing: {result.reason}")


@check("needs", "name every artefact that it uses in `needs`")
def needs(case: MetricCase) -> None:
    """A number can be computed from the artefacts that it names, and no others."""
    _require_available(case)
    made = CASES["perfect"](case.data)
    for name, info in case.infos.items():
        few = Artefacts(
            {key: made.tensors[key] for key in info.needs if key in made.tensors},
            {key: made.measured[key] for key in info.needs if key in made.measured},
        )
        try:
            case.family.score([name], few, case.data, case.settings)
        except KeyError as error:
            raise FailedCheck(f"{name} uses {error}, which `needs` does not name") from error


@check("repeatable", "draw with a generator of its own: `np.random.default_rng(derive(...))`")
def repeatable(case: MetricCase) -> None:
    """The same results have the same numbers."""
    again = case.score(CASES["perfect"](case.data))
    for name, result in case.scored("perfect").items():
        if again[name] != result:
            raise FailedCheck(f"{name} is {result.value} and then {again[name].value}")


@check("global-random", "draw with a generator of its own: `np.random.default_rng(derive(...))`")
def global_random(case: MetricCase) -> None:
    """The random generators of torch, numpy and Python are as they were before."""
    before = random_states()
    case.score(CASES["perfect"](case.data))
    for generator, state in random_states().items():
        if state != before[generator]:
            raise FailedCheck(f"the random generator of {generator} was used")


@check("order", "use no pairs of items by their place, except the neighbours 2i and 2i + 1")
def order(case: MetricCase) -> None:
    """The order of the test pairs does not matter."""
    _require_available(case)
    data, made = made_up.with_other_order(case.data, CASES["useless"](case.data))
    again = case.score(made, data)
    for name, result in case.scored("useless").items():
        one, other = result.value, again[name].value
        if one is None or other is None or not math.isclose(one, other, rel_tol=1e-6):
            raise FailedCheck(f"{name} is {one}, and in another order of the pairs {other}")


@check("poor-task", "look at data.factors, data.label and the number of images before using them")
def poor_task(case: MetricCase) -> None:
    """On tasks without truth, without factors or with six images, it gives numbers or reasons."""
    for lacking in POORER:
        data = made_up.without(case.data, *lacking)
        results = case.poorer(made_up.any_results(data), data)
        _require_numbers_or_reasons(results, f"a task without {', '.join(lacking)}")


CHECKS = (
    *(
        facts,
        told_apart,
        degenerate,
        interval,
        missing,
        needs,
        repeatable,
        global_random,
        order,
        poor_task,
    ),
)
"""The checks of this module, in the order in which they are run."""
