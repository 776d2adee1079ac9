"""What the standard streams and the terminal can be like. Cases are inputs that failed in use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

import bench.runs.display
from bench.runs.display import preparing
from bench.utils.files.sealed import read_sealed, write_atomically, write_sealed
from bench.utils.output.console import print_table, say

from .conftest import TINY, rows
from .pictures import make_folder

ROOT = Path(__file__).parent.parent
QUICK = ("run", "--methods", "copy-source", *TINY, "--metrics", "cf_rank_add")
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NOT_UTF8 = os.fsdecode(b"caf\xe9")
"""The name of a folder in Latin-1: é is a single byte."""


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """A results folder with a record."""
    from bench.cli.main import main

    folder = tmp_path_factory.mktemp("results")
    where = ("--results", folder, "--cache-dir", cache, "--engine", "inline")
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in (*QUICK, *where)])
    assert not stopped.value.code
    return folder


def in_shell(words, redirection="", **variables):
    """Run the command line with redirected streams."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "bench", *map(str, words)],
        cwd=ROOT, env=os.environ | variables, capture_output=True, timeout=120,
    )  # fmt: skip


# --- closed streams: case 17 ---------------------------------------------------------------------


CLOSED = [">&- 2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-", "<&-", ">&-", "2>&-"]


def test_cells_finish_with_closed_streams(cache, tmp_path):
    """Case 17: in workers, which are started with what their parent has."""
    done = in_shell((*QUICK, "--results", tmp_path, "--cache-dir", cache), CLOSED[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(rows(tmp_path)["copy-source", "cf_rank_add"]["value"]) == 0.5
    (log,) = tmp_path.glob("runs/*/log.txt")
    assert log.read_text() == ""


def test_an_exit_code_is_right_with_closed_streams(tmp_path):
    """Case 17."""
    assert in_shell(["list", "nothing"], ">&- 2>&-").returncode == 2
    assert in_shell(["clean", "--results", ROOT / "results"], "<&- 2>&-").returncode == 0


@pytest.mark.parametrize("closed", CLOSED)
def test_nothing_that_is_printed_gets_into_a_file(closed, tmp_path):
    """Case 17: a file that is opened while 1 is free would be what is printed to."""
    code = (
        "import os, sys, pathlib\n"
        "from bench.utils.output.terminal import make_usable, send_output_to\n"
        "make_usable(); file = open(sys.argv[1], 'w'); print('lost'); os.system('echo lost')\n"
        "sys.stderr.write('lost'); sys.stdin.readline(); file.write(str(file.fileno() > 2))\n"
        "send_output_to(pathlib.Path(sys.argv[2])); print('one', flush=True)\n"
        "os.system('echo two'); sys.stderr.write('three')"
    )
    names = f"{tmp_path / 'file'} {tmp_path / 'log'}"
    command = f'exec {sys.executable} -c "{code}" {names} {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "True"
    assert (tmp_path / "log").read_text() == "one\ntwo\nthree"


def test_a_reader_that_goes_away_ends_nothing():
    """Case 17: exit code 1 means a regression."""
    script = f'{sys.executable} -m bench list metrics 2>&1; echo "code $?" >&2'
    done = subprocess.run(
        ["bash", "-c", f"({script}) | true"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr == "code 0\n"


# --- text as it is: case 24 ----------------------------------------------------------------------

ODD = ["results/:smile:", "a [red]b[/] c", "[/]", ":warning: [bold]", "\\[x]"]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("terminal", [False, True])
def test_text_is_shown_as_it_is(text, terminal, monkeypatch, capfd):
    """Case 24: by each way in which the suite prints, on whatever console."""
    monkeypatch.setenv("COLUMNS", "100")
    ours = bench.utils.output.console.console()
    ours.print(text)
    assert capfd.readouterr().out == f"{text}\n"
    for console in (ours, Console(force_terminal=terminal, no_color=True, highlight=False)):
        say(console, text)
        assert text in capfd.readouterr().out
        print_table(console, [f"head {text}"], [[f"cell {text}"]], title=f"title {text}")
        said = capfd.readouterr().out
        for part in ("head", "cell", "title"):
            assert f"{part} {text}" in said
        with preparing(console, text) as progress:
            progress(1, 2)
        assert text in capfd.readouterr().out


def test_a_results_folder_that_is_called_like_an_emoji(inside, tmp_path):
    """Case 24."""
    folder = tmp_path / ":smile:[red]"
    done = inside(*QUICK, "--results", folder)
    assert done.returncode == 0
    assert f"wrote {folder}/leaderboard.csv and .md" in done.stdout


# --- the size of the terminal: case 26 -----------------------------------------------------------


@pytest.mark.parametrize("columns", ["0", "", "-5", "wide", "²", "00", "9" * 5000])
def test_a_width_that_is_none_counts_as_unset(columns, monkeypatch, inside):
    """Case 26."""
    words = ["list", "profiles"]
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    command = [sys.executable, "-m", "bench", *words]
    if columns == "0":  # both as a process
        run = {"cwd": ROOT, "capture_output": True, "text": True}
        unset = subprocess.run(command, env=environment, **run)
        zero = subprocess.run(command, env=environment | {"COLUMNS": "0", "LINES": "0"}, **run)
        assert zero.stdout == unset.stdout
        assert "smoke" in zero.stdout
        return
    from bench.utils.output.terminal import make_usable

    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    make_usable()
    assert "COLUMNS" not in os.environ
    assert "LINES" not in os.environ
    assert bench.utils.output.console.console().width == 160


@pytest.mark.parametrize("columns", ["30", "0080", "200"])
def test_a_width_that_is_given_stays(columns, monkeypatch):
    from bench.utils.output.terminal import make_usable

    monkeypatch.setenv("COLUMNS", columns)
    make_usable()
    assert bench.utils.output.console.console().width == int(columns)


# --- encodings: case 27 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"\\u65e5\\u672c"),
        (PLAIN, b"\\udce6\\udc97\\udca5"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\\u65e5\\u672c"),
        ({"PYTHONIOENCODING": "utf-8"}, "日本".encode()),
    ],
    ids=["ascii", "C", "latin-1", "utf-8"],
)
def test_output_that_is_not_utf8(variables, said, finished, tmp_path):
    """Case 27: a Japanese folder is shown with backslashes, and nothing is lost."""
    place = tmp_path / "日本"
    shutil.copytree(finished / "records", place / "records")
    done = in_shell(("leaderboard", "--results", place), **variables)
    assert done.returncode == 0, done.stderr
    assert b"wrote " + os.fsencode(tmp_path) + b"/" + said in done.stdout
    assert rows(place)["copy-source", "cf_rank_add"]["status"] == "ok"


def test_paths_that_are_not_utf8(inside, tmp_path):
    """Case 27: images, cache and results; safetensors itself takes no such path."""
    place = tmp_path / NOT_UTF8
    make_folder(place / "a", 24, seed=0)
    make_folder(place / f"b{NOT_UTF8}", 24, seed=1)
    words = (
        "run", "--methods", "autoencoder", "--task", "folder", *TINY, "--metrics", "rec_l1_a",
        "--a", place / "a", "--b", place / f"b{NOT_UTF8}", "--cache-dir", place / "cache",
        "--results", place / "r",
    )  # fmt: skip
    done = inside(*words)
    assert done.returncode == 0, done.stderr
    assert "\\udce9/r/leaderboard.csv" in done.stdout
    assert rows(place / "r")["autoencoder", "rec_l1_a"]["status"] == "ok"
    assert len(list((place / "r").glob("overview-*.png"))) == 1  # so the artefacts were read


def test_text_in_files_is_utf8(tmp_path):
    """Case 27: each way in which the suite writes text."""
    from bench.cell.run_folder import RunFolder

    write_atomically(tmp_path / "text", f"{NOT_UTF8} 日本\n")
    assert (tmp_path / "text").read_text("utf-8") == "caf\\udce9 日本\n"
    write_sealed(tmp_path / "json", {"path": NOT_UTF8})
    assert read_sealed(tmp_path / "json") == {"path": NOT_UTF8}
    said = RunFolder(tmp_path / "run").log_error(ValueError(f"no {NOT_UTF8}"))
    assert said.startswith(f"ValueError: no {NOT_UTF8} (log: ")
    assert "ValueError: no caf\\udce9" in (tmp_path / "run" / "log.txt").read_text("utf-8")


def test_a_worker_may_print_anything(tmp_path):
    """Case 27: its log is UTF-8 whatever the terminal is, and what has no bytes is backslashes."""
    code = (
        "import sys, pathlib; from bench.utils.output.terminal import send_output_to\n"
        "send_output_to(pathlib.Path(sys.argv[1])); print('\\u65e5', '\\udce9')\n"
        "print('\\u672c', file=sys.stderr)"
    )
    log = tmp_path / "run" / "log.txt"
    done = subprocess.run(
        [sys.executable, "-c", code, str(log)], cwd=ROOT, env=os.environ | PLAIN,
        capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(log.read_text("utf-8").splitlines()) == ["日 \\udce9", "本"]


def test_pictures_take_any_label(tmp_path):
    """Case 27: what no font has is drawn as something else."""
    import torch

    from bench.utils.drawing import save_columns

    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    save_columns(tmp_path / "grid.png", f"日本 {NOT_UTF8}", [(f"{NOT_UTF8} 日本", images)])
    assert (tmp_path / "grid.png").stat().st_size > 0


def test_bars_show_names_as_they_are(capfd):
    """Case 24: in a terminal too, where bars move."""
    console = Console(force_terminal=True, width=100, no_color=True)
    cell = SimpleNamespace(id="1", label="mine[x=:key:]", task="t", profile="smoke", seed=0)
    job = SimpleNamespace(cell=cell)
    with bench.runs.display.display(console, 1) as shown:
        shown.started(job)
        shown.progressed(job, "[red]stage", None)
    assert "mine[x=:key:] s0" in capfd.readouterr().out
