"""The table of a study: its trials, their numbers and the winner of each method.

Trials are run with a part of the profile's budget. The best of each method are confirmed: run again
with the whole budget. Only confirmed ones can win.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.plan.tuned import TERMS, winners
from bench.study.objective import Criteria
from bench.study.terms import Terms
from bench.study.trials import Trial
from bench.utils.files.atomic import written_whole
from bench.utils.output.escape import one_line

TIE = 0.01
"""Trials whose objective is at most so much below the best are ties."""
BEST = 2
"""So many of the drawn and hand-set trials of a method are confirmed, beside the published one."""
FULL = 1.0
"""The fraction of the profile's budget with which trials are confirmed."""
_FACTS = ("flops", "steps", "cpu_seconds")


@dataclass(frozen=True)
class Outcome:
    """A trial and what came of it.

    Attributes:
        trial: the trial.
        status: "ok", "failed" or "refused".
        reason: why it has no numbers, or ''.
        score: the objective; None if the trial failed or lacks it.
        values: its parts, ``label-only`` and ``whole_image_error``, by name.
        facts: FLOPs, steps and CPU seconds of its training.
        budget: the fraction of the profile's budget that it was trained with.
    """

    trial: Trial
    status: str
    reason: str
    score: float | None = None
    values: Mapping[str, float | None] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    budget: float = FULL


def winner_of(outcomes: Sequence[Outcome]) -> Outcome | None:
    """Return the best among the trials of one method and budget, or None if none has a score.

    Of the trials within `TIE` of the best score, the one with the lowest whole-image error wins.
    If that is equal or unknown, the trial with the lowest number wins.
    """
    scored = [(one.score, one) for one in outcomes if one.score is not None]
    if not scored:
        return None
    best = max(score for score, _ in scored)

    def rank(one: Outcome) -> tuple[float, int]:
        error = one.values.get("whole_image_error")
        return (float("inf") if error is None else error, one.trial.number)

    tied = [one for score, one in scored if score >= best - TIE - 1e-12]  # .41 - .01 is not .40
    return min(tied, key=rank)


def finalists(outcomes: Sequence[Outcome]) -> list[Trial]:
    """Return the trials of one method to confirm: the published one and the `BEST` of the others.

    So every method has the same number of them, unless the published one is refused or too many
    trials fail.

    Args:
        outcomes: those of the trials, which have the same budget.
    """
    found = [one.trial for one in outcomes if one.trial.number == 0 and one.status != "refused"]
    others = [one for one in outcomes if one.trial.number != 0]
    for _ in range(BEST):
        best = winner_of(others)
        if best is not None:
            found.append(best.trial)
            others = [one for one in others if one is not best]
    return found


def winners_among(outcomes: Sequence[Outcome]) -> dict[str, Outcome | None]:
    """Return the winner of each method among its confirmed trials; None if none has a score."""
    return {
        method: winner_of(
            [one for one in outcomes if one.trial.method == method and one.budget == FULL]
        )
        for method in dict.fromkeys(one.trial.method for one in outcomes)
    }


def table_of(outcomes: Sequence[Outcome], criteria: Criteria) -> pd.DataFrame:
    """Return one row for each trial and one for each confirmation.

    A field that a method does not search is empty in its rows.
    """
    won = {id(one) for one in winners_among(outcomes).values() if one is not None}
    fields = dict.fromkeys(name for one in outcomes for name in one.trial.searched)
    rows = []
    for one in outcomes:
        trial = one.trial
        row: dict[str, Any] = {"method": trial.method, "trial": trial.number, "origin": trial.how}
        row |= {"budget": one.budget, "winner": id(one) in won}
        row |= {"objective": criteria.objective, "score": one.score}
        row |= {name.replace("-", "_"): value for name, value in one.values.items()}
        row |= {"error": criteria.error_name}
        row |= {name: one.facts.get(name) for name in _FACTS}
        row |= {"status": one.status, "reason": one.reason}
        row |= {
            f"config.{name}": trial.config[name] if name in trial.searched else None
            for name in fields
        }
        rows.append(row)
    return pd.DataFrame(rows)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the CSV of a study; rows of methods that the table lacks stay as they are."""
    if path.exists():
        kept = pd.read_csv(path, dtype=object, keep_default_na=False)
        kept = kept[~kept["method"].isin(table["method"])]
        if len(kept):
            table = pd.concat([kept, table.astype(object)]).sort_values("method", kind="stable")
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def write_winners(outcomes: Sequence[Outcome], path: Path, task: str, terms: Terms) -> None:
    """Write the winners to the TOML file of a study; tables of other methods stay as they are.

    A method without a usable trial gets the published configuration.

    Args:
        outcomes: those of all trials and confirmations.
        path: the file.
        task: the name of the task.
        terms: those of the study.

    Raises:
        OSError: the file cannot be written.
        UserError: the existing file is damaged.
    """
    tables = winners(path)
    for method, best in winners_among(outcomes).items():
        tables[method] = {"trial": 0, "config": {}}
        if best is not None:
            tables[method] = {"trial": best.trial.number, "config": dict(best.trial.changes)}
    lines = [
        f"# The winners of the study of task {one_line(task)} in profile {terms['profile']}.",
        "# `trial` is their number in the study: 0 is the published configuration, 1 the hand-set",
        "# one. The fields of `config` replace the published values. `python -m bench tune` writes",
        "# this file; see docs/protocol.md.",
        "",
        f"[{TERMS}]",
        *(f"{key} = {_toml(value)}" for key, value in terms.items()),
    ]
    for method, table in sorted(tables.items()):
        config = _toml(table["config"])
        lines += ["", f"[{_key(method)}]", f"trial = {table['trial']}", f"config = {config}"]
    with written_whole(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")


def _toml(value: Any) -> str:
    """Return a value as TOML writes it, which is JSON for all but tables."""
    if isinstance(value, Mapping):
        fields = ", ".join(f"{_key(key)} = {_toml(inside)}" for key, inside in value.items())
        return f"{{ {fields} }}" if fields else "{}"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
