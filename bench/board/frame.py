"""From records to a tidy table: one row for each metric of each method, over all seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

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


PYTHON_STRINGS = ("mode.string_storage", "python")
"""The option of pandas with which a name can hold any character.

If pyarrow is installed, texts of a frame are its own by default, and it refuses half characters
(surrogates), which stand for the bytes of file names that are not UTF-8.
"""


@pd.option_context(*PYTHON_STRINGS)
def frame(
    records: Sequence[Record],
    known: Mapping[str, MetricInfo] | None = None,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return one row per (profile, task, protocol, method, metric, extractor), over all seeds.

    The column ``budget``, the fraction of the training, is 1: the rows are of finished methods. See
    `bench.board.curves.curve_rows` for others.

    Args:
        records: The records.
        known: The facts of known metrics, or None for the built-in metrics.
        labels: The `row_labels` of the records, if they exist already.
    """
    labels = row_labels(records) if labels is None else labels
    infos = infos_of(records, known)
    protocols = [protocol_of(record["identity"]) for record in records]
    newest: dict[tuple[int, str], int] = {}
    for protocol, record in zip(protocols, records, strict=True):
        for metric, entry in record["metrics"].items():
            known_so_far = newest.get((protocol, metric), 0)
            newest[protocol, metric] = max(known_so_far, entry["version"])
    by_row: dict[tuple[Any, ...], list[_Entry]] = {}  # grouping in pandas takes five times as long
    for protocol, label, record in zip(protocols, labels, records, strict=True):
        identity = record["identity"]
        for metric, entry in record["metrics"].items():
            key = (identity["profile"], identity["task"], protocol, label, metric)
            here = _current(entry, newest[protocol, metric]) | {"seed": identity["seed"]}
            by_row.setdefault(key, []).append(here)
    rows = []
    with np.errstate(over="ignore", invalid="ignore"):  # overflows are shown as such
        for key, entries in sorted(by_row.items()):
            for extractor, group in sorted(_by_extractor(entries).items()):
                row = dict(zip(COLUMNS, (*key, extractor), strict=False))
                rows.append(row | _over_seeds(infos[key[-1]], group))
    return pd.DataFrame(rows, columns=list(COLUMNS))


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


_Entry = dict[str, Any]
"""The fields of `_ENTRY` and the seed."""


def _current(entry: MetricEntry, newest: int) -> _Entry:
    """Return the fields of an entry. Values of older versions of the metric count as missing."""
    found = {key: entry.get(key, {}) for key in _ENTRY}
    if entry["version"] < newest and entry["status"] == "ok":
        reason = (
            f"scored by version {entry['version']}, others by {newest}: `bench score` does it again"
        )
        found |= {"value": None, "lo": None, "hi": None, "status": "outdated", "reason": reason}
    return found


def _by_extractor(entries: Sequence[_Entry]) -> dict[str, list[_Entry]]:
    """Return the entries of each extractor.

    Missing values name no extractor. If there is one, they are in one row with its values.
    """
    names = {entry["extractor"] for entry in entries} - {""}
    only = next(iter(names)) if len(names) == 1 else ""
    found: dict[str, list[_Entry]] = {}
    for entry in entries:
        found.setdefault(entry["extractor"] or only, []).append(entry)
    return found


def _over_seeds(info: MetricInfo, group: Sequence[_Entry]) -> dict[str, Any]:
    """Return the row of one metric: the mean over seeds and its interval, or why there is none."""
    row = {
        "budget": 1.0,
        "unit": next((entry["unit"] for entry in group if entry["unit"]), ""),
        "better": next((entry["better"] for entry in group if entry["better"]), ""),
        "value": math.nan,
        "lo": math.nan,
        "hi": math.nan,
        "n_seeds": 0,
        "n_items": int(max(entry["n"] for entry in group)),
        "status": "ok",
        "reason": "",
        "detail": "",
    }
    good = [entry for entry in group if entry["status"] == "ok"]
    row["n_seeds"] = len(good)
    if len(good) < len(group):
        bad = next(entry for entry in group if entry["status"] != "ok")
        row["status"], row["reason"] = bad["status"], bad["reason"]
        if bad["status"] == "unavailable":  # it may say why, as the accuracy of the judge
            row["detail"] = _as_text(bad["detail"])
        if len(good):
            row["status"] = "incomplete"
            row["reason"] = f"{len(good)}/{len(group)} seeds; seed {bad['seed']}: {bad['reason']}"
        return row
    row["value"] = mean(info, np.array([entry["value"] for entry in good], dtype=float))
    row["lo"], row["hi"] = interval(info, good)
    row["detail"] = _as_text(over_seeds([entry["detail"] for entry in good]))
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
