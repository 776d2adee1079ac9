"""The stopwatch reads both clocks, and the timer waits for a device that works asynchronously."""

from __future__ import annotations

import resource
import sys
from unittest import mock

import pytest
import torch

import bench.cell.measure
from bench.cell import measure
from bench.cell.measure import PeakMemory, most_ever_held
from bench.contracts.metric import Artefacts
from tests.helpers import family
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


@pytest.mark.parametrize(
    ("platform", "told", "megabytes"),
    [
        ("linux", 300 * 2**10, 300),
        ("darwin", 300 * 2**20, 300),
        ("freebsd14", 5 * 2**10, 5),
        ("darwin", 2**19, 0.5),
    ],
)
def test_memory_is_counted_in_the_unit_of_the_platform(platform, told, megabytes, monkeypatch):
    """Case 8: macOS tells bytes, the others KiB."""
    usage = type("Usage", (), {"ru_maxrss": told})
    monkeypatch.setattr(resource, "getrusage", lambda _: usage)
    assert most_ever_held(platform) == megabytes


@pytest.mark.parametrize("status", [None, "Name:\tpython\nVmRSS:\t  1024 kB\n"])
def test_memory_where_linux_tells_no_peak(status, monkeypatch, tmp_path):
    """Case 8: no /proc at all, and one (of a sandbox) that knows no high-water mark."""
    monkeypatch.setattr(bench.cell.measure, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(bench.cell.measure, "_CLEAR", tmp_path / "clear_refs")
    monkeypatch.setattr(bench.cell.measure, "most_ever_held", lambda: 7.0)
    if status:
        (tmp_path / "status").write_text(status)
        (tmp_path / "clear_refs").write_text("")
    with PeakMemory(torch.device("cpu")) as memory:
        pass
    assert memory.megabytes == 7


def test_memory_without_the_module_resource(monkeypatch, tmp_path, faces, settings):
    """Case 30: on Windows the number is not there, with a reason."""
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(bench.cell.measure, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(bench.cell.measure, "_CLEAR", tmp_path / "none")
    with PeakMemory(torch.device("cpu")) as memory:
        pass
    assert memory.megabytes is None
    made = Artefacts({}, {"training": {"peak_memory_mb": memory.megabytes}})
    result = family("cost").score(["peak_memory_mb"], made, faces, settings)["peak_memory_mb"]
    assert (result.status, result.reason) == ("unavailable", "not measured on this system")
