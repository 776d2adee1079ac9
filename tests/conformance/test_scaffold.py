"""`bench new` writes files that run and pass `bench verify` as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.conformance.scaffold import class_name, write_new
from bench.contracts.registry import Registry
from bench.utils.errors import UserError
from tests.helpers import TINY

KINDS = ("method", "metric", "task")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_what_new_writes_passes_verify(kind, here, inside):
    done = inside("new", kind, "mine")
    assert done.returncode == 0, done.stderr
    assert "wrote mine.py" in done.stdout
    found = inside("verify", "mine.py")
    assert found.returncode == 0, found.stdout
    *lines, last = found.stdout.splitlines()
    assert all(line.startswith("  passed ") for line in lines)
    assert last.startswith(f"{kind} mine: {len(lines)} passed in ")


RUNS = {
    "method": ("--methods", "mine,copy-source", "--metrics", "reconstruction,counterfactual"),
    "metric": ("--methods", "copy-source", "--metrics", "mine"),
    "task": ("--methods", "copy-source", "--task", "mine", "--metrics", "counterfactual"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_new_writes_runs(kind, here, inside):
    write_new(kind, "mine", here)
    done = inside("run", "--plugin", "mine.py", *RUNS[kind], *TINY, "--results", here / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


def test_its_own_test_passes_and_fails(here):
    path = write_new("task", "mine", here)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here)
    assert "1 passed" in done.stdout, done.stdout
    path.write_text(path.read_text().replace('uniform("gray", *role)', "0"))
    path.write_text(path.read_text().replace('uniform("blue", *role)', "0"))
    done = subprocess.run(command, capture_output=True, text=True, cwd=here)
    assert done.returncode == 1
    assert "mine: disjoint: train and val share" in done.stdout


@pytest.mark.parametrize("name", ["mine", "content-flow", "drit++2", "7up", "Method", "a_b"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_valid_name_gives_a_plugin_of_that_name(kind, name, here):
    path = write_new(kind, name, here)
    found = Registry([path]).find(kind, name)
    assert found.class_name == class_name(kind, name)
    assert found.load().name == name
    assert f"my_{kind}" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("method", "press2019", "there is a method 'press2019' already"),
        ("method", "all", "there is a method 'all' already"),
        ("method", "copy-source", "there is a method 'copy-source' already"),
        ("metric", "cf_rank_add", "there is a metric 'cf_rank_add' already"),
        ("task", "digits", "there is a task 'digits' already"),
        ("method", "a b", "cannot be the name of a method"),
        ("method", "../mine", "cannot be the name of a method"),
        ("method", "torch", "would hide the Python module 'torch'"),
        ("task", "random", "would hide the Python module 'random'"),
        ("method", "bench", "would hide the Python module 'bench'"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(kind, name, reason, here):
    with pytest.raises(UserError) as refused:
        write_new(kind, name, here)
    assert reason in str(refused.value)
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten(here, inside):
    (here / "mine.py").write_text("precious")
    done = inside("new", "method", "mine")
    assert done.returncode == 2
    assert "mine.py exists already" in done.stderr
    assert (here / "mine.py").read_text() == "precious"
