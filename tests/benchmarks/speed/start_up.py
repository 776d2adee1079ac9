"""The CPU time of commands that train nothing: help, lists, and a run that has nothing to do."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HEAD = """\
| command | CPU s | wall s |
|---|---|---|"""
TINY = (
    "run --methods copy-source,copy-guide --profile smoke --set profile.train_images=16 "
    "--set profile.probe_images=16 --set profile.test_images=16 --metrics rec_l1_a,cf_skill_add"
)


def commands(place: Path) -> list[tuple[str, str]]:
    """Return what to time: a label, and the words after `python -m bench`."""
    results, cache = place / "results", place / "cache"
    return [
        ("`list methods`", "list methods"),
        ("`run --help`", "run --help"),
        ("a run with nothing to do", f"{TINY} --results {results} --cache-dir {cache}"),
        ("`leaderboard` of two records, again", f"leaderboard --results {results}"),
    ]


def seconds(words: Sequence[str]) -> tuple[float, float]:
    """Return the CPU and the wall seconds of a command and of the processes that it starts."""

    def used() -> float:
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        return now.ru_utime + now.ru_stime

    before, start = used(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, check=True)
    return used() - before, time.perf_counter() - start


def rows(place: Path, rounds: int) -> list[str]:
    """Return the rows of the table, medians over rounds after one that warms up."""
    found = []
    for label, words in commands(place):
        seconds(words.split())
        taken = [seconds(words.split()) for _ in range(rounds)]
        cpu, wall = (statistics.median(of) for of in zip(*taken, strict=True))
        found.append(f"| {label} | {cpu:.2f} | {wall:.2f} |")
    return found
