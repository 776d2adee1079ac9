"""Fills numbers from the committed records into the documents: `python -m tests.documents`.

In a document, each number of the board stands between two comments:

    <!--= small avatars-glasses press2019 cf_skill_in_add .0% -->42 %<!--/-->

The first comment names profile, task, method, metric and format. METRIC#KEY.KEY is a value in the
metric's detail. ``facts#steps`` is the number of training steps. The methods `highest` and `lowest`
are the extremes over all trained methods. The comments of a table are lines of their own and list
metrics with their formats:

    <!--board small avatars-glasses: z1_domain_acc .2f, fd_add .1f -->
    <!--/board-->

Names in brackets after the task choose the rows; `ranked` stands for all ranked methods.

A test fails if this command would change a document.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache

from bench.board.board import Board, boards
from bench.board.values import marked_unguided
from bench.records.store import Store
from tests.helpers import ROOT

DOCUMENTS = (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
NUMBER = re.compile(
    r"<!--= (\S+) (\S+) (\S+(?: \(published\))?) (\S+) (\S+) -->.*?<!--/-->", re.DOTALL
)
TABLE = re.compile(
    r"<!--board (\S+) ([\w-]+)(?: \[([^\]]*)\])?: (.*?) -->\n.*?<!--/board-->", re.DOTALL
)


@cache
def committed() -> Mapping[tuple[str, str], Board]:
    """Return the boards of the committed records, by profile and task."""
    records, _ = Store(ROOT / "results").records()
    found = reversed(boards(records))  # the newest protocol is the first board
    return {(board.profile, board.task): board for board in found}


def filled(text: str) -> str:
    """Return a document with its marked numbers and tables taken from the committed records."""
    return TABLE.sub(_table, NUMBER.sub(_number, text))


def _number(found: re.Match[str]) -> str:
    profile, task, method, metric, form = found.groups()
    board = committed()[profile, task]
    extreme = {"highest": max, "lowest": min}.get(method)
    if extreme is None:
        value = _value(board, method, metric)
    else:
        values = [_value(board, name, metric) for name in board.methods]
        value = extreme(value for value in values if value is not None)
    assert value is not None, f"{found[0]}: the board has no such number"
    return f"<!--= {profile} {task} {method} {metric} {form} -->{_text(value, form)}<!--/-->"


def _table(found: re.Match[str]) -> str:
    profile, task, chosen, wanted = found.groups()
    board = committed()[profile, task]
    columns = [column.split() for column in wanted.split(", ")]
    lines = [
        " | ".join(["|", *(f"`{metric}`" for metric, _ in columns), ""]).rstrip(),
        "|" + "---|" * (len(columns) + 1),
    ]
    for method in board.order if chosen is None else _chosen(board, chosen.split()):
        cells = [_cell(board, method, metric, form) for metric, form in columns]
        lines.append(f"| {' | '.join([method, *cells])} |")
    table = "\n".join(lines)
    rows = "" if chosen is None else f" [{chosen}]"
    return f"<!--board {profile} {task}{rows}: {wanted} -->\n{table}\n<!--/board-->"


def _chosen(board: Board, names: list[str]) -> list[str]:
    """Return the rows of a table by name, `ranked` for all ranked methods."""
    ranked = list(board.ordering.ranks)
    return [row for name in names for row in (ranked if name == "ranked" else [name])]


def _cell(board: Board, method: str, metric: str, form: str) -> str:
    """Return the text of a table cell: the value, "-" for none, or that the method is unguided."""
    value = _value(board, method, metric)
    if value is None:
        return "-"
    shown = _text(value, form)
    return shown if "#" in metric else marked_unguided(board, method, metric, value, shown)


def _value(board: Board, method: str, metric: str) -> float | None:
    name, _, path = metric.partition("#")
    if name == "facts":
        return board.facts[method][path]
    cell = board.cell(method, name)
    if cell is None or cell["status"] != "ok" or not math.isfinite(cell["value"]):
        return None
    value = cell["value"]
    if path:
        value = json.loads(cell["detail"])
        for key in path.split("."):
            value = value[key]
    return float(value)


def _text(value: float, form: str) -> str:
    text = format(value, form).replace("%", " %")
    return text.replace("-0.00", "0.00") if float(text.split()[0].replace(",", "")) == 0 else text


def main() -> None:
    """Fill in all documents and print which ones changed."""
    for path in DOCUMENTS:
        before = path.read_text("utf-8")
        if (after := filled(before)) != before:
            path.write_text(after, "utf-8")
            print(f"filled in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
