"""From records to the leaderboard: a tidy frame, and a board for each task (`bench.tables`).

The only aggregator of the suite. A gap is shown with its reason and never averaged; values of
different extractors or precisions never share a column.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # of scipy.stats, but that takes a second to import

from bench.anchors import ANCHORS
from bench.details import over_seeds
from bench.environment import machine_of
from bench.rows import row_labels

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
    "detail",
)
LOG_SCALE = ("fd_", "fid_", "latency_", "train_images", "infer_images", "peak_")
"""Metrics, by the beginning of their ids, whose spread over seeds is relative."""

QUALITY = (
    "z1_domain_acc",
    "z1_domain_acc_linear",
    "z1_leak_bits",
    "z1_probe_power",
    "da_acc",
    "da_acc_back",
    "da_acc_source",
    "separation",
    "info_z1_common",
    "leak_z1_specific",
    "info_z2_specific",
    "leak_z2_common",
    "mig_block",
    "sap_block",
    "dci_block",
    "cf_skill_in_add",
    "cf_skill_in_remove",
    "cf_harm_out_add",
    "cf_harm_out_remove",
    "cf_rank_add",
    "tr_specific_acc",
    "tr_common_acc",
    "tr_domain_success",
    "rm_common_acc",
    "rm_domain_success",
    "div_guides",
    "cyc_l1_a",
    "cyc_l1_b",
    "cyc_z1",
    "cyc_z2",
    "fd_add",
    "fd_remove",
    "fd_cond_add",
    "fd_cond_remove",
    "fid_add",
    "fid_remove",
    "kid_add",
    "kid_remove",
    "precision_add",
    "precision_remove",
    "recall_add",
    "recall_remove",
    "density_add",
    "density_remove",
    "coverage_add",
    "coverage_remove",
    "rec_l1_a",
    "rec_l1_b",
    "rec_psnr_a",
    "rec_psnr_b",
    "rec_ssim_a",
    "rec_ssim_b",
)
RANKED = ("z1_domain_acc", "da_acc", "cf_skill_in_add", "cf_rank_add", "fd_add", "rec_l1_a")
"""Their mean rank orders the rows: hiding, carrying a label over, adding, following the guide,
realism, keeping."""

COST = (
    "train_images_per_s",
    "infer_images_per_s",
    "latency_ms_p50",
    "latency_ms_p95",
    "peak_memory_mb",
    "params",
    "params_infer",
    "flops_infer",
    "flops_train_step",
)
FACTS = ("steps", "images", "flops", "cpu_seconds", "scoring")


def frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per (profile, task, method, metric, extractor), seeds put together."""
    labels = row_labels(records)
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
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond all numbers is shown so
        rows = [
            dict(zip(keys, key, strict=True)) | _over_seeds(str(key[3]), group)
            for key, group in table.groupby(keys, sort=False)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(
        keys, kind="stable", ignore_index=True
    )


_ENTRY = ("value", "lo", "hi", "n", "status", "reason", "extractor", "unit", "better", "detail")


def _current(entry: Mapping[str, Any], newest: int) -> dict[str, Any]:
    """Return what the frame takes of an entry; a value of an older version of it is a gap."""
    found = {key: entry.get(key, {}) for key in _ENTRY}
    if entry["version"] < newest and entry["status"] == "ok":
        reason = (
            f"scored by version {entry['version']}, others by {newest}: `bench score` does it again"
        )
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
        "detail": "",
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
    detail = over_seeds(list(good["detail"]))
    row["detail"] = json.dumps(detail, sort_keys=True) if detail else ""
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
    reach = stdtrit(len(points) - 1, 0.975) * points.std(ddof=1) / np.sqrt(len(points))
    ends = points.mean() - reach, points.mean() + reach
    lo, hi = np.exp(ends) if relative else ends
    return float(lo), float(hi)


@dataclass(frozen=True)
class Board:
    """One table: the methods of a (profile, task), best mean rank first, then the anchors.

    machines: of each kind of machine (see `bench.environment.machine_of`) the trained methods whose
    times were measured there.
    """

    profile: str
    task: str
    rows: pd.DataFrame
    order: list[str]
    ranks: dict[str, float]
    facts: dict[str, dict[str, float]]
    meanings: dict[str, str]
    notes: dict[str, str]
    machines: dict[str, list[str]]

    def cell(self, method: str, metric: str) -> Mapping[str, Any] | None:
        """Return the row of a method and metric, or None."""
        found = self.rows[(self.rows["method"] == method) & (self.rows["metric"] == metric)]
        return dict(found.iloc[0]) if len(found) else None

    def columns(self, wanted: Sequence[str]) -> list[str]:
        """Return the columns of the wanted metrics that apply to any row."""
        applying = self.rows[self.rows["status"] != "not_applicable"]
        found = list(dict.fromkeys(applying["metric"]))
        return [name for metric in wanted for name in found if name.split(" [")[0] == metric]

    def better(self, metric: str) -> str:
        """Return the direction of a metric."""
        found = self.rows[(self.rows["metric"] == metric) & (self.rows["better"] != "")]
        return str(found.iloc[0]["better"]) if len(found) else ""


def boards(records: Sequence[Mapping[str, Any]], table: pd.DataFrame | None = None) -> list[Board]:
    """Return a board for each (profile, task) of the records, whose `frame` may be given."""
    table = frame(records) if table is None else table
    labels = row_labels(records)
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
        told_more = {
            label
            for record, label in here
            if record["facts"].get("supervision") not in (None, "domain")
        }
        ranks = mean_ranks(rows[~rows["method"].isin(anchors | told_more)])
        methods = sorted(
            {label for _, label in here} - anchors, key=lambda m: (ranks.get(m, math.inf), m)
        )
        order = methods + [name for name in ANCHORS if name in anchors]
        order += sorted(anchors - set(order))
        notes = {label: str(record["facts"].get("note") or "") for record, label in here}
        facts, machines = _facts(here), _machines(here)
        made.append(
            Board(profile, task, rows, order, ranks, facts, _meanings(here), notes, machines)
        )
    return made


def _apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Give each extractor a column of its own where a metric has several: they share no scale."""
    named = rows["extractor"] != ""
    several = rows[named].groupby("metric")["extractor"].nunique()
    mixed = rows["metric"].isin(several[several > 1].index) & named
    names = rows["metric"].where(~mixed, rows["metric"] + " [" + rows["extractor"] + "]")
    return rows.assign(metric=names)


def ranked_by(rows: pd.DataFrame) -> list[str]:
    """Return those of `RANKED` with a value and a direction: a task without truth has fewer."""
    valued = set(rows.loc[rows["value"].notna() & (rows["better"] != ""), "metric"])
    return [metric for metric in RANKED if metric in valued]


def mean_ranks(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean rank of each method by `ranked_by`, ties averaged; only complete methods."""
    ranked = ranked_by(rows)
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
            value = record["facts"].get(fact)
            if fact == "scoring":
                value = _seconds_of_scoring(record)
            if value is not None:
                found.setdefault(label, {}).setdefault(fact, []).append(value)
    return {
        label: {fact: float(np.mean(values)) for fact, values in facts.items()}
        for label, facts in found.items()
    }


def _machines(here: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, list[str]]:
    """Return the methods that were timed on each kind of machine, in the order of their labels."""
    found: dict[str, set[str]] = {}
    for record, label in here:
        if "steps" in record["facts"]:
            machine = machine_of(record.get("environment", {}))
            found.setdefault(machine, set()).add(label)
    return {machine: sorted(labels) for machine, labels in sorted(found.items())}


def _seconds_of_scoring(record: Mapping[str, Any]) -> float | None:
    """Return the CPU seconds of all numbers of a record, None where they are not known of all."""
    families = record["facts"].get("scoring", {}).values()
    known = {name for family in families for name in family["numbers"]}
    if not known or known < set(record["metrics"]):
        return None
    return float(sum(family["cpu_seconds"] for family in families))


def _meanings(here: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, str]:
    return {
        metric: entry["meaning"]
        for record, _ in here
        for metric, entry in record["metrics"].items()
        if entry.get("meaning")
    }
