"""A check runs again what a baseline describes, on the same images."""

from __future__ import annotations

import json
import shutil

import pytest

from bench.contracts.protocol import PROTOCOL
from bench.records.read import cell_of
from bench.records.store import Store
from bench.utils.files.sealed import read_sealed, write_sealed
from tests.helpers import OWN_METHOD, TINY, rows
from tests.pictures import make_folder

MINE = OWN_METHOD.replace(
    "class Config(BaseConfig):", 'class Config(BaseConfig):\n        layers: str = "64"', 1
)
RATE = 0.00123456789


def write_method(path, more=""):
    path.parent.mkdir(exist_ok=True)
    path.write_text(MINE + more)
    return path


def test_seeds_of_an_edited_method_are_rows_apart(inside, baseline_of_folder, tmp_path):
    """case 3, as a user sees it: seed 0, an edit, seed 1; after a merge too."""
    results = shutil.copytree(baseline_of_folder / "r", tmp_path / "r")
    ((first,), _) = Store(results).records()
    second = first | {"identity": first["identity"] | {"seed": 1}, "sources": {"mine": "0" * 16}}
    cell = cell_of(second)
    write_sealed(Store(results).record_path(cell), second | {"id": cell.id})
    done = inside("leaderboard", "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(results)
    sources = (first["sources"]["mine"][:8], "00000000")
    assert {method for method, _ in found} == {
        f"{first['label']}{{source={source}}}" for source in sources
    }
    assert {row["n_seeds"] for row in found.values()} == {"1"}
    merged = inside("merge", results, "--into", tmp_path / "all")
    assert merged.returncode == 0
    assert rows(tmp_path / "all").keys() == found.keys()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    place = tmp_path_factory.mktemp("faces")
    make_folder(place / "plain", 120, seed=0)
    make_folder(place / "extra", 120, seed=1)
    return place


@pytest.fixture(scope="module")
def baseline_of_folder(cache, images, tmp_path_factory):
    """A baseline of the user's own images and method, with values that labels cannot hold."""
    from bench.cli.main import main

    place = tmp_path_factory.mktemp("base")
    plugin = write_method(place / "mine.py")
    shared = ("--plugin", plugin, "--cache-dir", cache)
    run = ("run", "--methods", "mine", "--task", "folder", "--a", images / "plain",
           "--b", images / "extra", "--resize", "pad", *TINY, "--set",
           "profile.budget_tflops=0.001",
           "--set", f"mine.learning_rate={RATE}", "--set", "mine.layers=32,64] =x",
           "--seeds", "0", "--metrics", "rec_l1_a", "--results", place / "r", "--engine", "inline",
           *shared)  # fmt: skip
    profile = "smoke[budget_tflops=0.001,probe_images=64,test_images=32,train_images=64]"
    write = ("baseline", place / "b.json", "--results", place / "r", "--profile", profile,
             "--reason", "first", "--no-golden", *shared)  # fmt: skip
    for arguments in (run, write):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        assert stopped.value.code == 0
    return place


def check_again(inside, place, results, *more):
    return inside("check", place / "b.json", "--run", "--results", results, "--plugin",
                  place / "mine.py", "--layers", "exact", *more)  # fmt: skip


def test_the_stored_identity_is_run_of_the_stored_images(
    inside, baseline_of_folder, tmp_path, monkeypatch
):
    """cases 12 and 13: to the last digit and the last bracket, without a word on the images."""
    monkeypatch.setattr("bench.runs.execute.ENGINES", _inline())
    monkeypatch.setattr("bench.check.rerun.chosen_metrics", lambda *_: {"rec_l1_a": 1, "params": 1})
    done = check_again(inside, baseline_of_folder, tmp_path / "now")
    assert done.returncode == 0, done.stdout + done.stderr
    ((then,), _), ((now,), _) = (
        Store(place).records() for place in (baseline_of_folder / "r", tmp_path / "now")
    )
    assert now["identity"] == then["identity"]
    assert now["label"] == then["label"] == 'mine[layers="32,64] =x",learning_rate=0.00123456789]'
    assert now["identity"]["config"]["learning_rate"] == RATE
    assert now["environment"]["options"] == then["environment"]["options"]
    assert now["metrics"]["rec_l1_a"]["value"] == then["metrics"]["rec_l1_a"]["value"]


def _inline():
    """Return engines of which each is the one of this process: torch is loaded once."""
    from bench.runs.engines.choose import ENGINES

    return dict.fromkeys(ENGINES, ENGINES["inline"])


def test_images_may_lie_elsewhere_and_must_be_the_same(
    inside, baseline_of_folder, images, tmp_path, monkeypatch
):
    """case 13, siblings: other paths, other images, a folder that is gone, no --run."""
    monkeypatch.setattr("bench.runs.execute.ENGINES", _inline())
    monkeypatch.setattr("bench.cell.run.train", None)
    moved = shutil.copytree(images, tmp_path / "moved")
    there = ("--a", moved / "plain", "--b", moved / "extra")
    found = check_again(inside, baseline_of_folder, tmp_path / "1", *there)
    assert found.returncode == 3, "it was run: the method failed, as nothing may train here"
    (moved / "plain" / "000.png").unlink()
    other = check_again(inside, baseline_of_folder, tmp_path / "2", *there, "--json",
                        tmp_path / "2.json")  # fmt: skip
    assert other.returncode == 4
    (told,) = json.loads((tmp_path / "2.json").read_text())["findings"]
    assert told["said"].startswith("its images have changed (")
    gone = check_again(inside, baseline_of_folder, tmp_path / "3", "--a", tmp_path / "none")
    assert (gone.returncode, len(gone.stderr.splitlines())) == (2, 1)
    assert "--a, --b and --data-root" in gone.stderr
    alone = inside("check", baseline_of_folder / "b.json", "--a", images)
    assert (alone.returncode, "--a: it is for --run" in alone.stderr) == (2, True)


def test_a_baseline_of_another_protocol_is_told_and_not_run(
    inside, baseline_of_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("bench.runs.execute.execute", None)
    place = shutil.copytree(baseline_of_folder, tmp_path / "old")
    found = read_sealed(place / "b.json")
    for row in found["rows"]:
        row["identity"] = {k: v for k, v in row["identity"].items() if k != "protocol"}
    write_sealed(place / "b.json", found)
    done = check_again(inside, place, baseline_of_folder / "r", "--json", tmp_path / "j")
    assert done.returncode == 4, done.stdout + done.stderr
    told = [one["said"] for one in json.loads((tmp_path / "j").read_text())["findings"]]
    assert f"protocol 1 made it, today's is {PROTOCOL}: nothing was run" in told


def test_a_default_that_is_another_now_is_told_and_not_run(
    inside, baseline_of_folder, tmp_path, monkeypatch
):
    """case 12, sibling: what was set stands, what the code decides may not change unseen."""
    monkeypatch.setattr("bench.runs.execute.ENGINES", _inline())
    monkeypatch.setattr("bench.cell.run.train", None)
    place = tmp_path / "code"
    (shutil.copytree(baseline_of_folder, place) / "mine.py").unlink()
    text = MINE.replace("beta1: float = 0.5", "beta1: float = 0.7")
    assert text != MINE
    (place / "new.py").write_text(text)
    done = inside("check", place / "b.json", "--run", "--results", tmp_path / "r", "--plugin",
                  place / "new.py", "--json", tmp_path / "j.json")  # fmt: skip
    assert done.returncode == 4, done.stdout + done.stderr
    said = [one["said"] for one in json.loads((tmp_path / "j.json").read_text())["findings"]]
    assert "the code has changed: config.beta1: 0.5 -> 0.7" in said


def test_the_command_in_a_hint_gives_the_identity(inside, baseline_of_folder, tmp_path):
    """case 12, sibling: `score` names the command that makes a cell again."""
    results = shutil.copytree(baseline_of_folder / "r", tmp_path / "r")
    shutil.rmtree(results / "runs")
    done = inside("score", "--results", results, "--plugin", baseline_of_folder / "mine.py",
                  "--metrics", "rec_l1_b")  # fmt: skip
    assert done.returncode == 3
    assert "--set mine.learning_rate=0.00123456789 " in done.stdout
    assert "--set 'mine.layers=32,64] =x'" in done.stdout
