"""Who wins a study, and what its files say."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.plan.tuned import terms_in, winners
from bench.study.objective import WHOLE_IMAGE, Criteria
from bench.study.trials import Trial
from bench.study.winners import (
    Outcome,
    finalists,
    table_of,
    winner_of,
    winners_among,
    write_table,
    write_winners,
)

CRITERIA = Criteria("transfer", WHOLE_IMAGE, 0.2)
TERMS = {"profile": "small", "trials": 5, "metrics": {"transfer": 2}}


def outcome(number, score, error=None, method="mine", budget=1.0, **changes):
    config = {"x": 1, "rate": 0.1} | changes
    trial = Trial(method, number, "drawn", changes, config, ("rate",))
    values = {"label-only": 0.5, "whole_image_error": error}
    status = "failed" if score is None else "ok"
    return Outcome(
        trial, status, "diverged" if score is None else "", score, values, {"steps": 9}, budget
    )


@pytest.mark.parametrize(
    ("scores", "winner"),
    [
        ([(0.40, 0.5), (0.45, 0.9)], 1),
        ([(0.40, 0.5), (0.41, 0.9)], 0),  # within .01: the lower error
        ([(0.40, 0.9), (0.405, 0.5), (0.41, 0.7)], 1),
        ([(0.399, 0.1), (0.41, 0.9)], 1),  # not within .01
        ([(0.40, 0.5), (0.40, 0.5)], 0),  # equal: the lower number
        ([(0.40, None), (0.40, 0.5)], 1),
        ([(None, 0.1), (0.01, 0.9)], 1),  # a failed trial loses
        ([(0.30, 0.1), (0.39, 0.5), (0.40, 0.6)], 1),  # ties are with the best, not in a chain
    ],
)
def test_the_winner_and_ties(scores, winner):
    made = [outcome(at, score, error) for at, (score, error) in enumerate(scores)]
    found = winner_of(made)
    assert found is not None
    assert found.trial.number == winner


def test_nobody_wins_if_all_trials_failed():
    assert winner_of([outcome(0, None), outcome(1, None)]) is None


def test_the_table_has_a_row_for_each_trial(tmp_path):
    made = [outcome(0, 0.1), outcome(1, 0.5, rate=0.2), outcome(2, None, rate=0.3)]
    path = tmp_path / "study.csv"
    write_table(table_of(made, CRITERIA), path)
    read = pd.read_csv(path)
    assert list(read["winner"]) == [False, True, False]
    assert list(read["config.rate"]) == [0.1, 0.2, 0.3]
    assert list(read["status"]) == ["ok", "ok", "failed"]
    assert read["reason"][2] == "diverged"
    assert "config.x" not in read, "it is not searched"
    assert {"label_only", "whole_image_error", "flops", "steps", "cpu_seconds"} <= set(read)


def test_a_later_study_of_other_methods_keeps_the_rows(tmp_path):
    path = tmp_path / "study.csv"
    write_table(table_of([outcome(0, 0.1), outcome(1, 0.2)], CRITERIA), path)
    write_table(table_of([outcome(0, 0.3, method="other")], CRITERIA), path)
    write_table(table_of([outcome(0, 0.4)], CRITERIA), path)
    read = pd.read_csv(path)
    assert list(read["method"]) == ["mine", "other"]
    assert list(read["score"]) == [0.4, 0.3]


def test_winners_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "study.toml"
    changes = {"rate": 1e-05, "kind": "l1", "wide": True, "widths": [1, 2], "n": 3}
    write_winners([outcome(0, 0.1), outcome(4, 0.5, **changes)], path, "a task\nodd", TERMS)
    assert winners(path) == {"mine": {"trial": 4, "config": changes}}
    write_winners([outcome(0, None, method="d2ae-obj")], path, "task", TERMS)
    assert winners(path)["d2ae-obj"] == {"trial": 0, "config": {}}, "it keeps the published values"
    assert winners(path)["mine"]["trial"] == 4
    assert terms_in(path) == TERMS


def numbers(trials):
    return [trial.number for trial in trials]


def test_the_published_trial_and_the_best_two_others_are_confirmed():
    short = [outcome(n, score) for n, score in enumerate([0.1, 0.3, 0.5, None, 0.4])]
    assert numbers(finalists(short)) == [0, 2, 4]
    short[0] = outcome(0, 0.9)
    assert numbers(finalists(short)) == [0, 2, 4], "equally many if the published one is the best"
    assert numbers(finalists([outcome(0, None), outcome(1, 0.2)])) == [0, 1], "short runs can err"
    refused = Outcome(short[0].trial, "refused", "too wide")
    assert numbers(finalists([refused, *short[1:]])) == [2, 4]
    tied = [outcome(0, 0.1), outcome(1, 0.40, 0.5), outcome(2, 0.41, 0.9), outcome(3, 0.405, 0.7)]
    assert numbers(finalists(tied)) == [0, 1, 3], "ties are broken as for the winner"


def test_only_a_confirmed_trial_wins(tmp_path):
    """A quarter of the budget can favour a configuration that loses with the whole budget."""
    short = [outcome(0, 0.0, budget=0.25), outcome(1, 0.30, budget=0.25)]
    made = [*short, outcome(0, 0.32), outcome(1, 0.08)]
    best = winners_among(made)["mine"]
    assert best is not None
    assert (best.trial.number, best.budget) == (0, 1.0)
    table = table_of(made, CRITERIA)
    assert list(table["budget"]) == [0.25, 0.25, 1.0, 1.0]
    assert list(table["winner"]) == [False, False, True, False]
    write_winners(made, tmp_path / "study.toml", "task", TERMS)
    assert winners(tmp_path / "study.toml")["mine"]["trial"] == 0
    assert winners_among(short) == {"mine": None}
