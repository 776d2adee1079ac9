"""The text form of boards: the text of a table cell, and the leaderboard as Markdown."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import pandas as pd

from bench.board.board import Board, ranked_by
from bench.board.columns import (
    ARROWS,
    TRAINING_FACTS,
    base_id,
    further_groups,
    main_metrics,
    of_group,
)
from bench.utils.output.escape import (
    csv_text,
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
)

NUMBERS = ("value", "lo", "hi", "n_seeds", "n_items")
"""The columns of the tidy frame that hold numbers."""


def number(value: float, digits: int | None) -> str:
    """Return a value with `digits` decimals. With None, use a unit prefix, as in 1.5M."""
    if not math.isfinite(value):
        return "-"
    if digits is None:
        for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= limit:
                return f"{value / limit:.3g}{unit}"
        return f"{value:.0f}"
    return f"{value:.{digits}f}"


def text(board: Board, method: str, metric: str, interval: bool = True) -> str:
    """Return the text of a table cell: the value and interval, or why there is no value."""
    row = board.cell(method, metric)
    if row is None:
        return "not run"
    if row["status"] != "ok":
        return {"not_applicable": "n/a"}.get(str(row["status"]), str(row["status"]))
    info = board.infos[base_id(metric)]
    digits = None if info.kind == "counted" else info.digits
    shown = number(row["value"], digits)
    if interval and math.isfinite(row["lo"]):
        shown += f" [{number(row['lo'], digits)}, {number(row['hi'], digits)}]"
    return shown


def csv(table: pd.DataFrame) -> str:
    """Return the tidy frame as CSV. A spreadsheet will not run any text of it as a formula."""
    texts = {name for name in table.columns if name not in NUMBERS}
    shown = {name: [csv_text(str(cell)) for cell in table[name]] for name in texts}
    return str(table.assign(**shown).to_csv(index=False))


def markdown(made: Sequence[Board], notes: Sequence[str] = ()) -> str:
    """Return the leaderboard as Markdown."""
    parts = ["# Leaderboard", *(f"> {markdown_prose(note)}" for note in notes)]
    for board in made:
        title = f"## {markdown_name(board.task)}, profile {markdown_code(board.profile)}"
        parts.append(title)
        main = board.columns(main_metrics(board.infos))
        parts.append(_table(board, main, ranked=True))
        for group, ids in further_groups(board.infos).items():
            if columns := board.columns(ids):
                parts += [f"### {group}", _table(board, columns)]
                if of_factors := _factor_table(board, group):
                    parts += ["Of each factor, 0 = a guess, 1 = always right:", of_factors]
        if costs := _cost_table(board):
            parts += ["### Cost", costs, _measured_on(board)]
        parts += [
            f"{markdown_name(method)}: {markdown_prose(note)}."
            for method, note in board.notes.items()
            if note
        ]
        gaps = board.rows[~board.rows["status"].isin(["ok"])]
        reasons = gaps.groupby(["method", "reason"], sort=False)["metric"].agg(list)
        lines = []
        for method, reason in reasons.index:
            metrics = reasons[method, reason]
            few = len(metrics) <= 4
            which = ", ".join(map(markdown_name, metrics)) if few else f"{len(metrics)} metrics"
            lines.append(f"- {markdown_name(method)}: {markdown_prose(reason)} ({which})")
        if lines:
            parts.append("Gaps:\n\n" + "\n".join(lines))
        parts.append(_legend(board))
    return "\n\n".join(parts) + "\n"


def _head(board: Board, metric: str) -> str:
    return f"{markdown_name(metric)} ({ARROWS.get(board.better(metric), '')})"


def _table(board: Board, metrics: Sequence[str], ranked: bool = False) -> str:
    rows = []
    for method in board.order:
        row = [markdown_name(method)]
        if ranked:
            rank = board.ranks.get(method)
            row += [f"{rank:.1f}" if rank is not None else "-", str(_seeds(board, method))]
        rows.append(row + [text(board, method, metric) for metric in metrics])
    heads = ["method", *(("mean rank", "seeds") if ranked else ())]
    return markdown_table([*heads, *(_head(board, metric) for metric in metrics)], rows)


def _factor_table(board: Board, group: str) -> str:
    """Return a table of what the probes find for each factor in each code, averaged over seeds."""
    infos = [info for info in board.infos.values() if info.group == group and info.code]
    found = []
    for method in board.order:
        for code in ("z1", "z2"):
            cells = {}
            for info in (info for info in infos if info.code == code):
                for factor, facts in _details(board.cell(method, info.id)).items():
                    if isinstance(facts, dict) and _is_number(facts.get("value")):
                        cells[factor] = f"{facts['value']:.2f}"
            if cells:
                found.append((method, code, cells))
    factors = list(dict.fromkeys(factor for _, _, cells in found for factor in cells))
    rows = [
        [markdown_name(method), code, *(cells.get(factor, "-") for factor in factors)]
        for method, code, cells in found
    ]
    heads = ["method", "code", *map(markdown_name, factors)]
    return markdown_table(heads, rows) if rows else ""


def _details(cell: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the details of an entry."""
    found = json.loads(cell["detail"] or "{}") if cell else {}
    return found if isinstance(found, dict) else {}


def _detail(board: Board, metric: str, key: str) -> Any:
    """Return a detail that is equal for all methods, from the first that has it, or None."""
    of_metric = board.rows[board.rows["metric"] == metric]
    found = (_details({"detail": text}).get(key) for text in of_metric["detail"])
    return next((value for value in found if value is not None), None)


def _cost_table(board: Board) -> str:
    metrics = board.columns(of_group(board.infos, "Cost"))
    facts_of = {label: facts for label in board.order if (facts := board.facts.get(label))}
    if not facts_of:
        return ""
    rows = [
        [
            markdown_name(method),
            *(
                number(facts.get(fact, math.nan), digits)
                for fact, (_, digits) in TRAINING_FACTS.items()
            ),
            *(text(board, method, metric, interval=False) for metric in metrics),
        ]
        for method, facts in facts_of.items()
    ]
    fact_heads = (head for head, _ in TRAINING_FACTS.values())
    heads = ("method", *fact_heads, *(_head(board, metric) for metric in metrics))
    return markdown_table(heads, rows)


_KIND_OF_MACHINE = (
    "Times, rates and memory compare within one kind of machine only "
    "(processor, instructions, torch)"
)


def _measured_on(board: Board) -> str:
    """Return a note on the machines of the times, which compare only within one kind."""
    names = {machine: markdown_prose(machine) for machine in board.machines}
    if len(names) == 1:
        return f"{_KIND_OF_MACHINE}: {min(names.values())}."
    lines = [
        f"- {names[machine]}: {', '.join(map(markdown_name, labels))}"
        for machine, labels in board.machines.items()
    ]
    return f"{_KIND_OF_MACHINE}, and there are several here:\n\n" + "\n".join(lines)


def _seeds(board: Board, method: str) -> int:
    return int(max([0, *board.rows[board.rows["method"] == method]["n_seeds"]]))


def _references(board: Board) -> list[str]:
    """Return reference values for the metrics: chance, and the scores of real images."""
    said = []
    for info in board.infos.values():
        found = _detail(board, info.id, info.reference) if info.reference else None
        if isinstance(found, list) and len(found) == 2 and all(map(_is_number, found)):
            lo, hi = (number(end, info.digits) for end in found)
            said.append(f"Guessing has a `{info.id}` of {lo} to {hi} (95 %).")
        elif _is_number(found):
            said.append(f"Real images have a `{info.id}` of {number(found, info.digits)}.")
    return said


def _legend(board: Board) -> str:
    extractors = sorted({name for name in board.rows["extractor"] if name})
    ranked = ", ".join(ranked_by(board.rows, board.infos))
    lines = [
        "Brackets: 95 % interval, over the test items for one seed, over seeds for more. "
        f"Rows are ordered by the mean rank over {ranked} (ties "
        "averaged); anchors, incomplete rows and methods with more labels than the domain are "
        "not ranked. "
        "Values hold for equal n and one extractor"
        + (f" ({', '.join(map(markdown_name, extractors))})." if extractors else "."),
        *_references(board),
        "",
        *(
            f"- {markdown_code(metric)}: {markdown_prose(meaning)}"
            for metric, meaning in board.meanings.items()
        ),
    ]
    return "\n".join(lines)


def _is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of a detail is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
