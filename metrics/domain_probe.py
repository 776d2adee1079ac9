"""Can a probe predict the domain from the common code z1? It should hold no separate content.

Probes are fitted on the *probe* part and scored on *test* (see `metrics._probes`). In a code
with more dimensions, a leak of the same size is harder to detect, so a large code seems clean.
Therefore the same probes are also tested on codes with a planted leak of known size. Their accuracy
there shows their power.

With more than two domains, a probe predicts one of all domains. Chance is then 1 / domains, and the
leak is at most log2(domains) bits. The detail holds the chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import numpy as np
import torch
from torch import Tensor

from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result, Settings
from bench.contracts.task import TaskData
from bench.metrics._probes import BATTERY, Labels, Told, balanced_accuracy, bits, tell, validating
from bench.metrics._statistics import generator, mean_interval

PLANTED = 2.0
"""Distance of the planted leak's means, in standard deviations (Cohen's d)."""


def accuracy_interval(said: Labels, labels: Labels, role: str) -> tuple[float, float]:
    """Return the 95 % interval of the balanced accuracy.

    It is the mean over classes of the Jeffreys interval. A bootstrap interval would have zero width
    if all predictions were correct.
    """
    random = generator("accuracy", role, len(labels))
    draws = []
    for c in np.unique(labels):
        right = np.sum(said[labels == c] == c)
        wrong = np.sum(labels == c) - right
        draws.append(random.beta(right + 0.5, wrong + 0.5, 4000))
    lo, hi = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    value = balanced_accuracy(said, labels)  # at 0 and 1 it is an end of the interval
    return min(float(lo), value), max(float(hi), value)


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
    version = 3
    position = 10
    numbers = (
        MetricInfo(
            id="z1_domain_acc",
            unit="",
            better="lower",
            meaning="accuracy of the best probe that tells the domain from z1; 0.5 = chance",
            label="z1 domain",
            group="What is in which code",
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
            at_least=(0.5, "a planted leak is found in a code of the size of {method}"),
            needs=("z1_probe_a", "z1_test_a"),
        ),
    )

    def compute(
        self, wanted: Sequence[MetricInfo], artefacts: Artefacts, data: TaskData, settings: Settings
    ) -> dict[str, Result]:
        """Return the test accuracy of the probe with the best validation accuracy."""
        results = {}
        asked = {info.id for info in wanted}
        if "z1_probe_power" in asked:
            results["z1_probe_power"] = _power(artefacts)
        if asked == set(results):
            return results
        count = data.spec.domains
        by_domain = [
            [artefacts.tensors[f"z1_{part}_{of}"] for of in ascii_lowercase[:count]]
            for part in ("probe", "test")
        ]
        codes = [torch.cat(of_part) for of_part in by_domain]
        labels, truth = map(_domains, by_domain)
        kinds = dict.fromkeys(("logistic", *settings.probes))
        fitted = tell(
            (codes[0], labels[:, None]), codes[1], {k: BATTERY[k] for k in kinds}, (count,)
        )[0]
        guess = 1 / count
        reach = 1.96 * (guess * (1 - guess) / len(truth)) ** 0.5
        for name in asked - set(results):
            linear = name == "z1_domain_acc_linear"
            allowed = ("logistic",) if linear else settings.probes
            best = next(
                t for t in fitted if t.kind in allowed and (t.view == "flatten" or not linear)
            )
            detail = {
                "probe": f"{best.kind} on {best.view}",
                "validation": best.validation,
                "chance": [guess - reach, guess + reach],
                "dimensions": int(codes[0][0].numel()),
                "n_fit": int((~validating(labels[:, None])).sum()),
            }
            result = _leak(best, truth) if name == "z1_leak_bits" else _accuracy(best, truth, name)
            results[name] = Result(**vars(result) | {"detail": detail})
        return results


def _accuracy(best: Told, truth: Labels, role: str) -> Result:
    lo, hi = accuracy_interval(best.said, truth, role)
    return Result(balanced_accuracy(best.said, truth), lo, hi, len(truth))


def _leak(best: Told, truth: Labels) -> Result:
    """Return the usable information in bits (Xu et al., ICLR 2020).

    It is the entropy of the domain (1 bit for two domains) minus the mean surprise. It is negative
    if the probe is overconfident.
    """
    known = np.log2(len(np.unique(truth))) - bits(best, truth)
    return Result(float(known.mean()), *mean_interval(known, "z1_leak_bits"), len(truth))


def _power(artefacts: Artefacts) -> Result:
    """Return the accuracy of the linear probes on codes with a planted linear leak.

    The codes have the number of items and of dimensions of z1. The probes are chosen as for z1.
    """
    fit, test = (artefacts.tensors[f"z1_{part}_a"] for part in ("probe", "test"))
    dimensions = int(fit[0].numel())
    codes = [planted(len(code), dimensions, part) for code, part in ((fit, "fit"), (test, "test"))]
    labels, truth = (_domains([code, code]) for code in (fit, test))
    best = tell((codes[0], labels[:, None]), codes[1], {"logistic": BATTERY["logistic"]}, (2,))[0][
        0
    ]
    result = _accuracy(best, truth, "z1_probe_power")
    result.detail["planted"] = f"means {PLANTED:g} standard deviations apart"
    return result
