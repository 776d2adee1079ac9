"""Standard streams of every kind: closed, not UTF-8, or without a reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.helpers import NOT_UTF8, PLAIN_LOCALE, QUICK_RUN, ROOT, TINY, rows
from tests.pictures import make_folder


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """A results folder with a record."""
    from bench.cli.main import main

    folder = tmp_path_factory.mktemp("results")
    where = ("--results", folder, "--cache-dir", cache, "--engine", "inline")
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in (*QUICK_RUN, *where)])
    assert not stopped.value.code
    return folder


def in_shell(words, redirection="", **variables):
    """Run the command line with redirected streams."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "bench", *map(str, words)],
        cwd=ROOT, env=os.environ | variables, capture_output=True, timeout=120,
    )  # fmt: skip


CLOSED = [">&- 2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-", "<&-", ">&-", "2>&-"]


def test_cells_finish_with_closed_streams(cache, tmp_path):
    """Case 17: in workers, which are started with what their parent has."""
    done = in_shell((*QUICK_RUN, "--results", tmp_path, "--cache-dir", cache), CLOSED[0])
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


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"\\u65e5\\u672c"),
        (PLAIN_LOCALE, b"\\udce6\\udc97\\udca5"),
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
