"""`check --ab REV`: is the current code slower than a revision, on the same machine?

We time them in turns: base, head, head, base. So other load on the machine affects both equally.
Each turn is a process that measures the CPU seconds of training steps and of transfers. Each round
gives a ratio, and all rounds give an interval. The exact layer compares FLOPs and parameters.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.check import gate
from bench.check.findings import Finding, Layer, Verdict, number
from bench.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TIMER = Path(__file__).with_name("speed_timer.py")
ROUNDS = 6
SLOWER = 0.10
"""The slowdown that does not matter. It is below `gate.SLOWER`: times in turns vary less."""
Seconds = Mapping[str, float]


def compare_speed(revision: str, methods: Sequence[str], rounds: int = ROUNDS) -> list[Finding]:
    """Return the findings for the training and inference speed of each method.

    Raises:
        UserError: The revision cannot be checked out, or timing fails.
    """
    with checked_out(revision) as base:
        turns = [(base, ROOT), (ROOT, base)]
        taken = [{t: time_tree(t, methods) for t in turns[at % 2]} for at in range(rounds)]
    names = sorted(set(taken[0][base]) & set(taken[0][ROOT]))
    ratios = {name: [one[ROOT][name] / one[base][name] for one in taken] for name in names}
    return judge_ratios(ratios, revision)


def judge_ratios(ratios: Mapping[str, Sequence[float]], revision: str) -> list[Finding]:
    """Return the finding for each timed name. `ratios` has one head/base ratio per round."""
    logs = {name: np.log(np.asarray(of_rounds)) for name, of_rounds in ratios.items()}
    allowed = math.log1p(SLOWER)
    verdicts = gate.judge([gate.Comparison(gate.Shift(x), allowed) for x in logs.values()])
    findings = []
    for (name, of_rounds), verdict in zip(logs.items(), verdicts, strict=True):
        mean = float(of_rounds.mean())
        lo, hi = map(math.exp, gate.interval(of_rounds))
        row, _, what = name.partition(" ")
        findings.append(
            Finding(
                Verdict(verdict),
                Layer.SPEED,
                row,
                what,
                "1",
                number(math.exp(mean)),
                f"{1 + SLOWER:g}",
                f"CPU seconds over those of {revision}, 95 %: {lo:.2f} to {hi:.2f}",
                mean / allowed,
            )
        )
    return findings


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Check out a revision of this repository in a temporary folder.

    Raises:
        UserError: This is not a git repository, or it does not have the revision.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        _git("worktree", "add", "--detach", "--quiet", str(tree), revision)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError("--ab needs git, which is not installed") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        last = said[-1] if said else error
        raise UserError(f"--ab: git {arguments[0]} {arguments[1]}: {last}") from error


def time_tree(tree: Path, methods: Sequence[str]) -> Seconds:
    """Return the CPU seconds of a training step and a transfer, for each method of a source tree.

    Raises:
        UserError: The code of the tree cannot be timed.
    """
    command = [sys.executable, "-P", str(TIMER), str(tree), *methods]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"--ab: cannot time {tree}: {last}")
    found: Seconds = json.loads(done.stdout)
    return found
