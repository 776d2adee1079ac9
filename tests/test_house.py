"""The rules of the house: arrows between rooms, sizes of rooms and files, and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import PurePosixPath

import pytest

from tests.helpers import ROOT

ROOMS, FILES_IN_A_ROOM = 16, 16  # with the links to methods and metrics
LINES, LINES_OF_A_METHOD = 400, 300
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"


def lint(folder):
    """Run lint-imports in a checkout; return its exit code and its output."""
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path):
    """A copy of the suite with its links."""
    folder = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "methods", "metrics"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    assert (folder / "bench" / "methods").is_symlink()
    return folder


def lines_of(folder):
    """Return the number of lines of each Python file below a folder."""
    paths = (ROOT / folder).rglob("*.py")
    return {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in paths
    }


def test_arrows_between_rooms_point_down():
    code, output = lint(ROOT)
    assert code == 0, output


def test_an_arrow_that_points_up_is_found(checkout):
    path = checkout / "methods" / "autoencoder.py"
    path.write_text(path.read_text("utf-8") + "\nimport bench.runs.execute\n", "utf-8")
    code, output = lint(checkout)
    assert code == 1, output
    assert "Arrows between rooms point down only BROKEN" in output
    assert "bench.methods.autoencoder -> bench.runs.execute" in output


def test_there_are_few_rooms_with_few_files():
    rooms = [path for path in (ROOT / "bench").iterdir() if (path / "__init__.py").is_file()]
    assert 0 < len(rooms) <= ROOMS, sorted(path.name for path in rooms)
    for room in rooms:
        folders = [room, *(path.parent for path in room.glob("**/__init__.py"))]
        for folder in folders:
            assert len([*folder.glob("*.py")]) <= FILES_IN_A_ROOM, folder


@pytest.mark.parametrize(
    ("folder", "limit"),
    [("bench", LINES), ("metrics", LINES), ("methods", LINES_OF_A_METHOD)],
)
def test_no_file_is_long(folder, limit):
    lines = lines_of(folder)
    assert lines
    assert {name: count for name, count in lines.items() if count > limit} == {}


@pytest.mark.slow
def test_the_wheel_holds_the_suite_and_nothing_else(checkout, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation",
         "--no-index", "-w", str(tmp_path / "wheels")],
        cwd=checkout, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bench"}
    weights = {f"bench/metrics/weights/{path.name}" for path in ROOT.glob("metrics/weights/*")}
    assert weights
    assert (
        weights
        | {
            "bench/methods/press2019.py",
            "bench/plan/profiles.toml",
            "bench/study/claims.toml",
            "bench/py.typed",
        }
        <= names
    )


def test_no_module_of_the_suite_needs_what_windows_lacks():
    """Case 30: modules that only POSIX has are imported by libraries first, then they are gone."""
    names = ["fcntl", "grp", "pwd", "resource", "termios", "syslog", "readline"]
    code = (
        "import sys, pathlib, importlib, bench.runs.engines.preload, ray_free\n"
        f"for name in {names}: sys.modules[name] = None\n"
        "for path in sorted(pathlib.Path('bench').glob('**/*.py')):\n"
        "    name = '.'.join(path.with_suffix('').parts)\n"
        "    needs_more = ('ray_driver', 'ray_cluster', 'default_sigint', '__main__', '__init__')\n"
        "    if path.stem not in needs_more:\n"
        "        sys.modules.pop(name, None)\n"
        "        importlib.import_module(name)\n"
    ).replace(", ray_free", "")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
