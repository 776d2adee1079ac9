"""Can a probe predict the domain from the common code z1? It should hold no separate content.

Probes are fitted on the *probe* part and scored on *test* (see `metrics._probing`). In a code
with more dimensions, a leak of the same size is harder to detect, so a large code seems clean.
Therefore the same probes are also tested on codes with a planted leak of known size. Their accuracy
there shows their power.

With more than two domains, a probe predicts one of all domains. Chance is then 1 / domains, and the
leak is at most log2(domains) bits. The detail holds the chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from string import ascii_lowercase

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData
from bench.metrics._probes import BATTERY, Labels
from bench.metrics._probing import (
    Probing,
    Told,
    balanced_accuracy,
    bits,
    validating,
    weighted_accuracy,
)
from bench.metrics._statistics import estimate, generator, mean_result

PLANTED = 2.0
"""Distance of the planted leak's means, in standard deviations (Cohen's d)."""


def planted(n: int, dimensions: int, part: str) -> Tensor:
    """Return Gaussian codes, n for each of two domains, whose means are `PLANTED` apart.

    The direction between the means is the same for all parts.
    """
    direction = generator("planted", dimensions).standard_normal(dimensions)
    direction *= PLANTED / np.linalg.norm(direction)
    codes = generator("planted", dimensions, part, n).standard_normal((2 * n, dimensions))
    codes[n:] += direction
    return torch.from_numpy(codes).float()


def _domains(codes: Sequence[Tensor]) -> Labels:
    """Return the domain of each code, one domain after the other."""
    return np.repeat(np.arange(len(codes)), [len(code) for code in codes])


class DomainProbe(Metric):
    """Balanced accuracy of the domain as predicted from z1."""

    name = "domain_probe"
    summary = "can the domain be told from the common code z1?"
    version = 5
    position = 10
    numbers = (
        MetricInfo(
            id="z1_domain_acc",
            unit="",
            better="lower",
            meaning="accuracy of the best probe that tells the domain from z1; 0.5 = chance",
            label="z1 domain",
            group="What is in which code",
            scale="logit",
            bounds=(0.0, 1.0),
            reference="chance",
            highest=("autoencoder", "autoencoder leaks the domain more than {method}"),
            needs=("z1_probe_a", "z1_probe_b", "z1_test_a", "z1_test_b"),
        ),
        MetricInfo(
            id="z1_domain_acc_linear",
            unit="",
            better="lower",
            meaning="accuracy of a linear probe that tells the domain from z1; 0.5 = chance",
            label="z1 dom. lin.",
            group="What is in which code",
            in_curve=True,
            scale="logit",
            bounds=(0.0, 1.0),
            keeps_items=True,
            needs=("z1_probe_a", "z1_probe_b", "z1_test_a", "z1_test_b"),
        ),
        MetricInfo(
            id="z1_leak_bits",
            unit="bits",
            better="lower",
            meaning="information about the domain that the best probe finds in z1; 1 = all",
            label="z1 leak",
            group="What is in which code",
            tolerance=0.02,
            needs=("z1_probe_a", "z1_probe_b", "z1_test_a", "z1_test_b"),
        ),
        MetricInfo(
            id="z1_probe_power",
            unit="",
            better="higher",
            meaning="accuracy of linear probes at a leak of 2 deviations in a code of z1's size",
            label="probe power",
            group="What is in which code",
            scale="logit",
            bounds=(0.0, 1.0),
            at_least=(0.5, "a planted leak is found in a code of the size of {method}"),
            needs=("z1_probe_a", "z1_test_a"),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the test accuracy of the probe with the best validation accuracy.

        The intervals include the fitting of the probe (see `metrics._probing.Probing.refit`).
        """
        results, of_codes = {}, []
        for info in wanted:
            if info.id == "z1_probe_power":
                results[info.id] = _power(info, artefacts)
            else:
                of_codes.append(info)
        if not of_codes:
            return results
        count = data.spec.domains
        by_domain = [
            [artefacts.tensors[f"z1_{part}_{of}"] for of in ascii_lowercase[:count]]
            for part in ("probe", "test")
        ]
        codes = [torch.cat(of_part) for of_part in by_domain]
        labels, truth = map(_domains, by_domain)
        probing = Probing((codes[0], labels[:, None]), codes[1], (count,))
        kinds = dict.fromkeys(("logistic", *settings.probes))
        fitted = probing.tell({k: BATTERY[k] for k in kinds})[0]
        guess = 1 / count
        reach = 1.96 * (guess * (1 - guess) / len(truth)) ** 0.5
        for info in of_codes:
            linear = info.id == "z1_domain_acc_linear"
            allowed = ("logistic",) if linear else settings.probes
            best = next(
                t for t in fitted if t.kind in allowed and (t.view == "flatten" or not linear)
            )
            again = probing.refit_one(best) if settings.intervals else []
            detail = {
                "probe": f"{best.kind} on {best.view}",
                "validation": best.validation,
                "chance": [guess - reach, guess + reach],
                "dimensions": int(codes[0][0].numel()),
                "n_fit": int((~validating(labels[:, None])).sum()),
            }
            make = _leak if info.id == "z1_leak_bits" else _accuracy
            results[info.id] = replace(make(info, best, again, truth), detail=detail)
        return results


def _accuracy(info: MetricInfo, best: Told, again: Sequence[Told], truth: Labels) -> Result:
    """Return the balanced accuracy. `again` are the predictions of `refit`."""
    right = (best.said == truth).astype(np.float64)
    share = partial(weighted_accuracy, right, truth)
    left_out = [balanced_accuracy(told.said, truth) for told in again]
    return estimate(info, share, len(truth), info.id, left_out=left_out)


def _leak(info: MetricInfo, best: Told, again: Sequence[Told], truth: Labels) -> Result:
    """Return the usable information in bits (Xu et al., ICLR 2020).

    It is the entropy of the domain (1 bit for two domains) minus the mean surprise. It is negative
    if the probe is overconfident.
    """
    whole = np.log2(len(np.unique(truth)))
    left_out = [float((whole - bits(told, truth)).mean()) for told in again]
    return mean_result(info, whole - bits(best, truth), info.id, left_out=left_out)


def _power(info: MetricInfo, artefacts: Artefacts) -> Result:
    """Return the accuracy of the linear probes on codes with a planted linear leak.

    The codes have the number of items and of dimensions of z1. The probes are chosen as for z1.
    """
    fit, test = (artefacts.tensors[f"z1_{part}_a"] for part in ("probe", "test"))
    dimensions = int(fit[0].numel())
    codes = [planted(len(code), dimensions, part) for code, part in ((fit, "fit"), (test, "test"))]
    labels, truth = (_domains([code, code]) for code in (fit, test))
    probing = Probing((codes[0], labels[:, None]), codes[1], (2,))
    best = probing.tell({"logistic": BATTERY["logistic"]})[0][0]
    result = _accuracy(info, best, probing.refit_one(best), truth)
    result.detail["planted"] = f"means {PLANTED:g} standard deviations apart"
    return result
