"""The command line starts fast and from any folder."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["list", "methods"], ["list", "metrics"],
                                       ["list", "tasks"], ["list", "profiles"], ["run", "--help"],
                                       ["score", "--help"], ["merge", "--help"],
                                       ["clean", "--results", "results"],
                                       ["--version"]])  # fmt: skip
def test_what_needs_no_torch_imports_none(arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bench", *arguments],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "pandas", "sklearn", "scipy", "torchvision"}


def test_a_folder_of_the_same_name_shadows_nothing(tmp_path):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "__init__.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "metrics.py").write_text("raise SystemExit('shadowed')")
    code = (
        "from bench.contracts.registry import Registry; r = Registry(); "
        "print(r.find('method', 'press2019').load().name, r.find('metric', 'cost').load().name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == ["press2019", "cost"], done.stderr
