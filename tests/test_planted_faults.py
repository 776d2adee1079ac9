"""Planted faults are found by the golden layer, and unchanged code is not called faulty.

All layers, all methods and the time it takes: ``python -m tests.faults`` (see docs/ci.md).
"""

from __future__ import annotations

import pytest

from bench import golden
from bench.check import LAYERS
from bench.compare_golden import compare_golden
from bench.config import choose_profile, configure
from bench.golden import FROZEN_TOLERANCE, TIMER_SECONDS
from bench.registry import Registry

from .faults import PLANTED, planted

METHODS = ("press2019", "ufdn")
FAMILIES = ("domain_probe", "image_quality")


class Few(Registry):
    """A registry with two families of metrics: those that a fault concerns, and quick ones."""

    def all(self, kind):
        found = super().all(kind)
        return [p for p in found if p.name in FAMILIES] if kind == "metric" else found


def rows_of(profile):
    registry, chosen = Few(), choose_profile(profile)
    return {
        name: (name, configure(registry.find("method", name), chosen, [])[1], 32)
        for name in METHODS
    }


@pytest.fixture(scope="module")
def base(cache):
    return golden.with_tolerances(Few(), rows_of("smoke"), cache)


def regressed(base, cache):
    now = golden.measure(Few(), rows_of("smoke"), cache)
    findings = compare_golden(base, now, FROZEN_TOLERANCE, TIMER_SECONDS)
    return [f for f in findings if f.verdict == "regressed"]


def test_there_are_sixteen_faults():
    assert len(PLANTED) == 16


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name, base, cache):
    with planted(name):
        assert regressed(base, cache)


def test_unchanged_code_is_not_called_faulty(base, cache):
    assert regressed(base, cache) == []


def test_other_threads_and_first_weights_are_within_the_tolerance(base, cache):
    data = golden._data(Few(), 32, cache)
    for name, (method, config, _) in rows_of("smoke").items():
        for how in ({"nudge": 7}, {"nudge": 8, "threads": 2}):
            moved = golden.short_training(Few(), method, config, data, **how)
            expected = base["training"][name]
            apart = {
                key: abs(value - expected[key]["value"]) / expected[key]["tolerance"]
                for key, value in moved.items()
            }
            assert max(apart.values()) < 2, max(apart, key=apart.get)


def test_the_layers_have_their_order():
    assert LAYERS == ("exact", "golden", "ordering", "statistical")
