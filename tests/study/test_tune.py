"""A whole study of two methods, cut and resumed."""

from __future__ import annotations

import pandas as pd
import pytest
from rich.console import Console

from bench.plan import tuned
from bench.plan.plan import Request, make_plan
from bench.records.store import Store
from bench.study import tune
from bench.study.objective import WHOLE_IMAGE, Criteria
from bench.study.terms import agreed, terms_of
from bench.study.trials import trials_of
from bench.study.winners import Outcome, write_winners
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
    assert len(before) == 8, "two trials and two confirmations of each"
    assert not winners_folder.exists(), "only --write changes the suite"

    done = inside(*arguments, "--trials", "4", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "14 cells" in done.stdout, "four trials and three confirmations of each method"
    done = inside(*arguments, "--trials", "4")
    assert done.returncode == 0, done.stderr
    assert f"4 of 8 {NOTHING}" in done.stdout
    table = pd.read_csv(path)
    short, full = table[table["budget"] == 0.25], table[table["budget"] == 1]
    assert list(short["origin"]) == ["published", "hand-set", "drawn", "drawn"] * 2
    assert list(table["status"]) == ["ok"] * 14
    assert full.groupby("method")["trial"].count().tolist() == [3, 3]
    assert full.groupby("method")["trial"].min().tolist() == [0, 0]
    kept = short[short["trial"] < 2].reset_index(drop=True)
    same = ["method", "trial", "score", "label_only", "whole_image_error", "steps"]
    earlier = before[before["budget"] == 0.25].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[same], earlier[same])
    assert set(table["objective"]) == {"transfer"}
    assert set(table["error"]) == {"1 - cf_skill"}
    assert table.groupby("method")["winner"].sum().tolist() == [1, 1]
    assert not short["winner"].any()
    assert (short["flops"] <= 0.05e12).all(), "a quarter of the budget"
    assert full["flops"].between(0.1e12, 0.2e12).all(), "the whole budget"

    (written,) = tmp_path.glob("results/studies/*.toml")
    best = table[table["winner"]].set_index("method")["trial"].to_dict()
    found = {method: made["trial"] for method, made in tuned.winners(written).items()}
    assert found == best
    again = inside(*arguments, "--trials", "4", "--dry-run")
    assert "train and score" not in again.stdout, "all trials and confirmations have records"

    one = ["press2019" if part == "press2019,autoencoder" else part for part in arguments]
    one.append("--dry-run")
    done = inside(*one, "--trials", "6")
    assert done.returncode == 2
    assert "has autoencoder with trials=4, and this run has trials=6" in done.stderr
    assert inside(*one, "--trials", "4").returncode == 0
    other = inside(*one, "--trials", "4", "--objective", "label-only")
    assert other.returncode == 2
    assert "objective=transfer" in other.stderr
    refused = inside(*arguments, "--trials", "4", "--write")
    assert refused.returncode == 2
    assert "--write: a study of a changed profile" in refused.stderr
    monkeypatch.setattr("bench.contracts.registry.Plugin.source_hash", lambda self: "new")
    done = inside(*arguments, "--trials", "4")
    assert done.returncode == 2
    assert "has changed since its trials were run" in done.stderr


def test_write_makes_the_winners_those_of_the_suite(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "TUNED", tmp_path / "tuned")
    request = Request(methods=("press2019",), profile="smoke", device="cpu")
    study = tune.plan_study(request, 2, "transfer")
    store = Store(tmp_path / "results" / "studies" / study.name)
    criteria = Criteria("transfer", WHOLE_IMAGE, 0.2)
    values = {"label-only": 0.5, "whole_image_error": None}
    outcomes = [Outcome(study.trials[1], "ok", "", 0.5, values)]
    for write in (False, True):
        store.open_for_writing()
        kept = tune.with_terms(study, store, write)
        assert tune.finish_study(Console(), kept, store, outcomes, criteria, write) == ()
        assert (tmp_path / "tuned").exists() == write
    path = tmp_path / "tuned" / "avatars-glasses-smoke.toml"
    assert tuned.winners(path)["press2019"]["trial"] == 1
    terms = tuned.terms_in(path)
    assert (terms["trials"], terms["objective"], terms["budget_tflops"]) == (2, "transfer", 0.5)
    path.write_text("[d2ae]\ntrial = 1\nconfig = {}\n")
    with pytest.raises(UserError, match="has d2ae with unknown terms, so no method can be added"):
        tune.with_terms(study, store, True)


@pytest.mark.parametrize(
    "key", ["trials", "objective", "precision", "budget_tflops", "protocol", "images"]
)
def test_a_method_is_added_under_the_terms_of_the_others_only(tmp_path, key):
    terms = terms_of("small", 6, "transfer", "fp32", 10.0, "abc", {"transfer": 2, "add_score": 2})
    path, trial = tmp_path / "study.toml", trials_of(REGISTRY.find("method", "ufdn"), "s", 1, str)
    write_winners([Outcome(trial[0], "ok", "", 0.5)], path, "task", terms)
    assert agreed(terms, ["drit"], path, None) == terms
    assert agreed(terms | {"objective": "auto"}, ["drit"], path, None) == terms
    other = terms | {key: "other"}
    assert agreed(other, ["ufdn"], path, None) == other, "it replaces all that is there"
    with pytest.raises(UserError, match=f"has ufdn with {key}=.*, and this run has {key}=other"):
        agreed(other, ["drit"], path, None)
    newer = terms | {"metrics": {"transfer": 3, "add_score": 2}}
    with pytest.raises(UserError, match=r"with metrics transfer:2, .* metrics transfer:3: use"):
        agreed(newer, ["drit"], path, None)


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


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_study_has_one_precision_which_is_one_of_its_terms(precision):
    request = Request(methods=("ufdn", "drit"), device="cpu", precision=precision)
    study = tune.plan_study(request, 2, "auto")
    assert {cell.precision for cell in study.plan.cells} == {precision}
    assert study.terms["precision"] == precision


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
    assert list(table["status"]) == ["ok", "failed", "ok"]
    assert "RuntimeError" in table["reason"][1]
    assert "log:" not in table["reason"][1], "a committed table names no local file"
    assert list(table["winner"]) == [False, False, True]


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
