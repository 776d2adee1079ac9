"""Progress bars show names as they are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rich.console import Console

import bench.runs.display


def test_bars_show_names_as_they_are(capfd):
    """Case 24: in a terminal too, where bars move."""
    console = Console(force_terminal=True, width=100, no_color=True)
    cell = SimpleNamespace(id="1", label="mine[x=:key:]", task="t", profile="smoke", seed=0)
    job = SimpleNamespace(cell=cell)
    with bench.runs.display.display(console, {"1": 30.0}) as shown:
        shown.started(job)
        shown.progressed(job, "[red]stage", None)
    assert "mine[x=:key:] s0" in capfd.readouterr().out


@pytest.mark.parametrize("terminal", [True, False])
def test_the_whole_run_has_a_line(terminal, capfd):
    console = Console(force_terminal=terminal, width=120, no_color=True)
    cells = [SimpleNamespace(id=name, label=name, task="t", profile="smoke", seed=0)
             for name in "ab"]  # fmt: skip
    with bench.runs.display.display(console, {"a": 30.0, "b": 90.0}) as shown:
        shown.started(SimpleNamespace(cell=cells[0]))
        shown.ended(SimpleNamespace(cell=cells[0]), "failed", "it broke", 10.0)
    said = capfd.readouterr().out
    assert "[1/2] failed a on t, smoke, seed 0 (10 s, about 0:30 left): it broke" in said
    assert ("1 of 2 cells, about 0:30 left, 1 failed" in said) == terminal
