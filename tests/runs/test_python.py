"""The functions of Python that run methods and score models."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

import bench
from bench.records.read import read_record
from bench.utils.errors import UserError
from tests.helpers import ROOT, little

TINY = {
    "profile.budget_tflops": 0.00004,
    "profile.train_images": 64,
    "profile.probe_images": 64,
    "profile.test_images": 32,
}
METRICS = "counterfactual,reconstruction,cost,scores"
NOTHING = SimpleNamespace(add=lambda a, guide: a, remove=lambda b: b)


def run(folder, cache, **more):
    return bench.run(
        **{"methods": "little,copy-source", "profile": "smoke", "settings": TINY,
           "metrics": METRICS, "plugins": [little(folder)], "results": folder / "results",
           "cache_dir": cache, "engine": "inline"} | more
    )  # fmt: skip


def evaluate(model, cache, **more):
    chosen = {"profile": "smoke", "settings": TINY, "metrics": METRICS, "cache_dir": cache}
    return bench.evaluate(model, **chosen | more)


def value(record, metric):
    return record["metrics"][metric]["value"]


def reason(record, metric):
    return record["metrics"][metric]["reason"]


def test_a_run_returns_the_leaderboard_and_prints_nothing(tmp_path, cache, capfd):
    board = run(tmp_path, cache)
    assert list(board["method"]) == ["little", "copy-source"]
    assert capfd.readouterr() == ("", "")
    records = [read_record(path) for path in (tmp_path / "results" / "records").iterdir()]
    assert {record["environment"]["command"] for record in records} == {"bench.run"}


def test_it_makes_the_cells_of_the_command_line(tmp_path, cache, inside):
    run(tmp_path, cache, seeds=(0, 3))
    settings = [word for name, v in TINY.items() for word in ("--set", f"{name}={v:.5f}")]
    settings = [w.replace(".00000", "") for w in settings]
    done = inside(
        "run", "--methods", "little,copy-source", "--profile", "smoke", *settings,
        "--metrics", METRICS, "--plugin", tmp_path / "little.py", "--seeds", "0,3",
        "--results", tmp_path / "results", "--cache-dir", cache,
    )  # fmt: skip
    assert "3 of 3 cells have a record already" in done.stdout


def test_it_shows_what_the_command_line_shows_if_asked(tmp_path, cache, capfd):
    run(tmp_path, cache, methods="copy-source", progress=True)
    assert "copy-source" in capfd.readouterr().out


def test_failed_cells_are_rows_and_a_warning(tmp_path, cache):
    (tmp_path / "broken").mkdir()
    broken = little(tmp_path / "broken", "raise ValueError('it broke')")
    with pytest.warns(UserWarning, match="some cells failed: their rows in .*results say why"):
        board = run(tmp_path, cache, methods=["little"], plugins=[broken])
    assert board["transfer"].isna().all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": "nothing"}, "unknown method 'nothing'"),
        ({"seeds": "x"}, "--seeds 'x': expected whole numbers"),
        ({"settings": {"other.field": 1}}, "unknown owner of a setting 'other'"),
        ({"precision": "fp8"}, "unknown precision 'fp8'"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, cache, wrong, message):
    with pytest.raises(UserError, match=message):
        run(tmp_path, cache, **wrong)
    assert not (tmp_path / "results").exists()


def test_workers_do_not_run_the_calling_script(tmp_path, cache):
    """Without the guard that multiprocessing asks for, each worker would run it again."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import bench
        print("once")
        board = bench.run("copy-source,copy-guide", profile="smoke", settings={TINY!r},
                          metrics="counterfactual", results="results", cache_dir={str(cache)!r})
        print(*board["method"])
    """)
    )
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, text=True, capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)}, timeout=120,
    )  # fmt: skip
    assert done.stdout.split() == ["once", "copy-source", "copy-guide"], done.stderr


def test_two_functions_are_enough(tmp_path, cache):
    """A model that returns its input has the numbers of the anchor that does so."""
    kept = tmp_path / "results"
    run(tmp_path, cache, methods="copy-source")
    record = evaluate(NOTHING, cache, results=kept, name="nothing")
    (anchor,) = [read_record(p) for p in (kept / "records").iterdir() if "copy-source" in p.name]
    for metric in ("cf_skill_add", "cf_skill_remove", "add_score", "transfer"):
        assert value(record, metric) == value(anchor, metric)
    assert reason(record, "rec_l1_a") == "the model has no function 'reconstruct'"
    assert reason(record, "infer_images_per_s") == "measured for a bench.Method only"
    assert record["facts"]["note"] == "trained elsewhere; scored from its images"
    assert record["environment"]["command"] == "bench.evaluate"
    assert "nothing" in list(bench.leaderboard(kept)["method"])


def test_a_trained_model_has_the_numbers_of_its_run(peaceful, cache):
    (path,) = (peaceful / "results" / "records").glob("little*")
    model = bench.load_model(path, plugins=[peaceful / "little.py"])
    record = evaluate(model, cache)
    for metric in ("cf_skill_add", "cf_skill_remove", "rec_l1_a", "params"):
        assert value(record, metric) == value(read_record(path), metric)
    assert value(record, "infer_images_per_s") > 0
    assert reason(record, "train_images_per_s") == "trained elsewhere"


def test_nothing_is_kept_without_a_results_folder(tmp_path, cache, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evaluate(NOTHING, cache, metrics="counterfactual")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        (3, {}, r"a model of type int lacks add and remove: expected an object with functions"),
        (SimpleNamespace(add=abs), {}, "lacks remove"),
        (NOTHING, {"name": "press2019"}, "that is a method of the suite"),
        (NOTHING, {"task": "nothing"}, "unknown task 'nothing'"),
        (NOTHING, {"metrics": "nothing"}, "unknown metric 'nothing'"),
    ],
)
def test_a_wrong_model_or_name_is_one_line(cache, model, more, message):
    with pytest.raises(UserError, match=message):
        evaluate(model, cache, **more)


def test_a_model_of_another_side_is_refused(peaceful, cache):
    (path,) = (peaceful / "results" / "records").glob("little*")
    model = bench.load_model(path, plugins=[peaceful / "little.py"])
    with pytest.raises(
        UserError, match="is for images of 32 x 32 pixels, and profile smoke has 64"
    ):
        evaluate(model, cache, settings=TINY | {"profile.size": 64})
