"""Which code holds which factor? Probes predict every factor from both codes of B images.

z1 should hold the common factors and no separate factor. z2 should hold the separate factors and no
common factor. A constant code leaks nothing, so each number for leaks has a partner for what the
code should hold.

The published disentanglement scores measure single dimensions. This is unfair to methods whose
units are blocks: a rotation of a perfect code lowers MIG from .97 to .08. So our MIG, SAP and DCI
are block versions: the units are z1 and z2, and information is what the probes find. The common and
the separate factors have equal weight, regardless of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import HIDDEN, TaskData
from bench.metrics._probes import SHORT_BATTERY, Labels
from bench.metrics._probing import Probing, Told, bits, entropy, validating, weighted_accuracy
from bench.metrics._statistics import Array, estimate

CODES = ("z1", "z2")


@dataclass(frozen=True)
class _Finding:
    """The predictions of the probes of one code for one factor, for each of n *test* items.

    right: 1 if the prediction is correct, else 0. surprise: -log2 of the probability of the true
    value. Both are NaN if the factor is hidden.
    """

    probe: str
    classes: int
    labels: Labels
    right: Array
    surprise: Array

    @property
    def chance(self) -> float:
        """The balanced accuracy of guessing."""
        return 1 / self.classes


def _finding(told: Told, labels: Labels) -> _Finding:
    seen = labels != HIDDEN
    right, surprise = np.full((2, len(labels)), np.nan)
    right[seen] = told.said[seen] == labels[seen]
    surprise[seen] = bits(told, np.where(seen, labels, 0))[seen]
    classes = len(np.unique(labels[seen]))
    return _Finding(f"{told.kind} on {told.view}", classes, labels, right, surprise)


def explicit(finding: _Finding, weights: Array) -> Array:
    """Return (balanced accuracy - chance) / (1 - chance) for (draws, n) weights: (draws,) values.

    1 = always correct, 0 = guessing. It can be slightly negative.
    """
    return (_accuracy(finding, weights) - finding.chance) / (1 - finding.chance)


def _accuracy(finding: _Finding, weights: Array) -> Array:
    return weighted_accuracy(finding.right, finding.labels, weights)


def informative(finding: _Finding, weights: Array) -> Array:
    """Return the usable information divided by the entropy of the factor, (draws,) in [0, 1].

    Xu et al., ICLR 2020. Negative values, which overconfident probes give, count as 0.
    """
    seen = finding.labels != HIDDEN
    with np.errstate(invalid="ignore"):
        surprise = weights[:, seen] @ finding.surprise[seen] / weights[:, seen].sum(1)
    return np.maximum(0, 1 - surprise / entropy(finding.labels[seen]))


class Disentanglement(Metric):
    """Information and leaks of both codes for every factor, and their summary scores."""

    name = "disentanglement"
    summary = "which factors are in which code? information, leaks, separation"
    version = 4
    position = 30
    numbers = (
        MetricInfo(
            id="separation",
            unit="",
            better="higher",
            meaning="mean over both codes of what they should hold less what they should not",
            label="separation",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            keeps_items=True,
            main=True,
            tolerance=0.02,
            needs=("z1_probe_b", "z1_test_b", "z2_probe_b", "z2_test_b"),
        ),
        MetricInfo(
            id="info_z1_common",
            unit="",
            better="higher",
            meaning="common factors (face) that probes find in z1; 0 = none, 1 = all",
            label="z1 common",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            keeps_items=True,
            main=True,
            tolerance=0.02,
            code="z1",
            needs=("z1_probe_b", "z1_test_b"),
        ),
        MetricInfo(
            id="leak_z1_specific",
            unit="",
            better="lower",
            meaning="extra content (kind, colour) that probes find in z1; 0 = none, 1 = all",
            label="z1 separate",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            keeps_items=True,
            main=True,
            tolerance=0.02,
            code="z1",
            needs=("z1_probe_b", "z1_test_b"),
        ),
        MetricInfo(
            id="info_z2_specific",
            unit="",
            better="higher",
            meaning="extra content (kind, colour) that probes find in z2; 0 = none, 1 = all",
            label="z2 separate",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            keeps_items=True,
            main=True,
            tolerance=0.02,
            code="z2",
            needs=("z2_probe_b", "z2_test_b"),
        ),
        MetricInfo(
            id="leak_z2_common",
            unit="",
            better="lower",
            meaning="common factors (face) that probes find in z2; 0 = none, 1 = all",
            label="z2 common",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            keeps_items=True,
            main=True,
            tolerance=0.02,
            code="z2",
            needs=("z2_probe_b", "z2_test_b"),
        ),
        MetricInfo(
            id="separation_linear",
            unit="",
            better="higher",
            meaning="separation by linear probes only; quick, so also measured during the training",
            label="separ. lin.",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            tolerance=0.02,
            in_curve=True,
            needs=("z1_probe_b", "z1_test_b", "z2_probe_b", "z2_test_b"),
        ),
        MetricInfo(
            id="mig_block",
            unit="",
            better="higher",
            meaning="information of a factor's own code less the other's, over its entropy",
            label="MIG",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            tolerance=0.02,
            needs=("z1_probe_b", "z1_test_b", "z2_probe_b", "z2_test_b"),
        ),
        MetricInfo(
            id="sap_block",
            unit="",
            better="higher",
            meaning="accuracy at a factor from its own code less that from the other",
            label="SAP",
            group="What is in which code",
            bounds=(-1.0, 1.0),
            tolerance=0.02,
            needs=("z1_probe_b", "z1_test_b", "z2_probe_b", "z2_test_b"),
        ),
        MetricInfo(
            id="dci_block",
            unit="",
            better="higher",
            meaning="does each code inform about one group of factors only? 1 = yes, 0 = both",
            label="DCI",
            group="What is in which code",
            bounds=(0.0, 1.0),
            tolerance=0.02,
            needs=("z1_probe_b", "z1_test_b", "z2_probe_b", "z2_test_b"),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the wanted numbers. All of them use the same bootstrap of the test images.

        The intervals include the fitting of the probes: the chosen probe of each factor is fitted
        again without each of a few groups of the probe images, the same for both codes.
        """
        usable, left_out = _usable(data)
        groups = {
            "common": [at for at in usable if not data.factors[at].separate],
            "specific": [at for at in usable if data.factors[at].separate],
        }
        asked, wanted, gaps = wanted, [], {}
        for info in asked:
            if lacking := [group for group in _groups_of(info.id) if not groups[group]]:
                reason = f"task {data.name} shows no {' and no '.join(lacking)} factors"
                reason += f" ({'; '.join(left_out)})" if left_out else ""
                gaps[info.id] = Result(status="not_applicable", reason=reason)
            else:
                wanted.append(info)
        if not wanted:
            return gaps
        codes = [code for code in CODES if any(code in " ".join(info.needs) for info in wanted)]
        only_linear = all(info.id in LINEAR for info in wanted)
        found_in = [
            _findings(artefacts, data, code, usable, only_linear, settings.intervals)
            for code in codes
        ]
        best, linear = (
            [dict(zip(codes, of_codes, strict=True)) for of_codes in zip(*chosen, strict=True)]
            for chosen in zip(*found_in, strict=True)
        )
        n = len(data.domains["test"][1].images)
        results = gaps
        for info in wanted:

            def value(weights: Array, of: Findings, name: str = info.id) -> Array:
                return _value(name, of, groups, weights)

            found, *again = linear if info.id in LINEAR else best

            without = [float(value(np.ones((1, n)), findings)[0]) for findings in again]
            statistic = partial(value, of=found)
            result = estimate(info, statistic, n, "factors", left_out=without, draws=DRAWS)
            result.detail.update(_detail(info.id, found, groups, data))
            if left_out:
                result.detail["left_out"] = left_out
            results[info.id] = result
        return results


DRAWS = 400
LINEAR = ("separation_linear",)
"""The numbers for which only linear probes of the flattened code count."""

Findings = dict[str, dict[int, _Finding]]
"""For each code, what is found of each factor (by its column)."""
Groups = dict[str, list[int]]


def _groups_of(name: str) -> tuple[str, ...]:
    """Return the groups of factors that a number needs."""
    if name.startswith(("info", "leak")):
        return (name.rsplit("_", 1)[1],)
    return ("common", "specific")


def _usable(data: TaskData) -> tuple[list[int], list[str]]:
    """Return the columns of the factors that can be probed, and why the others cannot."""
    labels, truth = (data.domains[part][1].factors.numpy() for part in ("probe", "test"))
    validates = validating(labels)
    usable, left_out = [], []
    for at, factor in enumerate(data.factors):
        shown = [of[of != HIDDEN] for of in (labels[~validates, at], truth[:, at])]
        if min(len(np.unique(values)) for values in shown) < 2:
            left_out.append(f"{factor.name} does not vary")
        elif not (labels[validates, at] != HIDDEN).any():
            left_out.append(f"{factor.name} is hidden in all that validates")
        else:
            usable.append(at)
    return usable, left_out


def _findings(
    artefacts: Artefacts,
    data: TaskData,
    code: str,
    columns: Sequence[int],
    only_linear: bool,
    intervals: bool,
) -> tuple[list[dict[int, _Finding]], list[dict[int, _Finding]]]:
    """Return the findings of the best and of the linear probes in a code.

    Each list begins with the findings of the fitted probes. For an interval, those of the probes
    without each group of images follow.

    only_linear: whether to fit linear probes only, so that both lists are equal.
    """
    fit, test = (artefacts.tensors[f"{code}_{part}_b"] for part in ("probe", "test"))
    battery = SHORT_BATTERY
    if only_linear:
        fit, test = fit.flatten(1), test.flatten(1)
        battery = {"logistic": SHORT_BATTERY["logistic"]}
    labels, truth = (data.domains[part][1].factors.numpy() for part in ("probe", "test"))
    classes = [len(data.factors[at].values) for at in columns]
    probing = Probing((fit, labels[:, columns]), test, classes)
    told = probing.tell(battery)

    def with_refits(chosen: list[Told]) -> list[dict[int, _Finding]]:
        again = probing.refit(chosen) if intervals else []
        return [
            {at: _finding(one, truth[:, at]) for one, at in zip(of_labels, columns, strict=True)}
            for of_labels in (chosen, *again)
        ]

    linear = with_refits([next(filter(_is_linear, of_label)) for of_label in told])
    return linear if only_linear else with_refits([of[0] for of in told]), linear


def _is_linear(told: Told) -> bool:
    return told.kind == "logistic" and told.view == "flatten"


def _mean(of: Sequence[Array]) -> Array:
    return np.asarray(np.mean(of, axis=0))


def _value(name: str, found: Findings, groups: Groups, weights: Array) -> Array:
    def told(code: str, group: str) -> Array:
        return _mean([explicit(found[code][at], weights) for at in groups[group]])

    match name:
        case "info_z1_common" | "leak_z1_specific" | "info_z2_specific" | "leak_z2_common":
            _, code, group = name.split("_")
            return told(code, group)
        case "separation" | "separation_linear":
            first = told("z1", "common") - told("z1", "specific")
            return (first + told("z2", "specific") - told("z2", "common")) / 2
        case "mig_block" | "sap_block":
            score = informative if name == "mig_block" else _accuracy
            gaps = [
                _mean(
                    [
                        score(found[own][at], weights) - score(found[other][at], weights)
                        for at in groups[group]
                    ]
                )
                for own, other, group in (("z1", "z2", "common"), ("z2", "z1", "specific"))
            ]
            return _mean(gaps)
        case _:
            return _dci(found, groups, weights)


def _dci(found: Findings, groups: Groups, weights: Array) -> Array:
    """Return the disentanglement of Eastwood and Williams (ICLR 2018), with codes as units.

    The importance of a code for a group of factors is its mean information about them. The
    disentanglement of a code is 1 - the entropy of its importances. The result is the mean over
    codes, weighted by their total importance.
    """
    importance = np.array(
        [
            [_mean([informative(found[code][at], weights) for at in group]) for code in CODES]
            for group in groups.values()
        ]
    )  # (groups, codes, draws)
    of_code = importance.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = importance / of_code
        spread = -np.where(share > 0, share * np.log2(share), 0).sum(0)
        return np.where(of_code.sum(0) > 0, ((1 - spread) * of_code).sum(0) / of_code.sum(0), 0.0)


def _detail(name: str, found: Findings, groups: Groups, data: TaskData) -> dict[str, object]:
    """Return for each factor its value, the chosen probe and the accuracy of guessing."""
    if not name.startswith(("info", "leak")):
        return {}
    _, code, group = name.split("_")
    detail: dict[str, object] = {}
    for at in groups[group]:
        finding = found[code][at]
        weights = np.ones((1, len(finding.labels)))
        detail[data.factors[at].name] = {
            "value": float(explicit(finding, weights)[0]),
            "chance": finding.chance,
            "probe": finding.probe,
        }
    return detail
