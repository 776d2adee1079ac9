"""What the committed records must show, and what the page on the protocol points at."""

from __future__ import annotations

import re

import pytest

from bench.contracts.anchors import ANCHORS
from bench.contracts.registry import shipped_infos
from bench.records.store import Store
from tests.helpers import ROOT

PROTOCOL = ROOT / "docs" / "protocol.md"
DEFAULT = "avatars-glasses"
SEPARATE = ("glasses", "glasses_color")


@pytest.fixture(scope="module")
def pilot():
    """The committed records of the default task by method."""
    records, damaged = Store(ROOT / "results").records()
    assert not damaged
    wanted = {"task": DEFAULT, "profile": "small", "seed": 0}.items()
    return {r["identity"]["method"]: r for r in records if wanted <= r["identity"].items()}


def test_every_pointer_of_the_protocol_exists():
    pointers = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PROTOCOL.read_text("utf-8"))
    assert len(pointers) > 15
    for path, name in pointers:
        text = (ROOT / path).read_text("utf-8")
        assert f"def {name}(" in text or not name, f"{path} has no {name}"


def test_a_trained_method_beats_the_paste_on_the_default_task(pilot):
    """The bounds of the protocol: .45 for the paste, and less than `press2019` has."""
    paste = pilot["paste"]["metrics"]["transfer"]["value"]
    trained = pilot["press2019"]["metrics"]["transfer"]["value"]
    assert paste <= 0.45
    assert paste < trained - shipped_infos()["transfer"].tolerance


def test_floors_and_ceilings_of_the_default_task(pilot):
    assert set(ANCHORS) <= set(pilot)
    values = {name: pilot[name]["metrics"]["transfer"]["value"] for name in ANCHORS}
    assert values.pop("ground-truth") == 1
    assert values.pop("copy-guide") is None
    assert pilot["copy-guide"]["metrics"]["add_score"]["value"] == 0
    for name in ("copy-source", "random-guide", "mean-image", "shuffled-truth"):
        assert values[name] <= 0.05, name
    methods = [r for name, r in pilot.items() if name not in ANCHORS]
    best = max(record["metrics"]["transfer"]["value"] for record in methods)
    assert values["oracle-decoder"] > best


def test_the_judge_reads_real_images(pilot):
    """At least 97 % for the separate factors, and 90 % for at least eight shared ones."""
    separate = pilot["ground-truth"]["metrics"]["tr_specific_acc"]["detail"]["judge"]
    assert set(separate) == set(SEPARATE)
    assert min(separate.values()) >= 0.97
    shared = pilot["ground-truth"]["metrics"]["tr_common_acc"]["detail"]["judge"]
    assert sum(accuracy >= 0.9 for accuracy in shared.values()) >= 8
