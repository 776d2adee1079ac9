"""An unforeseen error ends in one line, a file with the traceback and its own exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.utils.errors import Exit
from tests.helpers import ROOT


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("a wrong\nturn"), "ValueError: a wrong turn"),
        (StopIteration(), "StopIteration"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (UnicodeEncodeError("ascii", "顔", 0, 1, "no"), "UnicodeEncodeError: 'ascii' codec"),
    ],
)
@pytest.mark.parametrize("verb", [("list", "methods"), ("leaderboard",), ("check",)])
def test_an_unforeseen_error_is_one_line_and_never_a_regression(
    verb, error, said, inside, monkeypatch, tmp_path
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for place in ("contracts.registry.Registry", "records.store.Store", "check.check.check"):
        monkeypatch.setattr(f"bench.{place}", raising(error))
    done = inside(*verb)
    assert done.returncode == 70 == Exit.UNFORESEEN
    start = f"error: this was not foreseen: {said}"
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr + done.stdout
    (kept,) = tmp_path.glob("contentbench-*.txt")
    assert str(kept) in done.stderr
    text = kept.read_text("utf-8")
    assert "Traceback (most recent call last)" in text
    assert "in raising" not in text
    assert re.search(r"in fail\b", text)


def test_where_nothing_can_be_written_the_traceback_is_printed(inside, monkeypatch):
    monkeypatch.setattr("bench.contracts.registry.Registry", raising(ValueError("lost")))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", raising(OSError(28, "no space left")))
    done = inside("list", "methods")
    assert done.returncode == 70
    assert "no folder for temporary files can be written" in done.stderr
    assert "ValueError: lost" in done.stderr


def test_a_broken_install_is_no_regression_either(tmp_path):
    """An import that fails before any verb is known."""
    (tmp_path / "typer.py").write_text("raise ImportError('half an install')")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "list", "methods"], capture_output=True, text=True,
        env={"PYTHONPATH": f"{tmp_path}", "PATH": "", "TMPDIR": str(tmp_path)},
        cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    said = "error: a package that the suite needs cannot be imported (half an install): "
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_an_interrupt_at_any_moment_is_one_line(inside, monkeypatch):
    monkeypatch.setattr("bench.cli.main.app", raising(KeyboardInterrupt()))
    done = inside("list", "methods")
    assert done.returncode == 130
    assert done.stderr.startswith("interrupted")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("stream", [1, 2])
def test_an_output_that_is_full_is_no_regression_and_no_error_of_ours(stream):
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    words = "list methods" if stream == 1 else "list nothing"
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m bench {words} {stream}> /dev/full"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert "not foreseen" not in done.stdout + done.stderr


def test_a_working_folder_that_is_gone_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    root = ROOT
    command = f"cd {gone} && rmdir {gone} && PYTHONPATH={root} {sys.executable} -m bench"
    done = subprocess.run(
        ["sh", "-c", f"{command} run --methods copy-source"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the working folder cannot be read (")
    assert done.stderr.count("\n") == 1


FROM_C = """
import ctypes, sys
import bench.cli.main
from bench.__main__ import main

def interrupted(**_):  # as a library does that runs Python from C
    run = ctypes.pythonapi.PyRun_String
    run.restype, run.argtypes = ctypes.py_object, [ctypes.c_char_p, ctypes.c_int, *2 * [ctypes.py_object]]
    run(b"raise KeyboardInterrupt", 257, {}, {})

bench.cli.main.app = interrupted
sys.argv = ["bench", "list", "methods"]
main()
"""  # noqa: E501


def test_an_interrupt_below_python_has_the_same_exit_code(tmp_path):
    """Python holds it for uncaught, and would end by the signal: seen once in CI."""
    (tmp_path / "as_a_module.py").write_text(FROM_C)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "as_a_module"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)


def test_a_working_folder_that_is_gone(tmp_path):
    """Case 29."""
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"
    code += "from bench.cli.main import main; main(['leaderboard'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot look into the folder results/local (No such file or directory): "
        "name another with --results\n"
    )
