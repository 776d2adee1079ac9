"""How boards look: the text of a cell of a table, and the leaderboard as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.board import COST, FACTS, QUALITY, Board, ranked_by

MAIN = (
    "z1_domain_acc",
    "z1_probe_power",
    "da_acc",
    "separation",
    "cf_skill_in_add",
    "cf_skill_in_remove",
    "cf_harm_out_add",
    "cf_rank_add",
    "tr_specific_acc",
    "tr_common_acc",
    "fd_add",
    "rec_l1_a",
)
"""The columns of the first table."""

FURTHER = {
    "What is in which code": ("z1_", "da_", "info_", "leak_", "mig_", "sap_", "dci_"),
    "Transfer": ("cf_", "tr_", "rm_", "div_", "cyc_"),
    "Image quality": ("fd_", "fid_", "kid_", "precision_", "recall_", "density_", "coverage_"),
    "Reconstruction": ("rec_",),
}
"""The tables of the other columns, by the beginnings of their ids."""

ARROWS = {"higher": "up", "lower": "down", "near 1": "to 1"}


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


def markdown(made: Sequence[Board], notes: Sequence[str] = ()) -> str:
    """Return the leaderboard as Markdown."""
    parts = ["# Leaderboard", *(f"> {note}" for note in notes)]
    for board in made:
        parts.append(f"## {board.task}, profile `{board.profile}`")
        main = board.columns(MAIN)
        parts.append(_table(board, main, ranked=True))
        for title, beginnings in FURTHER.items():
            ids = [m for m in QUALITY if m.startswith(beginnings) and m not in MAIN]
            if columns := board.columns(ids):
                parts += [f"### {title}", _table(board, columns)]
                if title == "What is in which code" and (of_factors := _factor_table(board)):
                    parts += ["Of each factor, 0 = a guess, 1 = always right:", of_factors]
        if costs := _cost_table(board):
            parts += ["### Cost", costs]
        parts += [f"{method}: {note}." for method, note in board.notes.items() if note]
        gaps = board.rows[~board.rows["status"].isin(["ok"])]
        reasons = gaps.groupby(["method", "reason"], sort=False)["metric"].agg(list)
        lines = []
        for method, reason in reasons.index:
            metrics = reasons[method, reason]
            which = ", ".join(metrics) if len(metrics) <= 4 else f"{len(metrics)} metrics"
            lines.append(f"- {method}: {reason} ({which})")
        if lines:
            parts.append("Gaps:\n\n" + "\n".join(lines))
        parts.append(_legend(board))
    return "\n\n".join(parts) + "\n"


def _head(board: Board, metric: str) -> str:
    return f"{metric} ({ARROWS.get(board.better(metric), '')})"


def _table(board: Board, metrics: Sequence[str], ranked: bool = False) -> str:
    rows = []
    for method in board.order:
        row = {"method": method}
        if ranked:
            rank = board.ranks.get(method)
            row["mean rank"] = f"{rank:.1f}" if rank is not None else "-"
            row["seeds"] = str(_seeds(board, method))
        row |= {_head(board, m): text(board.cell(method, m)) for m in metrics}
        rows.append(row)
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


def _factor_table(board: Board) -> str:
    """Return what probes find of each factor in each code, the mean over seeds."""
    rows = []
    for method in board.order:
        for code in ("z1", "z2"):
            cells = {}
            for metric in (f"info_{code}_common", f"leak_{code}_specific",
                           f"info_{code}_specific", f"leak_{code}_common"):  # fmt: skip
                cell = board.cell(method, metric)
                for factor, facts in json.loads(cell["detail"] or "{}").items() if cell else ():
                    if isinstance(facts, dict):
                        cells[factor] = f"{facts['value']:.2f}"
            if cells:
                rows.append({"method": method, "code": code} | cells)
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)) if rows else ""


def _detail(board: Board, metric: str, key: str) -> Any:
    """Return a detail that all methods share, from the first that has it, or None."""
    of_metric = board.rows[board.rows["metric"] == metric]
    found = (json.loads(text).get(key) for text in of_metric["detail"] if text)
    return next((value for value in found if value is not None), None)


def _cost_table(board: Board) -> str:
    metrics = board.columns(COST)
    rows = []
    for method in board.order:
        facts = board.facts.get(method)
        if not facts:
            continue
        row = {"method": method} | {
            name: number(fact, facts.get(fact, math.nan))
            for fact, name in zip(
                FACTS,
                ("steps", "images loaded", "training FLOPs", "CPU seconds", "scoring CPU seconds"),
                strict=True,
            )
        }
        row |= {_head(board, m): text(board.cell(method, m), interval=False) for m in metrics}
        rows.append(row)
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)) if rows else ""


def _seeds(board: Board, method: str) -> int:
    return max([0, *board.rows[board.rows["method"] == method]["n_seeds"]])


def _references(board: Board) -> list[str]:
    """Return what values are to be held against: chance, and what real images score."""
    said = []
    if chance := _detail(board, "z1_domain_acc", "chance"):
        said.append(f"Guessing has a `z1_domain_acc` of {chance[0]:.3f} to {chance[1]:.3f} (95 %).")
    floors = {metric: _detail(board, metric, "floor") for metric in ("fd_add", "fd_remove")}
    said += [
        f"Real images have a `{metric}` of {number(metric, floor)}."
        for metric, floor in floors.items()
        if floor is not None
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
        + (f" ({', '.join(extractors)})." if extractors else "."),
        *_references(board),
        "",
        *(f"- `{metric}`: {meaning}" for metric, meaning in board.meanings.items()),
    ]
    return "\n".join(lines)
