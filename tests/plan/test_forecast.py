"""Forecasts of time and disk space."""

from __future__ import annotations

import json
from pathlib import Path

from bench.cell.job import Job
from bench.contracts.task import DataSizes
from bench.plan.forecast import assumed_megabytes, forecast, task_megabytes
from bench.plan.plan import Request, make_plan
from tests.helpers import TINY


def test_forecast_goes_by_the_last_record_of_the_same_cell():
    cell = make_plan(Request(methods=("autoencoder",), precision="fp32")).cells[0]
    job = Job(cell, "run", Path(), Path(), (), None, "")
    record = {"status": "ok", "identity": cell.identity, "facts": {"disk_mb": 3.0}}
    older = record | {"finished": "2026-01-01", "timings": {"train": 5.0, "score:x": 1.0}}
    newer = record | {"finished": "2026-01-02", "timings": {"train": 50.0, "score:x": 10.0}}
    assert forecast(job, [newer, older]).seconds == 60
    assert forecast(job, [newer, older]).megabytes == 3
    assert forecast(job, []).seconds is None
    old = {key: value for key, value in cell.identity.items() if key != "protocol"}
    assert forecast(job, [newer | {"identity": old}]).seconds is None


def test_what_is_needed_follows_from_the_sizes():
    sizes = DataSizes(size=32, train=8192, probe=1024, test=512)
    assert task_megabytes(sizes) == (2 * (8192 + 1024 + 512) + 3 * 512) * 3 * 32 * 32 / 1e6
    # the largest run folder of the committed records, a method with large maps, is 82 MB
    assert 82 < assumed_megabytes(sizes) < 164
    assert assumed_megabytes(DataSizes(64, 8192, 1024, 512)) > 2 * assumed_megabytes(sizes)


def test_the_forecast_is_what_an_earlier_record_says(inside, tmp_path):
    arguments = ("run", "--methods", "autoencoder", *TINY, "--metrics", "rec_l1_a")
    assert inside(*arguments, "--results", tmp_path / "r").returncode == 0
    (path,) = (tmp_path / "r" / "records").iterdir()
    record = json.loads(path.read_text())
    record["facts"]["disk_mb"] = 1e9
    path.write_text(json.dumps({key: value for key, value in record.items() if key != "seal"}))
    done = inside(*arguments, "--results", tmp_path / "r", "--seeds", "1")
    assert done.returncode == 2
    assert "needs about 1000000256 MB (1 cell 1000000000 MB, 256 MB in reserve)" in done.stderr
