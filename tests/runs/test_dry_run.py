"""`run --dry-run` writes nothing, and its forecast follows the training budget."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from bench.cell.job import Job
from bench.plan.forecast import Forecast, forecast
from bench.plan.plan import Request, make_plan
from bench.utils.files.atomic import read_only, written_whole
from tests.helpers import TINY

from ..pictures import make_folder


def state_of(folder):
    """Return all files and folders below a folder with their sizes and times of change."""
    paths = [folder, *folder.rglob("*")]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


@pytest.fixture
def images(tmp_path):
    for at, domain in enumerate("ab"):
        make_folder(tmp_path / domain, 12, seed=at)
    return ("--task", "folder", "--a", tmp_path / "a", "--b", tmp_path / "b")


@pytest.mark.parametrize("task", ["avatars-glasses", "folder"])
def test_a_dry_run_makes_neither_results_nor_cache(task, inside, images, tmp_path):
    options = images if task == "folder" else ("--task", task)
    folders = ("--results", tmp_path / "results", "--cache-dir", tmp_path / "cache")
    done = inside("run", "--methods", "autoencoder", *TINY, *options, *folders, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "1 cell, " in done.stdout
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "cache").exists()


def test_a_dry_run_changes_nothing_in_folders_that_exist(inside, images, tmp_path):
    results, cache = tmp_path / "results", tmp_path / "cache"
    folders = ("--results", results, "--cache-dir", cache)
    arguments = ("run", "--methods", "ground-truth,copy-source", *TINY, *images, *folders)
    assert inside(*arguments, "--metrics", "fd_add").returncode in (0, 3)
    make_folder(tmp_path / "b", 14, seed=1)  # so that the index in the cache is out of date
    assert list(cache.glob("files-*.json"))
    before = state_of(results), state_of(cache)
    for existing in ("resume", "retry", "fresh"):
        done = inside(*arguments, "--existing", existing, "--dry-run")
        assert done.returncode == 0, done.stderr
    assert (state_of(results), state_of(cache)) == before


def test_no_file_is_written_within_read_only(tmp_path):
    with read_only(), pytest.raises(OSError, match=r"[Rr]ead-only"), written_whole(tmp_path / "x"):
        pass
    assert os.listdir(tmp_path) == []
    with written_whole(tmp_path / "x") as temporary:
        temporary.write_text("content")
    assert (tmp_path / "x").read_text() == "content"


def jobs_and_record(tmp_path):
    """Return a job of a budget of 10 and one of 40, and a record of the first."""
    cells = [
        make_plan(
            Request(
                methods=("autoencoder",),
                precision="fp32",
                device="cpu",
                settings=(f"profile.budget_tflops={budget}",),
            )
        ).cells[0]
        for budget in (10, 40)
    ]
    jobs = [Job(cell, "run", tmp_path, tmp_path, (), None, "") for cell in cells]
    timings = {"train": 50.0, "artefacts": 3.0, "score:x": 2.0}
    record = {"status": "ok", "identity": cells[0].identity, "facts": {"disk_mb": 3.0}}
    return jobs, record | {"finished": "2026-01-01", "timings": timings}


def test_the_forecast_scales_training_with_the_budget(tmp_path):
    (job, other), record = jobs_and_record(tmp_path)
    assert forecast(job, [record]) == Forecast(55.0, 3.0)
    assert forecast(other, [record]) == Forecast(205.0, 3.0, scaled=True)
    assert forecast(replace(other, todo="score"), [record]).seconds == 2.0


@pytest.mark.parametrize("change", [{"size": 64}, {"budget_tflops": "published"}])
def test_nothing_is_scaled_from_a_record_of_another_kind(change, tmp_path):
    (job, other), record = jobs_and_record(tmp_path)
    record["identity"] = record["identity"] | {"numbers": job.cell.numbers | change}
    assert forecast(other, [record]) == Forecast(None, None)
