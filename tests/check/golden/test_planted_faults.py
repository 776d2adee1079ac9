"""The golden layer finds planted faults, and does not call unchanged code faulty.

All layers, all methods and the time it takes: ``python -m tests.faults`` (see docs/ci.md).
"""

from __future__ import annotations

import pytest

from bench.check.check import LAYERS
from bench.check.golden import measure as golden
from bench.check.golden.compare import compare_golden
from bench.check.golden.measure import FROZEN_TOLERANCE
from bench.check.golden.training import settings_of, short_training
from bench.contracts.registry import Registry
from bench.plan.configure import fixed_config
from bench.utils.errors import UserError
from tests.faults import FOUND_BY_TEST, PLANTED, planted

METHODS, FAMILIES = ("press2019", "ufdn"), ("domain_probe", "image_quality")
WATCHED = {
    "probe trained on test": ((), ("domain_probe",)),
    "jackknife over repeated items": ((), ("image_quality",)),
    "train mode at inference": (("ufdn",), ()),
}
"""The methods and families of metrics that show a fault; all other faults show in press2019."""


class Few(Registry):
    """A registry with only some families of metrics."""

    def __init__(self, families):
        super().__init__()
        self.families = families

    def all(self, kind):
        found = super().all(kind)
        return [p for p in found if p.name in self.families] if kind == "metric" else found


def rows_of(methods):
    registry = Registry()
    return {name: (name, fixed_config(registry.find("method", name)), 32) for name in methods}


@pytest.fixture(scope="module")
def base(cache):
    return golden.with_tolerances(Few(FAMILIES), rows_of(METHODS), cache)


def regressed(base, cache, methods, families):
    now = golden.measure(Few(families), rows_of(methods), cache)
    findings = compare_golden(base, now, FROZEN_TOLERANCE)
    return [f for f in findings if f.verdict == "regressed"]


def test_there_are_sixteen_faults():
    assert len(PLANTED) == 16


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name, base, cache):
    with planted(name):
        if name in FOUND_BY_TEST:
            assert not FOUND_BY_TEST[name]()
            return
        assert regressed(base, cache, *WATCHED.get(name, (("press2019",), ())))


def test_unchanged_code_is_not_called_faulty(base, cache):
    assert regressed(base, cache, METHODS, FAMILIES) == []


@pytest.mark.parametrize("how", [{"nudge": 7}, {"nudge": 8, "threads": 2}])
def test_other_threads_and_first_weights_are_tolerated(how, base, cache):
    data = golden.task_data(Registry(), 32, cache)
    ((name, (method, config, _)),) = rows_of(("press2019",)).items()
    settings = settings_of(Registry(), method, config)
    moved = short_training(Registry(), method, settings, data, **how)
    expected = base["training"][name]
    apart = {
        key: abs(value - expected[key]["value"]) / expected[key]["tolerance"]
        for key, value in moved.items()
    }
    assert max(apart.values()) < 1, max(apart, key=apart.get)


def test_the_layers_have_their_order():
    assert LAYERS == ("exact", "golden", "ordering", "statistical")


def test_code_that_raises_is_a_finding_and_no_traceback(base, cache, monkeypatch):
    def broken(*_, **__):
        raise ValueError("one value\nand more")

    monkeypatch.setattr(golden, "short_training", broken)
    now = golden.measure(Few(()), rows_of(METHODS), cache)
    findings = compare_golden(base, now, FROZEN_TOLERANCE)
    failed = {f.row: f.said for f in findings if f.verdict == "failed"}
    assert failed == dict.fromkeys(METHODS, "it raises ValueError: one value")
    with pytest.raises(UserError, match=r"no golden numbers: .* raises ValueError: one value"):
        golden.with_tolerances(Few(()), rows_of(METHODS), cache)


def test_a_configuration_of_an_older_version_cannot_be_compared(base, cache):
    """A field that is gone is no fault of the code."""
    old = {
        "press2019": ("press2019", {"no_such_field": 1}, 32),
        "ufdn": ("ufdn", {"a_field_of_old": 1.0}, 32),
    }
    now = golden.measure(Few(()), old, cache)
    findings = compare_golden(base, now, FROZEN_TOLERANCE)
    said = {f.row: f.said for f in findings if f.verdict == "not comparable" and f.row in old}
    assert said.keys() == old.keys()
    assert all(text.endswith("; update the baseline") for text in said.values())
    assert not any(f.verdict == "failed" for f in findings)
