"""What a tuning study maximises on *val*, and how it breaks ties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, harmonic_mean
from typing import Literal

import torch

from bench.contracts.record import Record
from bench.contracts.task import TaskData
from bench.utils.seeds import derive

Objective = Literal["auto", "transfer", "transfer_judged", "label-only"]
LABEL_ONLY = "label-only"
LABEL_ONLY_PARTS = ("tr_domain_success", "rm_domain_success", "cyc_l1_a", "cyc_l1_b")
WHOLE_IMAGE = ("cf_skill_add", "cf_skill_remove")
RECONSTRUCTION = ("rec_l1_a", "rec_l1_b")
_SCORES = ("transfer", "add_score", "remove_score")


@dataclass(frozen=True)
class Criteria:
    """What all trials of a study are compared by.

    Attributes:
        objective: what is maximised.
        error: the ids of the numbers that the whole-image error is made of: `WHOLE_IMAGE` or
            `RECONSTRUCTION`.
        random_l1: see `random_distance`.
    """

    objective: Objective
    error: tuple[str, ...]
    random_l1: float

    @property
    def error_name(self) -> str:
        """What the whole-image error is, for the table of a study."""
        return "1 - cf_skill" if self.error == WHOLE_IMAGE else "rec_l1"


def criteria_of(objective: Objective, records: Iterable[Record], random_l1: float) -> Criteria:
    """Return the criteria of a study, the same for all its trials.

    Args:
        objective: what the user asked for.
        records: those of all trials that did not fail.
        random_l1: see `random_distance`.
    """
    known = list(records)
    whole = any(all(value_in(record, name) is not None for name in WHOLE_IMAGE) for record in known)
    error = WHOLE_IMAGE if whole else RECONSTRUCTION
    return Criteria(chosen_objective(objective, known), error, random_l1)


def metrics_for(objective: Objective) -> tuple[str, ...]:
    """Return the ids of the metrics that a study computes for each trial."""
    scores: dict[Objective, tuple[str, ...]] = {
        "auto": (*_SCORES, "transfer_judged"),
        "transfer": _SCORES,
        "transfer_judged": ("transfer_judged",),
        "label-only": (),
    }
    return (*scores[objective], *LABEL_ONLY_PARTS, *WHOLE_IMAGE, *RECONSTRUCTION)


def chosen_objective(objective: Objective, records: Iterable[Record]) -> Objective:
    """Return the objective of a study, the same for all its trials.

    "auto" stands for the first of `transfer`, `transfer_judged` and the label-only objective that
    any trial has. A task without true results has no `transfer`, one without factors no
    `transfer_judged`.
    """
    if objective != "auto":
        return objective
    known = list(records)
    scores: tuple[Objective, ...] = ("transfer", "transfer_judged")
    return next(
        (name for name in scores if any(value_in(record, name) is not None for record in known)),
        "label-only",
    )


def value_in(record: Record, name: str) -> float | None:
    """Return the value of a metric in a record, or None if it has none."""
    entry = record["metrics"].get(name)
    return entry["value"] if entry is not None and entry["status"] == "ok" else None


def values_in(record: Record, criteria: Criteria) -> dict[str, float | None]:
    """Return all numbers that a study needs of a trial, by name.

    Args:
        record: the record of the trial.
        criteria: those of the study.
    """
    found = {name: value_in(record, name) for name in metrics_for("auto")}
    return found | {
        LABEL_ONLY: label_only(found, criteria.random_l1),
        "whole_image_error": whole_image_error(found, criteria.error),
    }


def label_only(values: Mapping[str, float | None], random_l1: float) -> float | None:
    """Return an objective in [0, 1] that needs no label but the domain; higher is better.

    It is the harmonic mean of `tr_domain_success`, `rm_domain_success` and
    1 - min(1, cyc_l1 / random_l1), where cyc_l1 is the mean over both domains. It cannot see
    whether the result follows its guide.

    Args:
        values: values of metrics, by id; None or absent if there is none.
        random_l1: see `random_distance`.
    """
    success_add, success_remove, *cycles = (values.get(name) for name in LABEL_ONLY_PARTS)
    kept = [cycle for cycle in cycles if cycle is not None]
    if success_add is None or success_remove is None or len(kept) < len(cycles):
        return None
    closed = 1 - min(1.0, fmean(kept) / random_l1) if random_l1 > 0 else 0.0
    return harmonic_mean([max(0.0, success_add), max(0.0, success_remove), closed])


def whole_image_error(values: Mapping[str, float | None], names: tuple[str, ...]) -> float | None:
    """Return the error that breaks ties; lower is better. None if one of its numbers is missing.

    From `WHOLE_IMAGE`, it is 1 - cf_skill, the mean of add and remove: the absolute error over the
    whole image relative to that of a copy. From `RECONSTRUCTION`, it is their mean, a share of the
    pixel range. The two have different scales, so a study uses one of them for all its trials.

    Args:
        values: numbers of a trial, by id.
        names: `WHOLE_IMAGE` or `RECONSTRUCTION`.
    """
    known = [value for name in names if (value := values.get(name)) is not None]
    if len(known) < len(names):
        return None
    return 1 - fmean(known) if names == WHOLE_IMAGE else fmean(known)


def random_distance(data: TaskData) -> float:
    """Return the mean absolute difference of two random images of *val*, as a share of the range.

    The two images are of the same domain. The mean goes over the first two domains.
    """
    distances = []
    for at, domain in enumerate(data.domains["val"][:2]):
        generator = torch.Generator().manual_seed(derive("random distance", at) % 2**63)
        images = domain.images[torch.randperm(len(domain.images), generator=generator)]
        others = images.roll(1, 0)
        distances.append(float((images.float() - others.float()).abs().mean()) / 255)
    return fmean(distances)
