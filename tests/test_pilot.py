"""What the committed records must show, and what the page on the protocol points at."""

from __future__ import annotations

import re

import pytest

from bench.cell.untrained.paste import AREAS, Place
from bench.contracts.anchors import ANCHORS
from bench.contracts.images import of_neighbours
from bench.contracts.registry import shipped_infos
from bench.contracts.task import DataSizes
from bench.metrics._extractor import avatars64
from bench.metrics._judge import counted_factors, judge
from bench.records.store import Store
from bench.tasks.avatars import AvatarsGlasses, AvatarTask
from bench.tasks.cache import prepare
from tests.helpers import REGISTRY, ROOT, family

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


@pytest.mark.slow
def test_no_area_lets_the_paste_win(cache):
    """At most .45 even with the best area and filling on *test* itself."""
    data = prepare(AvatarsGlasses(), DataSizes(size=32, train=8192, probe=2, test=512), cache)
    place, scores, (a, b) = Place.of(data), family("scores"), data.test_pairs
    add = [
        {"add": place.add(a, b, area), "other": place.add(a, of_neighbours(b), area)}
        for area in AREAS
    ]
    remove = [
        {"remove": place.remove(b, area, fill)} for area in AREAS for fill in ("mean", "nearest")
    ]
    best = max(scores.point("add_score", images, data) for images in add)
    best += max(scores.point("remove_score", images, data) for images in remove)
    assert best / 2 <= 0.45


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize(
    "task", [p.name for p in REGISTRY.all("task") if issubclass(p.load(), AvatarTask)]
)
def test_the_judge_reads_every_drawn_task(task, size, cache):
    """The style tasks have seven shared factors, so all of these must be read."""
    sizes = DataSizes(size=size, train=2, probe=1024, test=512)
    data = prepare(REGISTRY.find("task", task).load()(), sizes, cache).pair
    judged = judge(avatars64(), data, cache)
    separate = [judged.accuracy(factor, data) for factor in data.factors if factor.separate]
    assert min(separate) >= 0.97
    shared = [factor for factor in data.factors if not factor.separate]
    counted = counted_factors(judged, data, separate=False)
    assert len(counted.columns) >= min(8, len(shared))
