"""The stopwatch reads both clocks, and the timer waits for a device that works asynchronously."""

from __future__ import annotations

from unittest import mock

from bench.cell import measure
from tests.simulated_gpu import timer_waits_for_gpu


def test_a_stopwatch_reads_both_clocks(monkeypatch):
    clocks = {"perf_counter": iter([10.0, 13.0]), "process_time": iter([1.0, 1.5])}
    for name, times in clocks.items():
        monkeypatch.setattr(measure.time, name, lambda times=times: next(times))
    with measure.Stopwatch() as watch:
        assert (watch.seconds, watch.cpu_seconds) == (0.0, 0.0)
    assert (watch.seconds, watch.cpu_seconds) == (3.0, 0.5)


def test_the_timer_waits_for_the_gpu():
    assert timer_waits_for_gpu()


def test_the_simulated_gpu_shows_a_timer_that_does_not_wait():
    with mock.patch.object(measure, "synchronize"):
        assert not timer_waits_for_gpu()
