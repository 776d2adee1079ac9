"""The text form of boards: the leaderboard as Markdown, and the tidy frame as CSV.

The main table of each task comes first, and everything else is in folded sections.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.board.board import Board
from bench.board.columns import ARROWS, base_id, groups_of, ordering_metrics
from bench.board.evidence import (
    accuracy_of_judge,
    agreements,
    change_over_the_training,
    changes_of_order,
    meanings_of_parts,
)
from bench.board.frame import PYTHON_STRINGS
from bench.board.headline import headline
from bench.board.output.further import further_table
from bench.board.output.make_table import seeds_of
from bench.board.output.notes import notes_of_rows, unranked
from bench.board.pairs import matrix_of_pairs, place
from bench.board.values import detail_of, is_number, number, text
from bench.utils.output.escape import (
    csv_text,
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
    one_line,
)

NUMBERS = ("protocol", "budget", "value", "lo", "hi", "n_seeds", "n_items")
"""The columns of the tidy frame that hold numbers."""


@pd.option_context(*PYTHON_STRINGS)
def csv(table: pd.DataFrame) -> str:
    """Return the tidy frame as CSV. A spreadsheet will not run any text of it as a formula."""
    texts = {name for name in table.columns if name not in NUMBERS}
    shown = {name: [csv_text(str(cell)) for cell in table[name]] for name in texts}
    return str(table.assign(**shown).to_csv(index=False))


def markdown(made: Sequence[Board], notes: Sequence[str] = ()) -> str:
    """Return the leaderboard as Markdown."""
    parts = ["# Leaderboard", *(f"> {markdown_prose(note)}" for note in notes)]
    for board in made:
        parts += [
            f"## {markdown_name(board.task)}, profile {markdown_code(board.profile)}, "
            f"protocol {board.protocol}",
            headline(board, markdown_code),
            _main_table(board),
            " ".join(unranked(board, markdown_code, markdown_prose)),
            "\n".join([*_folded("Further numbers", further_table(board)), *_checks(board)]),
        ]
    parts.append("\n".join(_folded("How to read this page", _legend(made))))
    return "\n\n".join(filter(None, parts)) + "\n"


def _folded(title: str, content: str) -> list[str]:
    """Return the lines of a section that GitHub shows folded; none without content."""
    if not content:
        return []
    return [f"<details><summary>{title}</summary>", "", *content.splitlines(), "</details>"]


def _main_table(board: Board) -> str:
    """Return the main table: the methods, then published configurations, floors and ceilings.

    Methods have their place. The best values are bold. Rows that are never ranked are in italics.
    """
    metrics = board.main_columns
    rows = [
        [
            markdown_name(method) if method in board.methods else f"*{markdown_name(method)}*",
            place(board, method),
            str(seeds_of(board, method)),
            *(_bold(board, method, metric) for metric in metrics),
        ]
        for method in board.order
    ]
    heads = ["method", "rank", "seeds", *(_head(board, metric) for metric in metrics)]
    return markdown_table(heads, rows)


def _head(board: Board, metric: str) -> str:
    return f"{markdown_name(metric)} ({ARROWS.get(board.better(metric), '')})"


def _bold(board: Board, method: str, metric: str) -> str:
    """Return the text of a table cell, in bold if the method is the best or ties with it."""
    shown = text(board, method, metric, mark=False)
    return f"**{shown}**" if method in board.best.get(metric, ()) else shown


def _checks(board: Board) -> list[str]:
    """Return the folded lines on pairs of methods, on rows and gaps, and on how firm all is."""
    metric = board.ordering.metric
    heads, rows = matrix_of_pairs(board, markdown_name)
    name, prose = markdown_code, markdown_prose
    order = changes_of_order(board, name) + change_over_the_training(board, name)
    checks = agreements(board, name) + accuracy_of_judge(board, name) + _references(board)
    points = (
        ("Rows", notes_of_rows(board, name, prose)),
        ("Gaps", _gaps(board)),
        ("Order", order),
        ("Checks", checks),
        ("Machines", _measured_on(board)),
    )
    lines = [f"- **{what}**: {' '.join(said)}" for what, said in points if said]
    table = [markdown_table(heads, rows), ""] if rows else []
    title = "Rows, gaps and checks"
    if table:
        by = html.escape(one_line(metric))
        title = f"Pairs of methods (row minus column in <code>{by}</code>), gaps and checks"
    return _folded(title, "\n".join([*table, *lines]))


def _gaps(board: Board) -> list[str]:
    """Return for each reason of a missing value the row and its metrics."""
    gaps = board.rows[board.rows["status"] != "ok"]
    found = []
    for (method, reason), of_reason in gaps.groupby(["method", "reason"], sort=False)["metric"]:
        metrics = list(of_reason)
        few = len(metrics) <= 4
        which = ", ".join(map(markdown_name, metrics)) if few else f"{len(metrics)} metrics"
        found.append(f"{markdown_name(str(method))}: {markdown_prose(str(reason))} ({which}).")
    return found


def _measured_on(board: Board) -> list[str]:
    """Return a sentence on the machines of the times, which compare only within one kind."""
    names = [
        f"{markdown_prose(machine)}"
        + (f" ({', '.join(map(markdown_name, labels))})" if len(board.machines) > 1 else "")
        for machine, labels in board.machines.items()
    ]
    if not names:
        return []
    return [
        "Times, rates and memory compare within one kind of machine only (processor, "
        f"instructions, torch): {'; '.join(names)}."
    ]


def _references(board: Board) -> list[str]:
    """Return reference values for the metrics: chance, and the scores of real images."""
    said = []
    for info in board.infos.values():
        found = _detail(board, info.id, info.reference) if info.reference else None
        if isinstance(found, list) and len(found) == 2 and all(map(is_number, found)):
            lo, hi = (number(end, info.digits) for end in found)
            said.append(f"Guessing has a `{info.id}` of {lo} to {hi} (95 %).")
        elif is_number(found):
            said.append(f"Real images have a `{info.id}` of {number(found, info.digits)}.")
    return said


def _detail(board: Board, metric: str, key: str) -> Any:
    """Return a detail that is equal for all methods, from the first that has it, or None."""
    of_metric = board.rows[board.rows["metric"] == metric]
    found = (detail_of({"detail": text}).get(key) for text in of_metric["detail"])
    return next((value for value in found if value is not None), None)


def _legend(made: Sequence[Board]) -> str:
    """Return how to read the tables, and what each metric and each part of a score means."""
    infos = {name: info for board in made for name, info in board.infos.items()}
    meanings = {name: said for board in made for name, said in board.meanings.items()}
    extractors = sorted({name for board in made for name in board.rows["extractor"] if name})
    numbers = " or else ".join(markdown_code(name) for name in ordering_metrics(infos))
    parts = {
        said for board in made for said in meanings_of_parts(board, markdown_code, markdown_prose)
    }
    same = f" ({', '.join(map(markdown_name, extractors))})" if extractors else ""
    return "\n".join(
        [
            "Brackets: 95 % interval. Over several seeds, it is for the mean over other seeds and "
            "other test items (Student's t). For one seed, it is for other test items only, not "
            "for other training. No interval leaves the range of its metric. `leaderboard.csv` has "
            "the interval of each number. Bold: the best one and all that tie with it. Two methods "
            "tie if the interval of their difference (same seeds, same items, after Holm's "
            "correction for all pairs of the metric) contains 0, or lies within the tolerance of "
            "the metric. With one common seed nothing is tested and nothing is bold. In the table "
            "of pairs, bold: the row is better; `=`: they tie. `comparisons.csv` has intervals "
            "and p. A rank such as 1-2 is the 95 % interval of the place when seeds and items are "
            f"drawn again. Rows are ordered by one number ({numbers}). Rows in italics (published "
            "configurations beside tuned ones, floors, ceilings), rows without the number and "
            "methods with more labels than the domain are not ranked. Of each factor, 0 = a "
            "guess, 1 = always right. A point of the curve is a state within the full training, "
            f"not a shorter training. Values hold for equal n and one extractor{same}.",
            "",
            *(f"- {said}" for said in sorted(parts)),
            *(
                f"- **{group}**: {'; '.join(_meaning(name, meanings) for name in names)}."
                for group, names in groups_of(infos, filter(meanings.__contains__, infos)).items()
            ),
        ]
    )


def _meaning(name: str, meanings: dict[str, str]) -> str:
    return f"{markdown_code(base_id(name))}: {markdown_prose(meanings[name])}"
