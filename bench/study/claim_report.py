"""Prints and writes the verdicts on claims: a table, `claims.csv` and `claims.md`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bench.study.claims import Claim, family_of
from bench.study.verdict import Judgement
from bench.utils.errors import UserError
from bench.utils.files.sealed import write_atomically
from bench.utils.output.console import print_table, say
from bench.utils.output.escape import csv_text, markdown_code, markdown_prose, markdown_table

VERDICTS = ("supported", "contradicted", "undecided", "not run")


def report(console: Console, judgements: Sequence[Judgement], folder: Path) -> None:
    """Print the verdicts and write them to `claims.csv` and `claims.md` in a folder.

    Raises:
        UserError: a file cannot be written. The table is printed first.
    """
    heads = ("claim", "verdict", "difference", "margin", "seeds", "budgets")
    rows = [
        (
            one.claim.id,
            one.verdict,
            difference_text(one),
            _number(one.claim.margin),
            _seeds(one),
            budgets_text(one.budgets),
        )
        for one in judgements
    ]
    print_table(console, heads, rows, title="claims of the field")
    for one in judgements:
        if one.reason:
            say(console, f"{one.claim.id}: {one.verdict}: {one.reason}")
    say(console, summary(judgements))
    try:
        write_atomically(folder / "claims.csv", csv(judgements))
        write_atomically(folder / "claims.md", markdown(judgements))
    except OSError as error:
        raise UserError(
            f"cannot write the claims in {folder} ({error.strerror}): make room, "
            "then `python -m bench claims --judge-only`"
        ) from error
    say(console, f"wrote {folder}/claims.csv and .md")


def summary(judgements: Sequence[Judgement]) -> str:
    """Return how many claims have each verdict, in one line."""
    counts = dict.fromkeys(VERDICTS, 0)
    for one in judgements:
        counts[one.verdict] += 1
    return f"{len(judgements)} claims: " + ", ".join(f"{n} {name}" for name, n in counts.items())


def csv(judgements: Sequence[Judgement]) -> str:
    """Return one line for each claim as CSV, with numbers in full precision."""
    return str(pd.DataFrame([_line(one) for one in judgements]).to_csv(index=False))


def _line(one: Judgement) -> dict[str, Any]:
    claim, found = one.claim, one.difference
    texts = {
        "claim": claim.id,
        "verdict": one.verdict,
        "task": claim.left.row.task,
        "profile": claim.left.row.profile,
        "metric": claim.metric,
        "left": str(claim.left),
        "right": str(claim.right),
        "direction": claim.direction,
    }
    numbers = {
        "margin": claim.margin,
        "value": found and found.value,
        "lo": found and found.lo,
        "hi": found and found.hi,
        "p": found and found.chance,
        "n_seeds": found.n_seeds if found else 0,
    }
    last = {
        "budgets": budgets_text(one.budgets),
        "reason": one.reason,
        "statement": claim.statement,
        "source": claim.source,
    }
    return (
        {key: csv_text(text) for key, text in texts.items()}
        | numbers
        | {key: text if text == "-" else csv_text(text) for key, text in last.items()}
    )


def markdown(judgements: Sequence[Judgement]) -> str:
    """Return the verdicts as Markdown: a table, then a paragraph for each claim."""
    family = family_of([one.claim for one in judgements])
    parts = [
        "# Claims of the field",
        f"{summary(judgements)}. A difference is the mean over seeds of the side that the claim "
        "puts higher minus the other side. Its interval in brackets is adjusted by Holm's method "
        f"for all {family} claims of the file, those that are not run included. A claim is "
        "supported if the whole interval is above the margin, and contradicted if the whole "
        "interval is below it. The budgets describe the training: they are judged over the same "
        "seeds, without test items, and not corrected for their number.",
        markdown_table(
            ("claim", "verdict", "difference", "margin", "seeds", "holds at budgets"),
            [
                (
                    markdown_code(one.claim.id),
                    one.verdict,
                    difference_text(one),
                    _number(one.claim.margin),
                    _seeds(one),
                    budgets_text(one.budgets),
                )
                for one in judgements
            ],
        ),
    ]
    for one in judgements:
        parts += [f"## {one.claim.id}", _paragraph(one)]
    return "\n\n".join(parts) + "\n"


def _paragraph(one: Judgement) -> str:
    claim: Claim = one.claim
    lines = [
        f"{markdown_prose(claim.statement)} ({markdown_prose(claim.source)})",
        "",
        f"- **Compared**: {markdown_code(str(claim.left))} should be {claim.direction} than "
        f"{markdown_code(str(claim.right))}",
        f"- **Number**: {markdown_code(claim.metric)} on {markdown_code(claim.left.row.task)}, "
        f"profile {markdown_code(claim.left.row.profile)}, seeds {claim.left.row.seeds}",
        f"- **Verdict**: {one.verdict}" + (f" ({markdown_prose(one.reason)})" * bool(one.reason)),
    ]
    if one.difference is not None:
        lines.append(
            f"- **Difference**: {difference_text(one)}, margin {_number(claim.margin)}, "
            f"seeds {_seeds(one)}, holds at budgets {budgets_text(one.budgets)}"
        )
    return "\n".join(lines)


def difference_text(one: Judgement) -> str:
    """Return the difference with its interval, as "0.12 [0.03, 0.21]", or "-"."""
    if one.difference is None:
        return "-"
    found = one.difference
    return f"{_number(found.value)} [{_number(found.lo)}, {_number(found.hi)}]"


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _seeds(one: Judgement) -> str:
    return "-" if one.difference is None else str(one.difference.n_seeds)


def budgets_text(budgets: tuple[float, ...] | None) -> str:
    """Return fractions of the budget as "1/16, 1/8, 1"; "none" for (), "-" for None."""
    if budgets is None:
        return "-"
    return ", ".join(str(Fraction(at).limit_denominator(1000)) for at in budgets) or "none"
