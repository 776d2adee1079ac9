"""Tries a release as a user gets it: ``python -m tests.release``.

It builds the packages, checks their description, installs the wheel into an empty environment, and
runs a small run, its report and its export from an empty folder whose user has no home that can be
written. It needs the packages ``build`` and ``twine``. It prints a table and ends with 1 if a step
failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.utils.output.console import print_table
from tests.helpers import ROOT

SMALL = ("--profile", "smoke", "--set", "profile.budget_tflops=0.02",
         *(word for part in ("train", "probe", "test")
           for word in ("--set", f"profile.{part}_images=64")))  # fmt: skip


def steps(place: Path, python: str, keep: Path) -> list[tuple[str, list[str], Path, bool]]:
    """Return what is done: a label, the command, its folder, and whether a user without home does.

    place: an empty folder. python: the interpreter of the environment. keep: the packages' folder.
    """
    inside = str(place / "environment" / "bin" / "python")
    bench = [inside, "-m", "bench"]
    away = place / "away"
    constraints = str(ROOT / "constraints.txt")
    return [
        ("build", [sys.executable, "-m", "build", "--outdir", str(keep), str(ROOT)], ROOT, False),
        (
            "describe",
            [sys.executable, "-m", "twine", "check", "--strict", f"{keep}/*"],
            keep,
            False,
        ),
        ("environment", [python, "-m", "venv", str(place / "environment")], place, False),
        (
            "install",
            [inside, "-m", "pip", "install", "-q", "-c", constraints, "WHEEL"],
            place,
            False,
        ),
        ("list", [*bench, "list", "methods"], away, True),
        ("run", [*bench, "run", "--methods", "autoencoder,copy-source", *SMALL], away, True),
        ("leaderboard", [*bench, "leaderboard", "--format", "json"], away, True),
        ("report", [*bench, "report"], away, True),
        ("add a method", [*bench, "new", "method", "mine"], away, True),
        ("verify it", [*bench, "verify", "mine.py", "--check", "facts"], away, True),
        ("the command", [str(place / "environment/bin/contentbench"), "--version"], away, True),
    ]


def homeless(place: Path) -> dict[str, str]:
    """Return the environment of a user whose home is a file, so that nobody can write to it."""
    home = place / "home"
    home.touch()
    return {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(place / "tmp")}


def main(words: Sequence[str] | None = None) -> int:
    """Do all steps; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter; this one by default")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="dist by default")
    given = parser.parse_args(words)
    keep = given.output.resolve()
    keep.mkdir(parents=True, exist_ok=True)
    rows, failed = [], False
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "away").mkdir()
        (place / "tmp").mkdir()
        environment = homeless(place)
        for label, command, where, away in steps(place, given.python, keep):
            wheels = sorted(map(str, keep.glob("*.whl")))
            command = [wheels[-1] if word == "WHEEL" else word for word in command]
            if label == "describe":
                command = [*command[:-1], *map(str, sorted(keep.iterdir()))]
            start = time.perf_counter()
            done = subprocess.run(
                command, cwd=where, env=environment if away else None, text=True,
                capture_output=True, check=False,
            )  # fmt: skip
            said = (done.stderr or done.stdout).strip().splitlines()
            verdict = "ok" if done.returncode == 0 else f"exit code {done.returncode}"
            rows.append((label, verdict, f"{time.perf_counter() - start:.0f} s",
                         "" if done.returncode == 0 else " ".join(said[-3:])))  # fmt: skip
            if done.returncode:
                failed = True
                break
    print_table(Console(), ("step", "verdict", "time", "what it said"), rows)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
