"""What all methods of a study must share, so that their winners had the same chance."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.contracts.labels import setting_text
from bench.contracts.protocol import PROTOCOL
from bench.plan.tuned import terms_in, winners
from bench.utils.errors import UserError

Terms = dict[str, Any]
"""``profile``, ``trials`` (of each method), ``objective``, ``precision``, ``budget_tflops`` (of
the profile, which confirmations have), ``protocol``, ``images`` (the fingerprint of the task) and
``metrics`` (the version of each number)."""


def terms_of(
    profile: str,
    trials: int,
    objective: str,
    precision: str,
    budget_tflops: float,
    fingerprint: str,
    versions: Mapping[str, int],
) -> Terms:
    """Return the terms of a study. They do not name the suite's version.

    A change of the code that changes numbers raises the version of the protocol or of a metric. A
    change of a method concerns its own trials only.

    Args:
        profile: the name of the profile.
        trials: the number of trials of each method.
        objective: what is maximised; "auto" before it is known.
        precision: fp32 or bf16, that of all trials; "" if no method takes any trial.
        budget_tflops: the training FLOPs of a cell of the profile, in units of 1e12.
        fingerprint: that of the images of the task.
        versions: the version of each number of a trial, by id.
    """
    return {
        "profile": profile,
        "trials": trials,
        "objective": objective,
        "precision": precision,
        "budget_tflops": budget_tflops,
        "protocol": PROTOCOL,
        "images": fingerprint,
        "metrics": dict(versions),
    }


def agreed(terms: Terms, methods: Collection[str], winners_file: Path, table: Path | None) -> Terms:
    """Return the terms of a run, after a check that they are those of the methods that it keeps.

    If the objective is "auto", it becomes that of the methods that stay.

    Args:
        terms: those of the run.
        methods: the methods of the run. They replace those of the same name.
        winners_file: the TOML file that the run adds winners to. It need not exist.
        table: the CSV file that the run adds trials to. It need not exist.

    Raises:
        UserError: the files hold other methods, whose terms differ or are unknown.
    """
    kept = set(winners(winners_file))
    if table is not None:
        kept |= _methods_in(table)
    kept -= set(methods)
    if not kept:
        return terms
    theirs = terms_in(winners_file)
    if terms["objective"] == "auto" and theirs:
        terms = terms | {"objective": theirs.get("objective", "auto")}
    other = [key for key, value in terms.items() if theirs.get(key) != value]
    if other:
        has = f"study {winners_file.stem} has {', '.join(sorted(kept))} with"
        again = "tune all its methods again in one run"
        if not theirs:
            raise UserError(f"{has} unknown terms, so no method can be added: {again}")
        was = ", ".join(_said(key, theirs, terms) for key in other)
        now = ", ".join(_said(key, terms, theirs) for key in other)
        raise UserError(f"{has} {was}, and this run has {now}: use the same, or {again}")
    return terms


def _methods_in(table: Path) -> set[str]:
    """Return the methods in the CSV file of a study; none if there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    if not table.exists():
        return set()
    try:
        return set(pd.read_csv(table, usecols=["method"])["method"])
    except (OSError, ValueError) as error:
        raise UserError(f"{table} cannot be read ({error}): move it away") from error


def _said(key: str, these: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """Return a term as text; of the versions of numbers only those that differ."""
    value = these.get(key)
    if isinstance(value, Mapping):
        other = others.get(key) or {}
        names = [name for name in {**value, **other} if value.get(name) != other.get(name)]
        value = {name: value.get(name) for name in names}
        return f"{key} " + " ".join(f"{name}:{version}" for name, version in value.items())
    return f"{key}={'unknown' if value is None else setting_text(value)}"
