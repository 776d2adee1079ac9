"""The stopwatch tells the wall clock from the CPU's."""

from __future__ import annotations

from bench.cell import measure


def test_a_stopwatch_reads_both_clocks(monkeypatch):
    clocks = {"perf_counter": iter([10.0, 13.0]), "process_time": iter([1.0, 1.5])}
    for name, times in clocks.items():
        monkeypatch.setattr(measure.time, name, lambda times=times: next(times))
    with measure.Stopwatch() as watch:
        assert (watch.seconds, watch.cpu_seconds) == (0.0, 0.0)
    assert (watch.seconds, watch.cpu_seconds) == (3.0, 0.5)
