"""Orderings of methods that a baseline states."""

from __future__ import annotations

import pytest

from bench.check.orderings import gaps, smallest


def test_a_claim_is_kept_only_if_every_seed_held_it():
    assert smallest([{"x": 0.3, "y": 0.1}, {"x": 0.2, "y": -0.1}]) == {"x": 0.2}


def test_gaps_of_claims():
    method = {"z1_probe_power": 0.8, "z1_domain_acc": 0.7, "fd_add": 20.0}
    values = {
        "ground-truth": {"cf_skill_in_add": 1.0, "fd_add": 5.0},
        "copy-source": {"cf_skill_in_add": 0.0},
        "autoencoder": method | {"z1_domain_acc": 0.9},
        "press2019": method,
    }
    found = gaps(values)
    assert found["autoencoder leaks the domain more than press2019"] == pytest.approx(0.2)
    assert found["no method has a fd_add as small as the truth"] == pytest.approx(0.75)
    assert found["copying the source earns nothing when it adds"] > 0
    values["copy-source"]["cf_skill_in_add"] = 0.01
    assert gaps(values)["copying the source earns nothing when it adds"] < 0


def test_an_anchor_with_a_changed_configuration_is_no_method():
    values = {
        "ground-truth": {"fd_add": 5.0},
        "autoencoder[width=8]": {"fd_add": 20.0},
        "oracle-decoder[width=8]": {"fd_add": 4.0},
    }
    found = gaps(values)
    assert found["no method has a fd_add as small as the truth"] == pytest.approx(0.75)
