"""The first line of a run: how long it will take, and what is quicker."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.cell.job import Job
from bench.plan.forecast import Forecast
from bench.plan.plan import Request, make_plan
from bench.runs import forecast_table

SECONDS = {"autoencoder": 240.0, "mask2020": 600.0}


def jobs(profile="small", todo="run"):
    request = Request(methods=tuple(SECONDS), profile=profile, precision="fp32", device="cpu")
    cells = make_plan(request).cells
    return [Job(cell, todo, Path("nowhere"), Path("nowhere"), (), None, "") for cell in cells]


def line(of, monkeypatch, seconds=SECONDS):
    monkeypatch.setattr(
        forecast_table, "forecast", lambda job, _: Forecast(seconds[job.cell.method], 10.0)
    )
    console = Console(file=io.StringIO(), width=200)
    forecast_table.say_duration(console, of, 2)
    return console.file.getvalue().strip()


def test_a_long_run_says_what_is_quicker(monkeypatch):
    said = line(jobs(), monkeypatch)
    assert said.startswith("2 cells, 2 at a time: about 10.0 minutes and 20 MB. Quicker: ")
    assert "`--methods core` (about 4 minutes)" in said
    assert "`--profile smoke`" in said


@pytest.mark.parametrize(
    ("of", "seconds"),
    [
        (jobs(), dict.fromkeys(SECONDS, 60.0)),  # it is short
        (jobs("smoke")[:1], SECONDS | {"autoencoder": 600.0}),  # nothing is quicker
        (jobs(todo="score"), SECONDS),  # nothing is trained
    ],
)
def test_other_runs_say_no_more_than_their_duration(of, seconds, monkeypatch):
    said = line(of, monkeypatch, seconds)
    assert "about" in said
    assert "Quicker" not in said


def test_a_forecast_prefers_the_same_configuration():
    from bench.plan.forecast import forecast

    (job, *_) = jobs()
    other = replace(job.cell, config=job.cell.config | {"learning_rate": 1.0})
    same, newer = (
        {"status": "ok", "identity": cell.identity, "facts": {}, "finished": day}
        | {"timings": {"train": seconds}}
        for cell, day, seconds in ((job.cell, "2026-01-01", 5.0), (other, "2026-01-02", 50.0))
    )
    assert forecast(job, [same, newer]).seconds == 5
    assert forecast(job, [newer]).seconds == 50
