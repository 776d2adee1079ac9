"""Workers that die, hang, print or are killed lose nothing that is finished."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers import (
    FAILING_METHOD,
    FAST,
    PLAIN_LOCALE,
    ROOT,
    TINY,
    little,
    little_arguments,
    numbers,
    rows,
)

DIES_ONCE = (
    "mark = pathlib.Path(__file__).with_name('died')\n"
    "        if self.taken == 3 and not mark.exists():\n"
    "            mark.touch()\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n"
    "        if mark.exists():\n"
    "            with open(mark, 'a') as file:\n"
    "                file.write('a step\\n')"
)


def test_a_lost_worker_is_started_again_and_goes_on(peaceful, bench, tmp_path):
    """Killed in its third step, the worker's successor goes on from the second."""
    done = bench(*little_arguments(tmp_path, little(tmp_path, DIES_ONCE)))
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    steps = json.loads(record.read_text())["facts"]["steps"]
    # one more than the steps that were left: FLOPs are counted in one on a copy
    assert len((tmp_path / "died").read_text().splitlines()) == steps - 2 + 1
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


def test_a_hang_ends_one_cell(bench, tmp_path):
    hangs = "import time; time.sleep(1000)"
    done = bench(
        "run", "--methods", "little,copy-source", *TINY, *FAST, "--plugin", little(tmp_path, hangs),
        "--results", tmp_path / "results", "--timeout", "8",
    )  # fmt: skip
    assert done.returncode == 3
    assert "timed out after 8 s (--timeout)" in done.stdout
    table = rows(tmp_path / "results")
    assert table["little", "rec_l1_a"]["status"] == "failed"
    assert table["copy-source", "cf_rank_add"]["status"] == "ok"


def _killed_at_random(seed, cache, folder, plugin):
    """Kill a run, its workers included, at random moments until one ends; return the kills."""
    chance = random.Random(seed)
    command = [sys.executable, "-m", "bench", *map(str, little_arguments(folder, plugin))]
    for kills in range(100):
        process = subprocess.Popen(
            [*command, "--cache-dir", str(cache)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.wait(chance.uniform(3, 8) * 1.6**kills) == 0
            return kills
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise AssertionError("it never ended")


SLOW_STEPS = "import time; time.sleep(0.5)"


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 20))]
)
def test_kills_at_random_moments(seed, peaceful, cache, tmp_path):
    kills = _killed_at_random(seed, cache, tmp_path, little(tmp_path, SLOW_STEPS))
    assert numbers(tmp_path / "results") == numbers(peaceful / "results"), kills


HANGS_ONCE = (
    "mark = pathlib.Path(__file__).with_name('hangs')\n"
    "        if self.taken == 3 and not mark.exists():\n"
    "            import time\n"
    "            mark.touch()\n"
    "            time.sleep(600)"
)


def _heeding_interrupts():
    """A shell lets its background jobs ignore them, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _ends(group):
    """Return whether all processes of a group end within seconds."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("engine", ["process", pytest.param("inline", marks=pytest.mark.slow)])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(engine, peaceful, cache, tmp_path):
    """The terminal sends the signal to the run and to all of its workers."""
    mark = tmp_path / "hangs"
    words = little_arguments(tmp_path, little(tmp_path, HANGS_ONCE), "--engine", engine)
    run = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, words), "--cache-dir", str(cache)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_heeding_interrupts,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors == "interrupted: repeat the command to continue; finished cells are kept\n"
    assert not list((tmp_path / "results" / "records").glob("*.json"))
    assert list((tmp_path / "results").rglob("checkpoint.safetensors"))
    assert _ends(run.pid)

    again = subprocess.run(run.args, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


COUNTS = (
    "if self.taken == 1:\n"
    "            with open(pathlib.Path(__file__).with_name('trainings'), 'a') as file:\n"
    "                file.write(f'{self.config}\\n')"
)


def test_two_runs_on_one_folder_do_no_cell_twice(cache, tmp_path):
    plugin = little(tmp_path, COUNTS)
    command = [
        *(
            sys.executable,
            "-m",
            "bench",
            *map(str, little_arguments(tmp_path, plugin, "--seeds", "0-1")),
        ),
        *("--cache-dir", str(cache), "--jobs", "1"),
    ]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    for process in both:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said
    # each training is counted twice: FLOPs are counted on a copy before the first step
    assert len((tmp_path / "trainings").read_text().splitlines()) == 2 * 2
    table = rows(tmp_path / "results")
    assert table["little", "rec_l1_a"]["n_seeds"] == "2"


def test_workers_die_with_their_parent(cache, tmp_path):
    import os
    import signal

    plugin = tmp_path / "broken.py"
    mark = tmp_path / "alive"
    how = (
        f"import time, pathlib; m = pathlib.Path({str(mark)!r})\n        while True:\n"
        "            m.write_text(str(time.time())); time.sleep(0.05)"
    )
    plugin.write_text(FAILING_METHOD.replace("HOW", how))
    parent = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--methods", "broken", *TINY, "--plugin", plugin,
         "--results", tmp_path, "--cache-dir", cache],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.time() + 60
    while not mark.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    time.sleep(1)
    last = mark.read_text()
    time.sleep(0.5)
    assert mark.read_text() == last


def test_a_worker_may_print_anything(tmp_path):
    """Case 27: its log is UTF-8 whatever the terminal is, and what has no bytes is backslashes."""
    code = (
        "import sys, pathlib; from bench.utils.output.terminal import send_output_to\n"
        "send_output_to(pathlib.Path(sys.argv[1])); print('\\u65e5', '\\udce9')\n"
        "print('\\u672c', file=sys.stderr)"
    )
    log = tmp_path / "run" / "log.txt"
    done = subprocess.run(
        [sys.executable, "-c", code, str(log)], cwd=ROOT, env=os.environ | PLAIN_LOCALE,
        capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(log.read_text("utf-8").splitlines()) == ["日 \\udce9", "本"]
