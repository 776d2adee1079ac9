"""How boards look: the text of a cell of a table, and the leaderboard as Markdown."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.board.board import Board, ranked_by
from bench.board.columns import ARROWS, COST, FACTS, FURTHER, MAIN, QUALITY
from bench.utils.output.escape import (
    csv_text,
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
)

FACT_HEADS = ("steps", "images loaded", "training FLOPs", "CPU seconds", "scoring CPU seconds")
"""What `FACTS` are called in the table of costs."""
NUMBERS = ("value", "lo", "hi", "n_seeds", "n_items")
"""The columns of the tidy frame that hold numbers."""


def number(metric: str, value: float) -> str:
    """Return a value as it is printed, with digits that suit the metric."""
    if not math.isfinite(value):
        return "-"
    if metric.startswith(("params", "flops")) or metric in ("images", "steps"):
        for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= limit:
                return f"{value / limit:.3g}{unit}"
        return f"{value:.0f}"
    if metric.startswith(("rec_psnr", "fd_", "fid_", "latency")):
        return f"{value:.2f}"
    if metric.startswith(("cf_harm", "rec_l1", "cyc_l1", "kid_")):
        return f"{value:.4f}"
    if metric in COST or metric in FACTS:
        return f"{value:.0f}"
    return f"{value:.3f}"


def text(row: Mapping[str, Any] | None, interval: bool = True) -> str:
    """Return what stands in a cell of a table: value and interval, or why there is none."""
    if row is None:
        return "not run"
    if row["status"] != "ok":
        return {"not_applicable": "n/a"}.get(str(row["status"]), str(row["status"]))
    shown = number(row["metric"], row["value"])
    if interval and math.isfinite(row["lo"]):
        shown += f" [{number(row['metric'], row['lo'])}, {number(row['metric'], row['hi'])}]"
    return shown


def csv(table: pd.DataFrame) -> str:
    """Return the tidy frame as CSV; no text of it is a formula for a spreadsheet."""
    texts = {name for name in table.columns if name not in NUMBERS}
    shown = {name: [csv_text(str(cell)) for cell in table[name]] for name in texts}
    return str(table.assign(**shown).to_csv(index=False))


def markdown(made: Sequence[Board], notes: Sequence[str] = ()) -> str:
    """Return the leaderboard as Markdown."""
    parts = ["# Leaderboard", *(f"> {markdown_prose(note)}" for note in notes)]
    for board in made:
        title = f"## {markdown_name(board.task)}, profile {markdown_code(board.profile)}"
        parts.append(title)
        main = board.columns(MAIN)
        parts.append(_table(board, main, ranked=True))
        for title, beginnings in FURTHER.items():
            ids = [m for m in QUALITY if m.startswith(beginnings) and m not in MAIN]
            if columns := board.columns(ids):
                parts += [f"### {title}", _table(board, columns)]
                if title == "What is in which code" and (of_factors := _factor_table(board)):
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
        rows.append(row + [text(board.cell(method, metric)) for metric in metrics])
    heads = ["method", *(("mean rank", "seeds") if ranked else ())]
    return markdown_table([*heads, *(_head(board, metric) for metric in metrics)], rows)


def _factor_table(board: Board) -> str:
    """Return what probes find of each factor in each code, the mean over seeds."""
    found = []
    for method in board.order:
        for code in ("z1", "z2"):
            cells = {}
            for metric in (f"info_{code}_common", f"leak_{code}_specific",
                           f"info_{code}_specific", f"leak_{code}_common"):  # fmt: skip
                for factor, facts in _details(board.cell(method, metric)).items():
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
    """Return what explains the value of a row."""
    found = json.loads(cell["detail"] or "{}") if cell else {}
    return found if isinstance(found, dict) else {}


def _detail(board: Board, metric: str, key: str) -> Any:
    """Return a detail that all methods share, from the first that has it, or None."""
    of_metric = board.rows[board.rows["metric"] == metric]
    found = (_details({"detail": text}).get(key) for text in of_metric["detail"])
    return next((value for value in found if value is not None), None)


def _cost_table(board: Board) -> str:
    metrics = board.columns(COST)
    facts_of = {label: facts for label in board.order if (facts := board.facts.get(label))}
    if not facts_of:
        return ""
    rows = [
        [
            markdown_name(method),
            *(number(fact, facts.get(fact, math.nan)) for fact in FACTS),
            *(text(board.cell(method, metric), interval=False) for metric in metrics),
        ]
        for method, facts in facts_of.items()
    ]
    heads = ("method", *FACT_HEADS, *(_head(board, metric) for metric in metrics))
    return markdown_table(heads, rows)


_KIND_OF_MACHINE = (
    "Times, rates and memory compare within one kind of machine only "
    "(processor, instructions, torch)"
)


def _measured_on(board: Board) -> str:
    """Return which machines the times of a board are of: they compare within one kind only."""
    names = {machine: markdown_prose(machine) for machine in board.machines}
    if len(names) == 1:
        return f"{_KIND_OF_MACHINE}: {min(names.values())}."
    lines = [
        f"- {names[machine]}: {', '.join(map(markdown_name, labels))}"
        for machine, labels in board.machines.items()
    ]
    return f"{_KIND_OF_MACHINE}, of which there are several here:\n\n" + "\n".join(lines)


def _seeds(board: Board, method: str) -> int:
    return max([0, *board.rows[board.rows["method"] == method]["n_seeds"]])


def _references(board: Board) -> list[str]:
    """Return what values are to be held against: chance, and what real images score."""
    said = []
    chance = _detail(board, "z1_domain_acc", "chance")
    if isinstance(chance, list) and len(chance) == 2 and all(map(_is_number, chance)):
        said.append(f"Guessing has a `z1_domain_acc` of {chance[0]:.3f} to {chance[1]:.3f} (95 %).")
    floors = {metric: _detail(board, metric, "floor") for metric in ("fd_add", "fd_remove")}
    said += [
        f"Real images have a `{metric}` of {number(metric, floor)}."
        for metric, floor in floors.items()
        if _is_number(floor)
    ]
    return said


def _legend(board: Board) -> str:
    extractors = sorted({name for name in board.rows["extractor"] if name})
    lines = [
        "Brackets: 95 % interval, over the test items for one seed, over seeds for more. "
        f"Rows are ordered by the mean rank over {', '.join(ranked_by(board.rows))} (ties "
        "averaged); anchors, incomplete rows and methods that are told more than the domain are "
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


def _is_number(value: Any) -> bool:
    """Return whether a value of a detail is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
