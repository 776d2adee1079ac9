"""Disk space that is given back, and what must never be."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

import pytest
from filelock import FileLock

from tests.helpers import ROOT, TINY

COMMITTED = ROOT / "results" / "records"
GOOD = next(path.stem for path in COMMITTED.glob("press2019*"))
BAD = next(path.stem for path in COMMITTED.glob("ufdn*"))
LATER = 120.0
IN_A_RUN = ("training.json", "weights.safetensors", "artefacts.json", "artefacts.safetensors")

LEFT_OVER = {
    "leaderboard.csvab.tmp",
    f"records/{GOOD}.jsonab.tmp",
    f"runs/{GOOD}/weights.9.tmp",
    f"locks/{GOOD}.lock",
}


def age(folder):
    """Make everything in a folder two minutes old."""
    then = time.time() - LATER
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (then, then))


@pytest.fixture
def results(tmp_path):
    """A finished cell, one that failed, one that never ended, and what was left over."""
    root = tmp_path / "results"
    for folder in ("records", "grids", "locks", *(f"runs/{x}" for x in (GOOD, BAD, "unended"))):
        (root / folder).mkdir(parents=True)
    for stem in (GOOD, BAD):
        shutil.copy(COMMITTED / f"{stem}.json", root / "records")
    failed = root / "records" / f"{BAD}.json"
    record = json.loads(failed.read_text())
    record.pop("seal", None)
    failed.write_text(json.dumps(record | {"status": "failed"}))
    for run in (root / "runs").iterdir():
        for name in (*IN_A_RUN, "log.txt"):
            (run / name).write_text("x" * 1000)
    for file in ("leaderboard.csv", "leaderboard.md", f"grids/{GOOD}.png", "my-notes.txt"):
        (root / file).write_text("precious")
    for file in LEFT_OVER:
        (root / file).write_text("")
    (root / "runs" / f"{GOOD}.9.new.tmp").mkdir()
    age(root)
    return root


@pytest.fixture
def tasks(tmp_path):
    """A cache with a task, what belongs to it, and a file that is none of ours."""
    root = tmp_path / "tasks"
    root.mkdir()
    for name in ("faces-32px-0123456789abcdef.safetensors", "my-model.safetensors", "a.9.tmp"):
        (root / name).write_text("x" * 5000)
    (root / "faces-32px-0123456789abcdef.safetensors.lock").write_text("")
    age(root)
    return root


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def of(run, *names):
    return {f"runs/{run}/{name}" for name in names}


CHOICES = {
    (): set(),
    ("--weights",): of(GOOD, "training.json", "weights.safetensors"),
    ("--artefacts",): of(GOOD, "artefacts.json", "artefacts.safetensors"),
    ("--unfinished",): of(BAD, *IN_A_RUN) | of("unended", *IN_A_RUN, "log.txt"),
    ("--weights", "--artefacts", "--unfinished"): of(GOOD, *IN_A_RUN)
    | of(BAD, *IN_A_RUN)
    | of("unended", *IN_A_RUN, "log.txt"),
}


@pytest.mark.parametrize("options", CHOICES)
def test_what_is_chosen_goes_and_nothing_else(options, inside, results, tasks):
    before, cached = tree(results), tree(tasks)
    arguments = ("clean", "--results", results, "--cache-dir", tasks, *options)
    said = inside(*arguments)
    assert said.returncode == 0
    assert "with --yes" in said.stdout
    assert tree(results) == before
    assert tree(tasks) == cached
    done = inside(*arguments, "--yes")
    assert done.returncode == 0, done.stderr
    assert before - tree(results) == LEFT_OVER | CHOICES[options]
    assert not (results / "runs" / f"{GOOD}.9.new.tmp").exists()
    assert cached - tree(tasks) == {"a.9.tmp", "faces-32px-0123456789abcdef.safetensors.lock"}
    assert "nothing to remove" in inside(*arguments, "--yes").stdout


def test_the_cache_goes_when_asked_and_foreign_files_never(inside, results, tasks):
    done = inside("clean", "--results", results, "--cache-dir", tasks, "--cache", "--yes")
    assert done.returncode == 0
    assert tree(tasks) == {"my-model.safetensors"}
    assert (results / "runs" / GOOD / "weights.safetensors").exists()


def test_sizes_add_up(inside, results, tasks):
    big = results / "runs" / GOOD / "weights.safetensors"
    big.write_bytes(b"x" * 3_000_000)
    age(results)
    arguments = ("clean", "--results", results, "--cache-dir", tasks)
    assert "total to remove: 0.0 MB" in inside(*arguments).stdout
    assert "stays without --weights" in inside(*arguments).stdout
    assert "total to remove: 3.0 MB" in inside(*arguments, "--weights").stdout


ALL = ("--weights", "--artefacts", "--unfinished", "--cache", "--yes")


@pytest.mark.parametrize("why", ["young", "future", "locked", "open"])
def test_what_a_run_may_need_stays(why, inside, results, tasks):
    """One file changed a moment ago, or a clock set back, or a lock held, or a log that is open."""
    run = results / "runs" / "unended"
    shift = {"young": -5.0, "future": 3600.0}.get(why)
    if shift is not None:
        os.utime(run / "log.txt", (time.time() + shift,) * 2)
    lock = FileLock(results / "locks" / "unended.lock")
    if why == "locked":
        lock.acquire()
        age(results)
    with (run / "log.txt").open() as log:
        if why != "open":
            log.close()
        done = inside("clean", "--results", results, "--cache-dir", tasks, *ALL)
    assert done.returncode == 0
    assert "left alone, in use or changed in the last minute" in done.stdout
    assert {path.name for path in run.iterdir()} == {*IN_A_RUN, "log.txt"}
    assert (results / "locks" / "unended.lock").exists() == (why == "locked")
    lock.release()
    assert not (results / "runs" / GOOD / "weights.safetensors").exists()


def test_it_asks_in_a_terminal_and_looks_again_after_the_answer(
    inside, results, tasks, monkeypatch
):
    arguments = ("clean", "--results", results, "--cache-dir", tasks, "--weights")
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    weights = results / "runs" / GOOD / "weights.safetensors"
    for answer in ("", "n", "no"):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert inside(*arguments).returncode == 0
        assert weights.exists()

    def in_the_meantime(_):
        weights.touch()
        return "y"

    monkeypatch.setattr("builtins.input", in_the_meantime)
    assert "removed" in inside(*arguments).stdout
    assert weights.exists()
    age(results)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    inside(*arguments)
    assert not weights.exists()


def test_a_cleaned_folder_still_serves(inside, tmp_path):
    """Without weights a cell is scored; without artefacts it says how it can be made again."""
    results = tmp_path / "r"
    arguments = ("run", "--methods", "autoencoder", *TINY, "--results", results)
    assert inside(*arguments, "--metrics", "rec_l1_a").returncode == 0
    age(results)
    # the cache of the tests stays out of it
    clean = ("clean", "--results", results, "--cache-dir", tmp_path / "none", "--yes")
    assert inside(*clean, "--weights").returncode == 0
    assert not list(results.rglob("weights*"))
    assert inside("score", "--metrics", "rec_l1_b", "--results", results).returncode == 0
    age(results)
    assert inside(*clean, "--artefacts").returncode == 0
    score = inside("score", "--metrics", "rec_psnr_a", "--results", results)
    assert score.returncode == 3
    assert "its artefacts are missing or damaged" in score.stdout
    assert inside("leaderboard", "--results", results).returncode == 0


def test_a_folder_that_holds_no_results_is_refused(inside, tmp_path):
    (tmp_path / "precious.tmp").write_text("")
    done = inside("clean", "--results", tmp_path, "--yes")
    assert done.returncode == 2
    assert "is not a results folder" in done.stderr
    assert (tmp_path / "precious.tmp").exists()
