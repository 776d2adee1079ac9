"""The rooms of `bench/`: which imports are allowed, how large they are, and what a wheel holds."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "methods", "metrics")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `lint-imports` in a folder with its `pyproject.toml`; nothing is cached."""
    command = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {command}", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def sources(room: Path) -> list[Path]:
    """Return the Python files of a folder of `bench/`, without those of its sub-folders."""
    return sorted(path for path in room.glob("*.py") if path.name != "__init__.py")


def test_imports_point_down():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_upward_import_in_a_method_is_found(tmp_path):
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name, tmp_path / name, symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )  # fmt: skip
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    method = tmp_path / "methods" / "press2019.py"
    method.write_text(method.read_text("utf-8") + "\n\nimport bench.runs.execute\n", "utf-8")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Arrows between rooms point down only BROKEN" in done.stdout
    assert "bench.methods.press2019 -> bench.runs.execute" in done.stdout


def test_there_are_at_most_twelve_rooms():
    rooms = [path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")]
    assert 1 < len(rooms) <= 12, sorted(rooms)


def test_a_room_has_at_most_sixteen_files():
    rooms = {path.parent for path in (ROOT / "bench").rglob("__init__.py")}
    counts = {str(room.relative_to(ROOT)): len(sources(room)) for room in rooms}
    assert max(counts.values()) > 0
    assert {room: count for room, count in counts.items() if count > 16} == {}


@pytest.mark.parametrize(("folder", "most"), [("bench", 400), ("methods", 300)])
def test_no_file_is_too_long(folder, most):
    files = {
        path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")
    }
    assert files
    assert {str(path.relative_to(ROOT)): n for path, n in files.items() if n > most} == {}


@pytest.mark.slow
def test_a_wheel_holds_the_suite_and_no_other_top_level_package(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, symlinks=True,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "results", "build", "*.egg-info", "__pycache__"
        ),
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation",
         "--wheel-dir", tmp_path / "wheels"],
        cwd=source, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"bench"}
    weights = {
        f"bench/metrics/weights/{path.name}" for path in (ROOT / "metrics/weights").iterdir()
    }
    assert weights
    expected = {"bench/methods/press2019.py", "bench/plan/profiles.toml", "bench/py.typed"}
    assert (expected | weights) - names == set()
