"""A run says how many cells are done, and when the whole ends."""

from __future__ import annotations

import pytest

from bench.runs.time_left import TimeLeft, duration


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_forecasts_are_scaled_by_what_cells_took():
    clock = Clock()
    run = TimeLeft({"a": 10.0, "b": 10.0, "c": 20.0}, clock)
    assert run.line() == "0 of 3 cells, about 0:40 left"
    run.start("a")
    clock.now = 4.0
    assert run.seconds() == pytest.approx(36)
    clock.now = 20.0  # it takes longer than forecast
    assert run.line() == "0 of 3 cells"
    run.end("a", True, 20.0)
    assert run.line() == "1 of 3 cells, about 1:00 left"
    run.start("b")
    run.end("b", False, 20.0)
    run.start("c")
    run.end("c", True, 40.0)
    assert run.line() == "3 of 3 cells, 1 failed"
    assert run.seconds() == 0


def test_cells_that_run_at_once_share_the_time_and_the_longest_counts():
    run = TimeLeft({"a": 10.0, "b": 10.0, "c": 50.0}, Clock())
    run.start("a")
    run.start("b")
    assert run.seconds() == 50
    longer = TimeLeft(dict.fromkeys("abcd", 10.0), Clock())
    longer.start("a")
    longer.start("b")
    assert longer.seconds() == 20


def test_without_a_forecast_nothing_is_said_until_a_cell_ended():
    run = TimeLeft({"a": None, "b": None}, Clock())
    run.start("a")
    assert run.line() == "0 of 2 cells"
    run.end("a", True, 30.0)
    assert run.line() == "1 of 2 cells, about 0:30 left"


def test_a_training_ends_not_before_its_last_step():
    clock = Clock()
    run = TimeLeft({"a": None}, clock)
    run.start("a")
    assert run.seconds() is None
    run.train("a", 60.0)
    clock.now = 10.0
    assert run.line() == "0 of 1 cells, about 0:50 left"
    run.train("a", 30.0)
    assert run.seconds() == pytest.approx(30)


def test_durations():
    assert [duration(s) for s in (0.4, 59.6, 61, 3723)] == ["0:00", "1:00", "1:01", "1:02:03"]
