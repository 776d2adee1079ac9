"""From records to a tidy table: one row for each metric of each method, over all seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from bench.board.columns import infos_of
from bench.board.intervals import interval, mean
from bench.board.row_labels import row_labels
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import protocol_of
from bench.contracts.record import MetricEntry, Record

COLUMNS = (
    "profile",
    "task",
    "protocol",
    "method",
    "metric",
    "extractor",
    "budget",
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


def frame(records: Sequence[Record], known: Mapping[str, MetricInfo] | None = None) -> pd.DataFrame:
    """Return one row per (profile, task, protocol, method, metric, extractor), over all seeds.

    The column ``budget``, the fraction of the training, is 1: the rows are of finished methods. See
    `bench.board.curves.curve_rows` for others.

    known: The facts of known metrics, or None for the built-in metrics.
    """
    labels, infos = row_labels(records), infos_of(records, known)
    protocols = [protocol_of(record["identity"]) for record in records]
    newest: dict[tuple[int, str], int] = {}
    for protocol, record in zip(protocols, records, strict=True):
        for metric, entry in record["metrics"].items():
            known_so_far = newest.get((protocol, metric), 0)
            newest[protocol, metric] = max(known_so_far, entry["version"])
    entries = [
        {
            "profile": record["identity"]["profile"],
            "task": record["identity"]["task"],
            "protocol": protocols[at],
            "method": labels[at],
            "metric": metric,
            "seed": record["identity"]["seed"],
            **_current(entry, newest[protocols[at], metric]),
        }
        for at, record in enumerate(records)
        for metric, entry in record["metrics"].items()
    ]
    if not entries:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.DataFrame(entries)
    of_row = ["profile", "task", "protocol", "method", "metric"]
    table["extractor"] = table.groupby(of_row)["extractor"].transform(_one_name)
    keys = [*of_row, "extractor"]
    with np.errstate(over="ignore", invalid="ignore"):  # overflows are shown as such
        rows = [
            dict(zip(keys, key, strict=True)) | _over_seeds(infos[str(key[4])], group)
            for key, group in table.groupby(keys, sort=False)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(
        keys, kind="stable", ignore_index=True
    )


_ENTRY = (
    "value",
    "lo",
    "hi",
    "n",
    "status",
    "reason",
    "extractor",
    "unit",
    "better",
    "detail",
    "items",
)


def _current(entry: MetricEntry, newest: int) -> dict[str, Any]:
    """Return the fields of an entry. Values of older versions of the metric count as missing."""
    found = {key: entry.get(key, {}) for key in _ENTRY}
    if entry["version"] < newest and entry["status"] == "ok":
        reason = (
            f"scored by version {entry['version']}, others by {newest}: `bench score` does it again"
        )
        found |= {"value": None, "lo": None, "hi": None, "status": "outdated", "reason": reason}
    return found


def _one_name(extractors: pd.Series) -> pd.Series:
    """Fill in the extractor of missing values, so that they are in one row with the others."""
    names = [name for name in extractors.unique() if name]
    return extractors.replace("", names[0]) if len(names) == 1 else extractors


def _over_seeds(info: MetricInfo, group: pd.DataFrame) -> dict[str, Any]:
    """Return the row of one metric: the mean over seeds and its interval, or why there is none."""
    row = {
        "budget": 1.0,
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
        if bad["status"] == "unavailable":  # it may say why, as the accuracy of the judge
            row["detail"] = _as_text(bad["detail"])
        if len(good):
            row["status"] = "incomplete"
            row["reason"] = f"{len(good)}/{len(group)} seeds; seed {bad['seed']}: {bad['reason']}"
        return row
    row["value"] = mean(info, good["value"].to_numpy(dtype=float))
    row["lo"], row["hi"] = interval(info, cast("list[dict[str, Any]]", good.to_dict("records")))
    row["detail"] = _as_text(over_seeds(list(good["detail"])))
    return row


def _as_text(detail: Any) -> str:
    return json.dumps(detail, sort_keys=True) if detail else ""


def over_seeds(details: Sequence[Any]) -> Any:
    """Combine the details of all seeds: the mean of numbers, and other values if all are equal.

    Other values that differ become None. Dictionaries are combined by key, for the keys that all
    seeds have. Lists are combined item by item.
    """
    first = details[0]
    if all(isinstance(detail, dict) for detail in details):
        together = {
            key: over_seeds([detail[key] for detail in details])
            for key in first
            if all(key in detail for detail in details)
        }
        return {key: value for key, value in together.items() if value is not None}
    if all(isinstance(detail, list) and len(detail) == len(first) for detail in details):
        return [over_seeds(items) for items in zip(*details, strict=True)]
    if all(detail == first for detail in details):
        return first
    if all(isinstance(detail, int | float) for detail in details):
        return float(np.mean(details))
    return None
