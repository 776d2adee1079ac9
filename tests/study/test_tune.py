"""A whole study of two methods, cut and resumed."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.plan import tuned
from bench.plan.plan import Request, make_plan
from bench.study import tune
from bench.utils.errors import UserError
from tests.helpers import REGISTRY

SIZES = ("train_images=64", "probe_images=64", "test_images=32", "budget_tflops=0.2")
SET = tuple(part for size in SIZES for part in ("--set", f"profile.{size}"))
STUDY = ("tune", "--methods", "press2019,autoencoder", "--profile", "smoke", *SET)
NOTHING = "cells have a record already"


def test_a_study_of_two_methods_is_cut_and_resumed(inside, tmp_path, monkeypatch):
    from bench.runs.engines import choose

    winners_folder = tmp_path / "tuned"
    monkeypatch.setattr(tuned, "TUNED", winners_folder)
    monkeypatch.setattr(tune, "TUNED", winners_folder)
    engine = choose.ENGINES["inline"]

    def cut(jobs, workers, display):
        engine(jobs[:2], workers, display)
        raise KeyboardInterrupt

    arguments = (*STUDY, "--engine", "inline", "--results", tmp_path / "results")
    with monkeypatch.context() as patch:
        patch.setitem(choose.ENGINES, "inline", cut)
        assert inside(*arguments, "--trials", "2").returncode == 130
    assert not list(tmp_path.glob("results/studies/*.csv"))

    done = inside(*arguments, "--trials", "2")
    assert done.returncode == 0, done.stderr
    assert f"2 of 4 {NOTHING}" in done.stdout
    (path,) = tmp_path.glob("results/studies/*.csv")
    before = pd.read_csv(path)
    assert len(before) == 4
    assert not winners_folder.exists(), "only --write changes the suite"

    done = inside(*arguments, "--trials", "3", "--write")
    assert done.returncode == 0, done.stderr
    assert f"4 of 6 {NOTHING}" in done.stdout
    table = pd.read_csv(path)
    assert list(table["origin"]) == ["published", "hand-set", "drawn"] * 2
    assert list(table["status"]) == ["ok"] * 6
    kept = table[table["trial"] < 2].reset_index(drop=True)
    same = ["method", "trial", "score", "label_only", "whole_image_error", "steps"]
    pd.testing.assert_frame_equal(kept[same], before[same])
    assert set(table["objective"]) == {"transfer"}
    assert table.groupby("method")["winner"].sum().tolist() == [1, 1]
    assert (table["flops"] <= 0.05e12).all(), "a quarter of the budget"

    (written,) = winners_folder.glob("*.toml")
    best = table[table["winner"]].set_index("method")["trial"].to_dict()
    found = {method: made["trial"] for method, made in tuned.winners(written).items()}
    assert found == best


def test_a_trial_never_sees_test_and_is_no_cell_of_a_run():
    request = Request(methods=("press2019",), profile="smoke", device="cpu")
    study = tune.plan_study(request, 3, "transfer")
    assert [cell.label for cell in study.plan.cells] == [f"press2019[trial={n}]" for n in range(3)]
    assert all(cell.numbers["part"] == "val" for cell in study.plan.cells)
    assert {cell.numbers["budget_tflops"] for cell in study.plan.cells} == {0.125}
    (cell,) = make_plan(Request(("press2019",), profile="smoke", configuration="published")).cells
    assert "part" not in cell.numbers
    assert cell.id not in {trial.id for trial in study.plan.cells}


def test_every_method_gets_equal_trials_and_flops():
    study = tune.plan_study(Request(profile="smoke", device="cpu"), 4, "auto")
    counts = pd.Series([trial.method for trial in study.trials]).value_counts()
    unsupervised = {
        plugin.name
        for plugin in REGISTRY.all("method")
        if plugin.facts.get("supervision", "domain") == "domain"
    }
    assert set(counts.index) == unsupervised
    assert set(counts) == {4}
    assert len({cell.numbers["budget_tflops"] for cell in study.plan.cells}) == 1
    assert len({cell.id for cell in study.plan.cells}) == len(study.plan.cells)


def test_a_failed_trial_loses_and_does_not_stop_the_study(inside, tmp_path, monkeypatch):
    """With a learning rate of 1e38, the weights are no numbers after one step."""
    from bench.study import trials

    real = trials.start_values

    def absurd(config_class):
        return real(config_class) | {"learning_rate": 1e38}

    monkeypatch.setattr(trials, "start_values", absurd)
    arguments = ("tune", "--methods", "press2019", "--profile", "smoke", *SET, "--trials", "2")
    folders = ("--engine", "inline", "--results", tmp_path)
    done = inside(*arguments, *folders, "--objective", "transfer")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("studies/*.csv")
    table = pd.read_csv(path)
    assert list(table["status"]) == ["ok", "failed"]
    assert "RuntimeError" in table["reason"][1]
    assert "log:" not in table["reason"][1], "a committed table names no local file"
    assert list(table["winner"]) == [True, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"profile": "paper"}, "published number of steps"),
        ({"settings": ("press2019.width=8",)}, "expected profile.FIELD=VALUE"),
        ({"methods": ("nobody",)}, "method"),
        ({"profile": "nowhere"}, "profile"),
    ],
)
def test_bad_values_are_one_line(change, said):
    request = {"methods": ("press2019",), "profile": "smoke"} | change
    with pytest.raises(UserError, match=said) as refused:
        tune.plan_study(Request(**request), 2, "auto")
    assert "\n" not in str(refused.value)
