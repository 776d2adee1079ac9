"""Ctrl-C at any moment ends in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

import bench.runs.execute
from tests.helpers import QUICK_RUN, ROOT, TINY

INTERRUPTED = "interrupted: repeat the command to continue; finished cells are kept\n"


def interrupt(arguments, seconds=0.0, after="", **variables):
    """Run the command line, and send what Ctrl-C sends to it and to all that it has started."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=ROOT, env=os.environ | variables, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    said = ""
    while after and after not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_an_interrupt_while_modules_are_imported(cache, tmp_path):
    """Case 33: the server of workers and this process are both importing torch."""
    where = ("--results", tmp_path / "r", "--cache-dir", cache)
    assert interrupt((*QUICK_RUN, *where), 1.2) == (130, INTERRUPTED)


@pytest.mark.parametrize("long", [False, True])
def test_an_interrupt_while_images_are_made(long, tmp_path):
    """Case 33: processes draw them, forked or, with a long TMPDIR, started anew."""
    place = tmp_path / ("x" * 100 if long else "x")
    place.mkdir()
    words = ("data", "show", "avatars-glasses", "--cache-dir", tmp_path / "c", "--out", tmp_path)
    found = interrupt(words, 0.5, after="making", TMPDIR=str(place))
    assert found == (130, INTERRUPTED)
    assert not list((tmp_path / "c").glob("*.tmp"))


def test_an_interrupt_that_a_library_swallows(inside, monkeypatch, tmp_path):
    """Case 33: one that is imported at that moment may go on, or fail in its own way."""

    def swallowing(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except BaseException:
            raise ImportError("half of it is missing") from None

    monkeypatch.setattr(bench.runs.execute, "prepare", swallowing)
    done = inside(*QUICK_RUN, "--results", tmp_path)
    assert (done.returncode, done.stderr) == (130, INTERRUPTED)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_says_how_to_go_on(inside, tmp_path, monkeypatch):

    def interrupted(*_):
        raise KeyboardInterrupt

    arguments = ("run", "--methods", "copy-source", *TINY, "--results", tmp_path)
    monkeypatch.setitem(bench.runs.execute.ENGINES, "inline", interrupted)
    monkeypatch.setattr(bench.runs.execute, "prepare", lambda *_, **__: SimpleNamespace(facts={}))
    done = inside(*arguments)
    assert done.returncode == 130
    assert done.stderr.startswith("interrupted: repeat the command to continue")
