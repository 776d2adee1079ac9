"""The verdicts on claims that `python -m bench claims` left in a results folder."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.board.values import number
from bench.html.prose import plain

FILE = "claims.csv"
VERDICTS = ("supported", "contradicted", "undecided", "not run")
_ESCAPED = re.compile(r"^'(?=[=+\-@\t\r])")
"""What `bench.utils.output.escape.csv_text` puts before a text that looks like a formula."""


@dataclass(frozen=True)
class Verdict:
    """A claim, its verdict and why there is none, and the difference with its interval."""

    claim: str
    verdict: str
    statement: str
    source: str
    compared: str
    difference: str
    margin: str
    seeds: str
    reason: str


def verdicts_in(folder: Path) -> list[Verdict] | None:
    """Return the verdicts of a results folder, decided ones first; None if there are none."""
    try:
        text = (folder / FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = []
    for row in csv.DictReader(io.StringIO(text)):
        told = {key: plain(_ESCAPED.sub("", value or "")) for key, value in row.items() if key}
        if told.get("verdict") in VERDICTS:
            found.append(_verdict(told))
    return sorted(found, key=lambda one: VERDICTS.index(one.verdict)) or None


def _verdict(row: Mapping[str, str]) -> Verdict:
    value, lo, hi = (_number(row.get(name, "")) for name in ("value", "lo", "hi"))
    side = "higher" if row.get("direction") == "higher" else "lower"
    return Verdict(
        row.get("claim", ""),
        row["verdict"],
        row.get("statement", ""),
        row.get("source", ""),
        f"{row.get('metric', '')} of `{row.get('left', '')}` {side} than `{row.get('right', '')}`, "
        f"on {row.get('task', '')}",
        f"{value} [{lo}, {hi}]" if value != "-" else "-",
        _number(row.get("margin", "")),
        row.get("n_seeds", ""),
        row.get("reason", ""),
    )


def _number(text: str) -> str:
    try:
        return number(float(text), 3)
    except ValueError:
        return "-"
