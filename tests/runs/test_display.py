"""Progress bars show names as they are."""

from __future__ import annotations

from types import SimpleNamespace

from rich.console import Console

import bench.runs.display


def test_bars_show_names_as_they_are(capfd):
    """Case 24: in a terminal too, where bars move."""
    console = Console(force_terminal=True, width=100, no_color=True)
    cell = SimpleNamespace(id="1", label="mine[x=:key:]", task="t", profile="smoke", seed=0)
    job = SimpleNamespace(cell=cell)
    with bench.runs.display.display(console, 1) as shown:
        shown.started(job)
        shown.progressed(job, "[red]stage", None)
    assert "mine[x=:key:] s0" in capfd.readouterr().out
