"""A board with bold, ties, rank intervals, compared pairs, and published rows apart."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.board.board import boards
from bench.board.headline import headline
from bench.board.order import Order, rank_intervals
from bench.board.output.markdown import markdown
from bench.board.output.page import Page, page_of, print_pages
from bench.board.output.view import View
from bench.board.pairs import COLUMNS, csv_of_comparisons, place
from bench.contracts.metric import MetricInfo
from tests.helpers import board_record

SCORE = MetricInfo(id="score", unit="", better="higher", meaning="a score", orders=1, main=True,
                   digits=2, tolerance=0.01, bounds=(0, 1))  # fmt: skip
SPEED = MetricInfo(id="speed", unit="", better="higher", meaning="a rate", main=True,
                   kind="clocked", scale="log")  # fmt: skip
INFOS = {info.id: info for info in (SCORE, SPEED)}
MEANS = {"best": 0.8, "close": 0.79, "worse": 0.4, "paste": 0.85}


def records(n_seeds=4, n_items=50, seed=0, **more):
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.05, n_items)
    made = []
    for label, mean in MEANS.items():
        for at in range(n_seeds if label != "paste" else 1):
            items = mean + rng.normal(0, 0.02) + hard + rng.normal(0, 0.02, n_items)
            record = board_record(label, at, score=float(items.mean()), speed=100 * mean)
            record["metrics"]["score"]["items"] = [float(f"{item:.4g}") for item in items]
            made.append(record | more)
    return made


def board_of(made):
    (board,) = boards(made, known=INFOS)
    return board


def shown_in_terminal(board, color="standard", **view):
    file = io.StringIO()
    console = Console(file=file, width=160, force_terminal=True, color_system=color)
    page = Page.from_json(json.loads(json.dumps(page_of(board).as_json())))  # as from the cache
    print_pages(console, [page], View(**view))
    return file.getvalue()


def test_the_best_and_its_ties_are_bold():
    board = board_of(records())
    assert board.best["score"] == {"best", "close"}
    text = markdown([board])
    for label, bold in (("best", True), ("close", True), ("worse", False), ("paste", False)):
        (line,) = re.findall(rf"^\| \*?{label}\*? .*", text.split("<details>")[0], re.MULTILINE)
        assert ("| **0." in line) == bold, line
    assert "\x1b[1m0.8" in shown_in_terminal(board)
    assert re.search(r"\*: the best and all", shown_in_terminal(board, None))  # without styles
    assert re.search(r"best +1-2 +0\.\d\d\*", shown_in_terminal(board, None))


def test_pairs_are_a_matrix_and_in_the_terminal_a_list():
    board = board_of(records())
    text = markdown([board])
    assert text.count("Pairs of methods (row minus column in <code>score</code>)") == 1
    assert re.search(r"^\| 1\. best +\| +\| = 0\.0\d +\| \*\*0\.4\d\*\* \|$", text, re.MULTILINE)
    assert re.search(r"^\| 3\. worse +\| -0\.4\d +\| -0\.\d\d +\| +\|$", text, re.MULTILINE)
    shown = shown_in_terminal(board, None, wide=True)
    assert re.search(r"^  best - close: 0\.0\d \[.*\], p = 0\.\d+: tie$", shown, re.MULTILINE)
    assert re.search(r"^  best - worse: 0\.\d+ \[.*\], p < 0.001: best is", shown, re.MULTILINE)
    assert len(re.findall("^  [a-z]+ - [a-z]+: ", shown, re.MULTILINE)) == 3
    assert "p < 0.001:" not in shown_in_terminal(board, None)


def test_the_first_line_says_whether_the_lead_is_a_tie():
    made = records()
    for record in made:
        if record["label"] == "close":
            shift = -0.03 if record["identity"]["seed"] % 2 else 0.0
            record["metrics"]["score"]["value"] += shift
    said = headline(board_of([r for r in made if r["label"] != "paste"]), str)
    assert re.search(r"more than the tolerance of 0.01, but the two tie \(p = 0\.\d+ after", said)
    clear = headline(board_of([r for r in made if r["label"] in ("best", "worse")]), str)
    assert re.search(r"more than the tolerance of 0.01 \(p < 0.001 after Holm's corr", clear)


def test_one_method_and_old_records_without_items_have_no_bold():
    only = [record for record in records() if record["label"] in ("best", "paste")]
    assert board_of(only).best["score"] == set()
    old = records(n_seeds=1)
    for record in old:
        del record["metrics"]["score"]["items"]
    board = board_of(old)
    assert board.best["score"] == set()
    assert "Pairs of methods" not in markdown([board])
    assert "not tested" in csv_of_comparisons([board])
    assert board.places == {}


def test_one_seed_is_marked():
    board = board_of(records(n_seeds=1))
    text = markdown([board])
    seeds = r"\| best +\| 1-2 +\| 1 +\|"
    assert re.search(rf"{seeds} 0\.\d\d \[0\.00, 1\.00\]", text)  # clipped to its bounds
    assert board.places["worse"] == (3, 3)
    assert "1 seed: nothing is tested" in shown_in_terminal(board)
    assert "; 1 seed]: not tested: 1 seed" in shown_in_terminal(board, wide=True)
    assert board.differences["score"][0].n_seeds == 1


def test_one_seed_has_no_winner_and_no_bold():
    """Many items make a tiny error, and another training would still give another number."""
    board = board_of([r for r in records(n_seeds=1, n_items=1000) if r["label"] != "paste"])
    assert board.best["score"] == set()
    text = markdown([board])
    assert "**" not in text.split("<details>")[0]
    rows = re.findall(r"^\| \d\. \w+ .*", text, re.MULTILINE)
    assert len(rows) == 3
    assert not any("*" in row or "=" in row for row in rows)
    assert headline(board, str).endswith("(1 seed: not tested).")
    table = pd.read_csv(io.StringIO(csv_of_comparisons([board])))
    assert table["p"].isna().all()


def test_ranks_have_intervals():
    board = board_of(records())
    assert [place(board, label) for label in ("best", "close", "worse")] == ["1-2", "1-2", "3"]
    assert re.search(r"\| close +\| 1-2 +\| 4 ", markdown([board]))
    assert "1-2" in shown_in_terminal(board)
    assert board_of(records()).places == board.places
    assert board_of(records()[::-1]).places == board.places


@pytest.mark.parametrize(("better", "means"), [("lower", (1.0, 3.0)), ("near 1", (1.1, 0.5))])
def test_rank_intervals_follow_the_direction(better, means):
    rng = np.random.default_rng(0)
    values = {name: mean + rng.normal(0, 0.01, 3) for name, mean in zip("ab", means, strict=True)}
    entries = {
        name: {seed: {"value": v} for seed, v in enumerate(of)} for name, of in values.items()
    }
    order = Order("x", better, {name: of.mean() for name, of in values.items()}, {"a": 1, "b": 2})
    info = MetricInfo(id="x", unit="", better=better, meaning="x", scale="log")
    assert rank_intervals(order, entries, info) == {"a": (1, 1), "b": (2, 2)}
    entries["b"] = {9: {"value": 1.0}}  # no seed in common
    assert rank_intervals(order, entries, info) == {}


def test_the_csv_has_every_pair_of_every_main_metric():
    board = board_of(records())
    table = pd.read_csv(io.StringIO(csv_of_comparisons([board])))
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 6
    score = table[table["metric"] == "score"].set_index(["left", "right"])
    assert list(score["verdict"]) == ["tie", "left", "left"]
    for row in score.itertuples():
        assert row.lo <= row.difference <= row.hi
    assert set(table[table["metric"] == "speed"]["scale"]) == {"log ratio"}
    assert len(pd.read_csv(io.StringIO(csv_of_comparisons([])))) == 0


def test_a_name_in_the_csv_of_pairs_is_no_formula():
    made = [board_record(label, at, score=0.1 * at) for label in ("=1+1", "m") for at in range(2)]
    assert "'=1+1" in csv_of_comparisons([board_of(made)])


def test_rates_of_several_machines_are_not_compared():
    made = records()
    assert "speed" in board_of(made).differences
    for record in made:
        record |= {"facts": {"steps": 3}, "environment": {"cpu": record["label"], "torch": "2"}}
    assert set(board_of(made).differences) == {"score"}


def both_configurations():
    tuned = records(configuration="tuned", study="faces-small")
    published = records(configuration="published", study="", seed=1)
    for record in published:
        record["identity"] = record["identity"] | {"config": {"width": 64}}
    return [*tuned, *(one for one in published if one["label"] != "paste")]


def test_published_configurations_stand_apart():
    board = board_of(both_configurations())
    assert board.methods == ["best", "close", "worse"]
    assert board.published == ["best (published)", "close (published)", "worse (published)"]
    assert not board.ordering.ranks.keys() & set(board.published)
    assert len(board.differences["score"]) == 3
    text = markdown([board])
    assert text.index("| worse ") < text.index("| *best (published)*") < text.index("| *paste*")
    shown = shown_in_terminal(board, None)
    assert re.search(r"worse +3 +0.*\n\W+\nbest +publ\. +0", shown)  # below a rule
    assert re.search(r"worse +publ\. +0.*\n\W+\npaste +floor +0", shown)
    anchor = board_record("oracle-decoder", score=0.9) | {"configuration": "published"}
    board = board_of([*both_configurations(), anchor])
    assert "oracle-decoder (published)" in board.anchors
    assert len(board.order) == len(set(board.order))
    alone = [one for one in both_configurations() if one["configuration"] == "published"]
    board = board_of(alone)
    assert (board.methods, board.published) == (["best", "close", "worse"], [])


def test_a_published_configuration_that_won_its_study_keeps_its_rank():
    made = both_configurations()
    for record in made:
        if record["configuration"] == "tuned" and record["label"] == "best":
            record["configuration"] = "both"
    made = [one for one in made if (one["label"], one["configuration"]) != ("best", "published")]
    board = board_of(made)
    assert board.methods == ["best", "close", "worse"]
    assert board.published == ["close (published)", "worse (published)"]
    assert "the published configuration, which won the study faces-small" in markdown([board])


def test_a_method_without_a_study_is_ranked_and_says_so():
    made = both_configurations()
    made = [one for one in made if (one["label"], one["configuration"]) != ("close", "published")]
    for record in made:
        if record["label"] == "close":
            record |= {"configuration": "no study", "study": ""}
    board = board_of(made)
    assert board.methods == ["best", "close", "worse"]
    assert board.published == ["best (published)", "worse (published)"]
    assert board.notes["close"] == "no study: the published configuration"
    alone = [one for one in made if one["label"] == "close"]
    assert board_of(alone).notes == {"close": ""}, "there is nothing to compare it with"


def test_configurations_set_by_hand_count_as_tuned():
    made = both_configurations()
    for record in made:
        if record["configuration"] == "tuned":
            record["configuration"] = "hand-set"
    assert len(board_of(made).published) == 3


def test_a_configuration_of_another_study_is_named():
    made = records(configuration="tuned", study="avatars-small")
    said = (
        "`best`, `close`, `paste` and `worse` use the configuration of the study `avatars-small`."
    )
    assert said in markdown([board_of(made)])
    assert said in shown_in_terminal(board_of(made), None)
    made = records(configuration="tuned", study="faces-small/best")
    said = "use the configuration of `best` in the study `faces-small`."
    assert said in markdown([board_of(made)]), "also if the study is that of the board"
    own = records(configuration="tuned", study="faces-small")
    assert "of the study" not in markdown([board_of(own)])


def test_values_of_two_extractors_are_not_compared():
    made = records()
    for record in made:
        record["metrics"]["score"]["extractor"] = "a@1" if record["label"] == "best" else "b@1"
    board = board_of(made)
    assert [(one.left, one.right) for one in board.differences["score [b@1]"]] == [
        ("close", "worse")
    ]
    assert json.dumps(sorted(board.best)) == '["score [a@1]", "score [b@1]", "speed"]'
