"""The engine ray: the numbers of the others, workers that are lost, and machines without Ray."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from bench.cell.job import Job
from bench.plan.plan import Request, make_plan
from bench.tasks.cache import prepare, read
from bench.utils.errors import UserError
from tests.helpers import (
    FAST,
    LITTLE_METHOD,
    TINY,
    folder_task,
    little,
    little_arguments,
    numbers,
    rows,
)

RAY = ("--engine", "ray", "--jobs", "2")
DIES_ONCE = (
    "mark = pathlib.Path('MARK')\n"
    "        if self.taken == 3 and not mark.exists():\n"
    "            mark.touch()\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n"
    "        if mark.exists():\n"
    "            with open(mark, 'a') as file:\n"
    "                file.write('a step\\n')"
)
DIES = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("verb", ["run", "score"])
def test_without_ray_one_line_says_what_to_install(verb, tmp_path, monkeypatch, capfd):
    from bench.__main__ import main

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("CONTENTBENCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--engine", "ray", "--results", str(tmp_path / "results")])
    assert stopped.value.code == 2
    said = capfd.readouterr()
    assert said.err == "error: --engine ray needs Ray: pip install 'contentbench[ray]'\n"
    assert not list(tmp_path.iterdir())


def test_an_address_where_nothing_answers_is_one_line(monkeypatch):
    pytest.importorskip("ray")
    from bench.runs.engines.ray_cluster import connected
    from bench.utils.errors import UserError

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match="no Ray cluster at RAY_ADDRESS"):
        connected([], 1).__enter__()


@pytest.fixture(scope="module")
def peaceful(cache, tmp_path_factory):
    """A method of a plug-in and an anchor under the engine of processes."""
    folder = tmp_path_factory.mktemp("peaceful")
    words = little_arguments(folder, little(folder), "--methods", "copy-source")
    command = [sys.executable, "-m", "bench", *map(str, words), "--cache-dir", str(cache)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def _record(folder, name):
    (path,) = (folder / "results" / "records").glob(f"{name}-*.json")
    return json.loads(path.read_text())


@pytest.mark.slow
def test_the_numbers_are_those_of_processes_also_after_a_kill(peaceful, bench, tmp_path):
    """Killed in its third step, the worker's successor goes on from the second."""
    pytest.importorskip("ray")
    mark = tmp_path / "died"
    plugin = little(tmp_path, DIES_ONCE.replace("MARK", str(mark)))
    done = bench(*little_arguments(tmp_path, plugin, "--methods", "copy-source"), *RAY)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = _record(tmp_path, "little")["facts"]["steps"]
    assert len(mark.read_text().splitlines()) == steps - 2 + 1  # FLOPs are counted in one
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")
    assert numbers(tmp_path / "results").keys() >= {("little", "rec_l1_a")}
    (run,) = (peaceful / "results" / "runs").glob("little-*")
    there = tmp_path / "results" / "runs" / run.name
    assert {path.name for path in there.iterdir()} == {path.name for path in run.iterdir()}


@pytest.mark.slow
def test_scoring_takes_what_the_cell_left(peaceful, bench, tmp_path):
    """It is scored where there is nothing but what is sent, and trained no second time."""
    pytest.importorskip("ray")
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    weights = next((tmp_path / "results" / "runs").glob("little-*")) / "weights.safetensors"
    weights.unlink()
    done = bench(
        "score", "--results", tmp_path / "results", "--plugin", tmp_path / "little.py",
        "--metrics", "counterfactual,reconstruction", "--existing", "fresh", *RAY,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not weights.exists()
    assert _record(tmp_path, "little")["finished"] != ""
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


@pytest.mark.slow
def test_cells_that_cannot_be_done_are_rows(bench, tmp_path):
    """One whose worker always dies, one that hangs, one that raises; the others finish."""
    pytest.importorskip("ray")
    plugins = []
    ends = {"dies": DIES, "hangs": "import time; time.sleep(1000)", "raises": "raise OSError('no')"}
    for name, how in ends.items():
        path = tmp_path / f"{name}.py"
        text = LITTLE_METHOD.replace("HOW", how).replace('"little"', f'"{name}"')
        path.write_text(text.replace("class Little", f"class {name.title()}"))
        plugins += ["--plugin", path]
    done = bench(
        "run", "--methods", "dies,hangs,raises,copy-source", *TINY, *FAST, *plugins, *RAY,
        "--results", tmp_path / "results", "--timeout", "45",
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert _record(tmp_path, "dies")["status"] == "lost"
    assert "3 times" in _record(tmp_path, "dies")["reason"]
    assert _record(tmp_path, "hangs")["status"] == "failed"
    assert "timed out after 45 s (--timeout)" in _record(tmp_path, "hangs")["reason"]
    reason = _record(tmp_path, "raises")["reason"]
    log = next((tmp_path / "results" / "runs").glob("raises-*")) / "log.txt"
    assert reason == f"OSError: no (log: {log})"
    assert "Traceback" in log.read_text()
    assert rows(tmp_path / "results")["copy-source", "cf_rank_add"]["status"] == "ok"


@pytest.mark.slow
def test_two_drivers_do_no_cell_twice(cache, tmp_path):
    pytest.importorskip("ray")
    marks = tmp_path / "trainings"
    how = f"if self.taken == 1:\n            open({str(marks)!r}, 'a').write('one\\n')"
    words = little_arguments(
        tmp_path, little(tmp_path, how), "--seeds", "0-2", *RAY[:2], "--jobs", "1"
    )
    command = [sys.executable, "-m", "bench", *map(str, words), "--cache-dir", str(cache)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    for process in [subprocess.Popen(command, **pipes) for _ in range(2)]:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said
    assert len(marks.read_text().splitlines()) == 2 * 3  # FLOPs are counted on a copy
    assert rows(tmp_path / "results")["little", "rec_l1_a"]["n_seeds"] == "3"


def test_ray_sends_images_to_a_machine_that_lacks_them(place, monkeypatch):
    from bench.runs.engines import ray_files, ray_worker

    request = Request(("copy-source",), ("folder",), options=folder_task(place).options)
    (cell,) = make_plan(request).cells
    here, there = place / "here", place / "there"
    job = Job(cell, "run", place, here, (), None, "")
    data = prepare(folder_task(place), cell.sizes, here)
    (place / "parcel").write_bytes(ray_files.image_files(job)[ray_files.IMAGES])
    shutil.rmtree(place / "a")
    for _ in range(2):  # the second cell finds them there
        ray_worker._prepare(cell, there, place / "parcel")
        assert read(cell.task, cell.sizes, cell.fingerprint, there).pixel_hash == data.pixel_hash
    monkeypatch.setattr(ray_files, "MOST_MEGABYTES", 0.01)
    with pytest.raises(
        UserError, match="at most 0 MB are sent to machines that lack them: use --e"
    ):
        ray_files.image_files(job)
