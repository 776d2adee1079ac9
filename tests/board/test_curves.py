"""Curves on a board: their rows, their table, and from when on the order did not change."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.board.board import boards
from bench.board.curves import curve_rows, fraction, settled
from bench.board.evidence import change_over_the_training
from bench.board.frame import frame
from bench.board.output.markdown import markdown
from bench.contracts.metric import MetricInfo
from tests.helpers import board_record, table_cells


def with_curve(label, *values, seed=0, version=1):
    """Return a record whose `transfer` has values at 1/4, 1/2 and the end of the training."""
    record = board_record(label, seed=seed, transfer=values[-1])
    record["metrics"]["transfer"]["better"] = "higher"
    record["curve"] = [
        {
            "budget": budget, "steps": 1, "images": 1, "flops": 1, "cpu_seconds": 1.0,
            "metrics": {"transfer": {"value": value, "version": version}},
        }
        for budget, value in zip((0.25, 0.5, 1.0), values, strict=True)
    ]  # fmt: skip
    return record


def said(*records):
    (board,) = boards(records)
    return change_over_the_training(board, str)


def test_rows_are_means_over_the_seeds_that_have_the_point():
    records = [
        with_curve("m", 0.1, 0.2, 0.5, seed=0),
        with_curve("m", 0.3, None, 0.7, seed=1),
    ]
    rows = curve_rows(records).set_index("budget")
    assert list(rows.index) == [0.25, 0.5]
    assert rows.loc[0.25, "value"] == pytest.approx(0.2)
    assert rows.loc[0.25, "lo"] < 0.2 < rows.loc[0.25, "hi"]
    assert rows.loc[0.5, "value"] == 0.2
    assert math.isnan(rows.loc[0.5, "lo"])
    assert list(rows["n_seeds"]) == [2, 1]
    assert set(frame(records)["budget"]) == {1.0}
    assert list(curve_rows(records).columns) == list(frame(records).columns)


def test_a_point_of_an_older_version_of_a_metric_is_left_out():
    assert len(curve_rows([with_curve("m", 0.1, 0.2, 0.5, version=0)])) == 0


def test_a_record_without_a_curve_has_no_rows_and_no_table():
    record = board_record("m", transfer=0.5)
    assert len(curve_rows([record])) == 0
    assert "over the training" not in markdown(boards([record]))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0.2, 0.3, 0.5), (0.1, 0.2, 0.4), "From 1/4 of the training on, the order of the"),
        ((0.1, 0.3, 0.5), (0.2, 0.2, 0.4), "From 1/2 of the training on, the order of the"),
        ((0.1, 0.1, 0.5), (0.2, 0.2, 0.4), "Between 1/2 of the training and its end, the order"),
        ((0.3, 0.1, 0.5), (0.2, 0.2, 0.4), "Between 1/2 of the training and its end, the order"),
        ((0.2, 0.2, 0.5), (0.1, None, 0.4), "Between 1/2 of the training and its end, the order"),
    ],
)
def test_a_board_says_from_when_on_its_order_did_not_change(one, other, expected):
    (line,) = said(with_curve("one", *one), with_curve("other", *other))
    assert line.startswith(expected)
    assert "(points at 1/4, 1/2, 1; two methods that end within" in line


def test_a_board_says_how_many_methods_have_a_curve():
    pair = [with_curve("one", 0.2, 0.3, 0.5), with_curve("other", 0.1, 0.2, 0.4)]
    assert "(2 have a curve)" in said(*pair, board_record("third", transfer=0.1))[0]
    assert "have a curve" not in said(*pair)[0]


def test_one_method_with_a_curve_has_no_order():
    assert said(with_curve("one", 0.2, 0.3, 0.5), board_record("other", transfer=0.1)) == []


def test_the_leaderboard_has_a_table_of_the_ordering_number():
    text = markdown(boards([with_curve("one", 0.2, 0.3, 0.5), with_curve("two", 0.1, None, 0.4)]))
    lines = [line for line in text.partition("Further numbers")[2].splitlines() if "|" in line][:4]
    assert [table_cells(line)[-4:] for line in (lines[0], *lines[2:])] == [
        ["**transfer over the training**", "1/4", "1/2", "1"],
        ["one", "0.200", "0.300", "0.500"],
        ["two", "0.100", "-", "0.400"],
    ]


def test_methods_that_tie_at_the_end_have_no_order():
    curve = {0.5: {"a": 1.0, "b": 2.0, "c": 3.0}, 1.0: {"a": 2.005, "b": 2.0, "c": 3.0}}
    info = MetricInfo(id="x", unit="", better="higher", meaning="x", tolerance=0.01)
    assert settled(curve, info) == 0.5
    assert settled(curve, replace(info, tolerance=0.001)) == 1.0


def test_lower_numbers_can_be_better():
    curve = {0.5: {"a": 1.0, "b": 2.0}, 1.0: {"a": 1.0, "b": 3.0}}
    assert settled(curve, MetricInfo(id="x", unit="", better="lower", meaning="x")) == 0.5
    assert fraction(1 / 16) == "1/16"


def test_a_curve_of_an_older_version_is_left_out_and_named():
    made = [with_curve(name, 0.1, 0.2, end) for name, end in (("one", 0.5), ("two", 0.4))]
    made += [with_curve("third", 0.0, 0.1, 0.3)]
    for record in made:
        record["metrics"]["transfer"]["version"] = 2
    for record in made[1:]:
        for point in record["curve"]:
            point["metrics"]["transfer"]["version"] = 2
    first, order = said(*made)
    assert first.startswith("The curve of one was measured by another version of transfer")
    assert "(2 have a curve)" in order
