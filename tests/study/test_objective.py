"""The objectives of a study, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from bench.study.objective import (
    RECONSTRUCTION,
    WHOLE_IMAGE,
    chosen_objective,
    criteria_of,
    label_only,
    metrics_for,
    random_distance,
    values_in,
    whole_image_error,
)

PARTS = {"tr_domain_success": 0.8, "rm_domain_success": 0.5, "cyc_l1_a": 0.05, "cyc_l1_b": 0.07}


def test_label_only_by_hand():
    # the cycle closes to 1 - .06 / .24 = .75
    expected = 3 / (1 / 0.8 + 1 / 0.5 + 1 / 0.75)
    assert label_only(PARTS, random_l1=0.24) == pytest.approx(expected)


def test_label_only_is_zero_if_a_part_is_zero():
    assert label_only(PARTS | {"tr_domain_success": 0.0}, 0.24) == 0
    assert label_only(PARTS | {"cyc_l1_a": 0.9}, 0.24) == 0, "no better than another image"


def test_label_only_needs_all_its_parts():
    for name in PARTS:
        assert label_only(PARTS | {name: None}, 0.24) is None


def test_whole_image_error_by_hand():
    values = {"cf_skill_add": 0.4, "cf_skill_remove": 0.8, "rec_l1_a": 0.02, "rec_l1_b": 0.04}
    assert whole_image_error(values, WHOLE_IMAGE) == pytest.approx(0.4)
    assert whole_image_error(values, RECONSTRUCTION) == pytest.approx(0.03)
    assert whole_image_error(values | {"cf_skill_add": None}, WHOLE_IMAGE) is None
    assert whole_image_error({}, RECONSTRUCTION) is None


def test_one_error_for_all_trials_of_a_study():
    """A trial without true results must not be compared by an error on another scale."""
    errors = {"rec_l1_a": 0.02, "rec_l1_b": 0.04}
    whole, lacking = record(cf_skill_add=0.4, cf_skill_remove=0.8, **errors), record(**errors)
    criteria = criteria_of("auto", [lacking, whole], 0.2)
    assert criteria.error_name == "1 - cf_skill"
    assert values_in(whole, criteria)["whole_image_error"] == pytest.approx(0.4)
    assert values_in(lacking, criteria)["whole_image_error"] is None
    criteria = criteria_of("auto", [lacking, record()], 0.2)
    assert criteria.error_name == "rec_l1"
    assert values_in(lacking, criteria)["whole_image_error"] == pytest.approx(0.03)


def test_random_distance_by_hand():
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[1] = 51
    domain, same = SimpleNamespace(images=images), SimpleNamespace(images=images[:1])
    data = SimpleNamespace(domains={"val": [domain, same, domain]})
    assert random_distance(data) == pytest.approx(0.1), "A: .2, B: 0, a third domain is left out"


def record(**metrics):
    return {"metrics": {name: {"value": v, "status": "ok"} for name, v in metrics.items()}}


def test_auto_takes_the_first_objective_that_a_task_has():
    assert chosen_objective("auto", [record(), record(transfer=0.1)]) == "transfer"
    assert chosen_objective("auto", [record(transfer_judged=0.1)]) == "transfer_judged"
    assert chosen_objective("auto", [record()]) == "label-only"
    assert chosen_objective("label-only", [record(transfer=0.1)]) == "label-only"


def test_only_needed_metrics_are_computed():
    assert "transfer" not in metrics_for("label-only")
    assert "transfer_judged" not in metrics_for("transfer")
    assert {"transfer", "transfer_judged", *PARTS} <= set(metrics_for("auto"))
