"""From records to the leaderboard: a tidy frame, and what is written of it.

The only aggregator of the suite. A gap is shown with its reason and never averaged; values of
different extractors or precisions never share a column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bench.anchors import ANCHORS

COLUMNS = (
    "profile",
    "task",
    "method",
    "metric",
    "extractor",
    "value",
    "lo",
    "hi",
    "n_seeds",
    "n_items",
    "unit",
    "better",
    "status",
    "reason",
)
LOG_SCALE = ("fd_", "fid_", "latency_", "train_images", "infer_images", "peak_")
"""Metrics, by the beginning of their ids, whose spread over seeds is relative."""

QUALITY = (
    "z1_domain_acc",
    "z1_domain_acc_linear",
    "cf_skill_in_add",
    "cf_skill_in_remove",
    "cf_harm_out_add",
    "cf_harm_out_remove",
    "cf_rank_add",
    "fd_add",
    "fd_remove",
    "fid_add",
    "fid_remove",
    "rec_l1_a",
    "rec_l1_b",
    "rec_psnr_a",
    "rec_psnr_b",
    "rec_ssim_a",
    "rec_ssim_b",
)
MAIN = (
    "z1_domain_acc",
    "cf_skill_in_add",
    "cf_skill_in_remove",
    "cf_harm_out_add",
    "cf_rank_add",
    "fd_add",
    "fd_remove",
    "rec_l1_a",
    "rec_l1_b",
)
"""The columns of the first table."""

RANKED = ("z1_domain_acc", "cf_skill_in_add", "cf_rank_add", "fd_add", "rec_l1_a")
"""Their mean rank orders the rows: hiding, adding, following the guide, realism, keeping."""

COST = (
    "train_images_per_s",
    "infer_images_per_s",
    "latency_ms_p50",
    "latency_ms_p95",
    "peak_memory_mb",
    "params",
    "flops_infer",
)
FACTS = ("steps", "images", "flops", "cpu_seconds")
ARROWS = {"higher": "up", "lower": "down"}


def frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per (profile, task, method, metric, extractor), seeds put together."""
    labels = _labels(records)
    newest: dict[str, int] = {}
    for record in records:
        for metric, entry in record["metrics"].items():
            newest[metric] = max(newest.get(metric, 0), entry["version"])
    entries = [
        {
            "profile": record["identity"]["profile"],
            "task": record["identity"]["task"],
            "method": labels[at],
            "metric": metric,
            "seed": record["identity"]["seed"],
            **_current(entry, newest[metric]),
        }
        for at, record in enumerate(records)
        for metric, entry in record["metrics"].items()
    ]
    if not entries:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.DataFrame(entries)
    table["extractor"] = table.groupby(["profile", "task", "method", "metric"])[
        "extractor"
    ].transform(_one_name)
    keys = ["profile", "task", "method", "metric", "extractor"]
    rows = [
        dict(zip(keys, key, strict=True)) | _over_seeds(str(key[3]), group)
        for key, group in table.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(
        keys, kind="stable", ignore_index=True
    )


_ENTRY = ("value", "lo", "hi", "n", "status", "reason", "extractor", "unit", "better")


def _current(entry: Mapping[str, Any], newest: int) -> dict[str, Any]:
    """Return what the frame takes of an entry; a value of an older version of it is a gap."""
    found = {key: entry[key] for key in _ENTRY}
    if entry["version"] < newest and entry["status"] == "ok":
        reason = f"scored by version {entry['version']}, others by {newest}: run it again"
        found |= {"value": None, "lo": None, "hi": None, "status": "outdated", "reason": reason}
    return found


def _one_name(extractors: pd.Series) -> pd.Series:
    """Give gaps the extractor of their neighbours, so that they stand in one row with them."""
    names = [name for name in extractors.unique() if name]
    return extractors.replace("", names[0]) if len(names) == 1 else extractors


def _over_seeds(metric: str, group: pd.DataFrame) -> dict[str, Any]:
    """Return the row of one metric: the mean over seeds, or why there is none.

    For what spreads on the log scale it is the geometric mean.
    """
    row = {
        "unit": next((u for u in group["unit"] if u), ""),
        "better": next((b for b in group["better"] if b), ""),
        "value": math.nan,
        "lo": math.nan,
        "hi": math.nan,
        "n_seeds": 0,
        "n_items": int(group["n"].max()),
        "status": "ok",
        "reason": "",
    }
    good = group[group["status"] == "ok"]
    row["n_seeds"] = len(good)
    if len(good) < len(group):
        bad = group[group["status"] != "ok"].iloc[0]
        row["status"], row["reason"] = bad["status"], bad["reason"]
        if len(good):
            row["status"] = "incomplete"
            row["reason"] = f"{len(good)}/{len(group)} seeds; seed {bad['seed']}: {bad['reason']}"
        return row
    values = good["value"].to_numpy(dtype=float)
    relative = metric.startswith(LOG_SCALE) and bool((values > 0).all())
    row["value"] = float(np.exp(np.log(values).mean()) if relative else values.mean())
    if len(values) == 1:
        row["value"] = float(values[0])
        row["lo"], row["hi"] = (
            float(good[key].iloc[0]) if good[key].iloc[0] is not None else math.nan
            for key in ("lo", "hi")
        )
        return row
    row["lo"], row["hi"] = seed_interval(values, relative)
    return row


def seed_interval(values: np.ndarray, relative: bool) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean over seeds, (k,) values, k >= 2.

    With relative, of the geometric mean; a percentile bootstrap of three seeds would cover 75 %.
    """
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    points = np.log(values) if relative else values
    reach = stats.t.ppf(0.975, len(points) - 1) * points.std(ddof=1) / np.sqrt(len(points))
    ends = points.mean() - reach, points.mean() + reach
    lo, hi = np.exp(ends) if relative else ends
    return float(lo), float(hi)


CONDITIONS = ("device", "precision", "threads", "fingerprint")
"""What must be equal for values to stand in one column without a word."""


def _labels(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the label of each record, with the difference where unlike cells would share it.

    Cells of one label that differ in more than their seed are never put together; and where a
    condition differs anywhere on a board, every row of the board says its own.
    """
    flat = [_flat(record["identity"]) for record in records]
    boards_of: dict[tuple[str, str], list[int]] = {}
    for at, record in enumerate(records):
        if record["identity"]["method"] not in ANCHORS:
            place = (record["identity"]["profile"], record["identity"]["task"])
            boards_of.setdefault(place, []).append(at)
    labels = [str(record["label"]) for record in records]
    for board in boards_of.values():
        differ = _differing([flat[at] for at in board]) & set(CONDITIONS)
        by_label: dict[str, list[int]] = {}
        for at in board:
            by_label.setdefault(str(records[at]["label"]), []).append(at)
        for label, same in by_label.items():
            keys = sorted(differ | _differing([flat[at] for at in same]))
            for at in same:
                inside = ",".join(f"{key}={flat[at].get(key)}" for key in keys)
                labels[at] = f"{label}{{{inside}}}" if inside else label
    return labels


def _differing(identities: Sequence[Mapping[str, str]]) -> set[str]:
    """Return the keys whose values are not all equal."""
    keys = {key for identity in identities for key in identity}
    return {key for key in keys if len({identity.get(key) for identity in identities}) > 1}


def _flat(identity: Mapping[str, Any]) -> dict[str, str]:
    """Return an identity without its seed as text, with configuration and numbers on one level."""
    found = {k: v for k, v in identity.items() if k not in ("seed", "config", "numbers")}
    return {k: str(v) for k, v in (found | identity["config"] | identity["numbers"]).items()}


@dataclass(frozen=True)
class Board:
    """One table: the methods of a (profile, task), best mean rank first, then the anchors."""

    profile: str
    task: str
    rows: pd.DataFrame
    order: list[str]
    ranks: dict[str, float]
    facts: dict[str, dict[str, float]]
    meanings: dict[str, str]
    notes: dict[str, str]

    def cell(self, method: str, metric: str) -> Mapping[str, Any] | None:
        """Return the row of a method and metric, or None."""
        found = self.rows[(self.rows["method"] == method) & (self.rows["metric"] == metric)]
        return dict(found.iloc[0]) if len(found) else None

    def columns(self, wanted: Sequence[str]) -> list[str]:
        """Return the columns that there are of the wanted metrics."""
        found = list(dict.fromkeys(self.rows["metric"]))
        return [name for metric in wanted for name in found if name.split(" [")[0] == metric]

    def better(self, metric: str) -> str:
        """Return the direction of a metric."""
        found = self.rows[(self.rows["metric"] == metric) & (self.rows["better"] != "")]
        return str(found.iloc[0]["better"]) if len(found) else ""


def boards(records: Sequence[Mapping[str, Any]]) -> list[Board]:
    """Return a board for each (profile, task) of the records."""
    table = frame(records)
    labels = _labels(records)
    made = []
    for profile, task in dict.fromkeys(
        (r["identity"]["profile"], r["identity"]["task"]) for r in records
    ):
        rows = _apart(table[(table["profile"] == profile) & (table["task"] == task)])
        here = [
            (record, label)
            for record, label in zip(records, labels, strict=True)
            if (record["identity"]["profile"], record["identity"]["task"]) == (profile, task)
        ]
        anchors = {label for record, label in here if record["identity"]["method"] in ANCHORS}
        ranks = mean_ranks(rows[~rows["method"].isin(anchors)])
        methods = sorted(
            {label for _, label in here} - anchors, key=lambda m: (ranks.get(m, math.inf), m)
        )
        order = methods + [name for name in ANCHORS if name in anchors]
        order += sorted(anchors - set(order))
        notes = {label: str(record["facts"].get("note") or "") for record, label in here}
        made.append(Board(profile, task, rows, order, ranks, _facts(here), _meanings(here), notes))
    return made


def _apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Give each extractor a column of its own where a metric has several: they share no scale."""
    named = rows["extractor"] != ""
    several = rows[named].groupby("metric")["extractor"].nunique()
    mixed = rows["metric"].isin(several[several > 1].index) & named
    names = rows["metric"].where(~mixed, rows["metric"] + " [" + rows["extractor"] + "]")
    return rows.assign(metric=names)


def mean_ranks(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean rank of each method over `RANKED`, ties averaged; only complete methods."""
    ranked = [metric for metric in RANKED if (rows["metric"] == metric).any()]
    wide = rows[rows["metric"].isin(ranked)].pivot(index="method", columns="metric", values="value")
    wide = wide.astype(float).dropna()
    if wide.empty or not ranked:
        return {}
    for metric in wide.columns:
        better = rows.loc[(rows["metric"] == metric) & (rows["better"] != ""), "better"].iloc[0]
        if metric == "z1_domain_acc":
            wide[metric] = wide[metric].clip(lower=0.5)  # below chance is chance
        wide[metric] = wide[metric].rank(ascending=better == "lower", method="average")
    return {str(method): float(rank) for method, rank in wide.mean(axis=1).items()}


def _facts(here: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, dict[str, float]]:
    """Return the mean over seeds of what training took, for each method."""
    found: dict[str, dict[str, list[float]]] = {}
    for record, label in here:
        for fact in FACTS:
            if fact in record["facts"]:
                found.setdefault(label, {}).setdefault(fact, []).append(record["facts"][fact])
    return {
        label: {fact: float(np.mean(values)) for fact, values in facts.items()}
        for label, facts in found.items()
    }


def _meanings(here: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, str]:
    return {
        metric: entry["meaning"]
        for record, _ in here
        for metric, entry in record["metrics"].items()
        if entry.get("meaning")
    }


def number(metric: str, value: float) -> str:
    """Return a value as it is printed, with digits that suit the metric."""
    if not math.isfinite(value):
        return "-"
    if metric in ("params", "flops_infer", "flops", "images", "steps"):
        for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= limit:
                return f"{value / limit:.3g}{unit}"
        return f"{value:.0f}"
    if metric.startswith(("rec_psnr", "fd_", "fid_", "latency")):
        return f"{value:.2f}"
    if metric.startswith(("cf_harm", "rec_l1")):
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
        rest = board.columns([metric for metric in QUALITY if metric not in MAIN])
        if rest:
            parts.append(_table(board, rest))
        parts.append(_cost_table(board))
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
                FACTS, ("steps", "images loaded", "training FLOPs", "CPU seconds"), strict=True
            )
        }
        row |= {_head(board, m): text(board.cell(method, m), interval=False) for m in metrics}
        rows.append(row)
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)) if rows else ""


def _seeds(board: Board, method: str) -> int:
    return max([0, *board.rows[board.rows["method"] == method]["n_seeds"]])


def _legend(board: Board) -> str:
    extractors = sorted({name for name in board.rows["extractor"] if name})
    lines = [
        "Brackets: 95 % interval, over the test items for one seed, over seeds for more. "
        f"Rows are ordered by the mean rank over {', '.join(RANKED)} (ties averaged); anchors and "
        "incomplete rows are not ranked. Values hold for equal n and one extractor"
        + (f" ({', '.join(extractors)})." if extractors else "."),
        "",
        *(f"- `{metric}`: {meaning}" for metric, meaning in board.meanings.items()),
    ]
    return "\n".join(lines)
