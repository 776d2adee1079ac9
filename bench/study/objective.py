"""What a tuning study maximises on *val*, and how it breaks ties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def values_in(record: Record, random_l1: float) -> dict[str, float | None]:
    """Return all numbers that a study needs of a trial, by name.

    Args:
        record: the record of the trial.
        random_l1: see `random_distance`.
    """
    names = metrics_for("auto")
    found = {name: value_in(record, name) for name in names}
    return found | {
        LABEL_ONLY: label_only(found, random_l1),
        "whole_image_error": whole_image_error(found),
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


def whole_image_error(values: Mapping[str, float | None]) -> float | None:
    """Return the error that breaks ties; lower is better.

    With true results, it is 1 - cf_skill, the mean of add and remove: the absolute error over the
    whole image relative to that of a copy. Without them, it is the mean of `rec_l1_a` and
    `rec_l1_b`, a share of the pixel range.
    """
    skills = [values.get(name) for name in WHOLE_IMAGE]
    errors = [None if skill is None else 1 - skill for skill in skills]
    if None in errors:
        errors = [values.get(name) for name in RECONSTRUCTION]
    known = [error for error in errors if error is not None]
    return fmean(known) if len(known) == len(errors) else None


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
