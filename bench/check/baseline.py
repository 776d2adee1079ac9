"""The baseline: the numbers of one profile that later code must reproduce, and why they hold.

A baseline is one sealed JSON file. `bench.check.baseline_schema` describes its keys. Each row holds
all seeds of a method on a task. A check groups its records into rows in the same way, and compares
the rows. This module needs no torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np

from bench.check.baseline_schema import (
    SCHEMA,
    Baseline,
    Golden,
    Row,
    RowFacts,
    RowMetric,
    error_in_baseline,
    migrated,
)
from bench.check.orderings import gaps, smallest
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.cell import is_imported
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import PROTOCOL, protocol_of
from bench.contracts.record import Conditions, MetricEntry, Record
from bench.records.environment import machine_of
from bench.records.store import BUSY, Store
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.hashing import hash_of

FREE = {"seed", "threads"}
"""Parts of an identity that may differ between two runs that are compared."""
EXACT_FACTS: Final[tuple[Literal["pixel_hash", "steps", "images", "flops_per_step"], ...]] = (
    "pixel_hash",
    "steps",
    "images",
    "flops_per_step",
)
"""Facts of a training that are equal in every seed and on every machine."""
SAID: Final[tuple[Literal["family", "version", "extractor", "unit", "better", "n"], ...]] = (
    "family",
    "version",
    "extractor",
    "unit",
    "better",
    "n",
)
"""What a row takes from the entry of a metric in any of its records."""
CPU_SECONDS: Final = "cpu_seconds"


def rows_of(records: Sequence[Record]) -> list[Row]:
    """Group records into rows. Records of one row differ only in the seed and the threads."""
    alike: dict[str, list[Record]] = {}
    for record in records:
        if record["status"] != BUSY and not is_imported(record["identity"]):
            key = hash_of({"label": record["label"], **what_counts(record["identity"])})
            alike.setdefault(key, []).append(record)
    rows = [_row(sorted(same, key=lambda r: r["identity"]["seed"])) for same in alike.values()]
    return sorted(rows, key=lambda row: (row["profile"], row["task"], row["label"]))


def name_of(row: Row) -> str:
    """Return the readable name of a row."""
    return f"{row['label']} on {row['task']}"


def what_counts(identity: Conditions) -> Conditions:
    """Return the part of an identity that must be equal for two runs to be compared."""
    kept = {key: value for key, value in identity.items() if key not in FREE}
    return cast("Conditions", kept)


def _row(records: Sequence[Record]) -> Row:
    good = [record for record in records if record["status"] == "ok"]
    identity = what_counts(records[0]["identity"])
    names = list(dict.fromkeys(name for record in good for name in record["metrics"]))
    sources = [dict(sorted(record["sources"].items())) for record in good]
    facts = {key: good[0]["facts"][key] for key in EXACT_FACTS if good and key in good[0]["facts"]}
    return {
        "label": records[0]["label"],
        "settings": records[0]["settings"],
        "task": identity["task"],
        "profile": identity["profile"],
        "identity": identity,
        "seeds": [record["identity"]["seed"] for record in good],
        "failed": {
            str(record["identity"]["seed"]): record["reason"]
            for record in records
            if record["status"] != "ok"
        },
        "sources": sources[0] if sources else {},
        "mixed": sum(one != sources[0] for one in sources),
        "machine": machine_of(good[0]["environment"]) if good else "",
        "facts": cast("RowFacts", facts),
        "cpu_seconds": [record["facts"].get("cpu_seconds") or None for record in good],
        "options": good[0]["environment"].get("options", {}) if good else {},
        "metrics": {
            name: _metric([record["metrics"].get(name) for record in good])
            for name in sorted(names)
        },
    }


def _metric(entries: Sequence[MetricEntry | None]) -> RowMetric:
    """Return one metric over the seeds of a row."""
    there = [entry for entry in entries if entry is not None]
    worst = next((entry for entry in there if entry["status"] != "ok"), there[0])
    status, reason = worst["status"], worst["reason"]
    if len(there) < len(entries):
        status, reason = "failed", "some seeds have no such number"
    said = {key: next((e[key] for e in there if e.get(key)), "") for key in SAID}
    values = [entry["value"] if entry and entry["status"] == "ok" else None for entry in entries]
    return cast("RowMetric", said | {"status": status, "reason": reason, "values": values})


def means(row: Row) -> dict[str, float]:
    """Return the mean over seeds of each metric that all seeds of a row have."""
    found = {
        name: [value for value in metric["values"] if value is not None]
        for name, metric in row["metrics"].items()
    }
    return {
        name: mean_of(values)
        for name, values in found.items()
        if values and len(values) == len(row["metrics"][name]["values"])
    }


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of values, or infinity if their sum overflows."""
    with np.errstate(over="ignore"):
        return float(np.mean(values))


def seed_values(rows: Sequence[Row], seed: int | None) -> dict[str, dict[str, float]]:
    """Return the metrics of each row by label: for one seed, or the means if the seed is None.

    An anchor without a training has one seed. Its values are used for all seeds.
    """
    found = {}
    for row in rows:
        if seed is None or row["identity"]["method"] in WITHOUT_SEED:
            found[row["label"]] = means(row)
        elif seed in row["seeds"]:
            at = row["seeds"].index(seed)
            values = {name: metric["values"][at] for name, metric in row["metrics"].items()}
            found[row["label"]] = {name: v for name, v in values.items() if v is not None}
    return found


def make(
    records: Sequence[Record],
    profile: str,
    reason: str,
    golden: Mapping[str, Any] | None,
    now: str,
    known: Mapping[str, MetricInfo] | None = None,
) -> Baseline:
    """Return the baseline of the records of a profile that follow today's protocol.

    known: The facts of known metrics, or None for the built-in metrics.

    Raises:
        UserError: There are no records, a cell failed, seeds are missing, or the code differs.
    """
    current = [record for record in records if protocol_of(record["identity"]) == PROTOCOL]
    chosen = [record for record in current if record["identity"]["profile"] == profile]
    rows = rows_of(chosen)
    if not rows:
        there = sorted({record["identity"]["profile"] for record in current})
        others = len(records) - len(current)
        also = f"; {others} of other protocols than {PROTOCOL}" if others else ""
        raise UserError(
            f"no record of profile '{profile}' (there are: {', '.join(there) or 'none'}{also}): "
            "give --profile, or run it first"
        )
    _require_whole(rows)
    environments = [record["environment"] for record in chosen]
    kept = environments[0].copy()
    kept.pop("command", None)
    kept.pop("options", None)
    versions = [one["versions"] for one in environments if "versions" in one]
    if versions:  # a cell lists only the libraries that it imported
        kept["versions"] = {name: v for one in reversed(versions) for name, v in one.items()}
    claims = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        seeds = sorted({s for row in of_task if not _is_anchor(row) for s in row["seeds"]}) or [0]
        claims[task] = smallest([gaps(seed_values(of_task, seed), known) for seed in seeds])
    return {
        "schema": SCHEMA,
        "profile": profile,
        "updates": [{"made": now, "reason": reason, "commit": kept.get("commit")}],
        "environment": kept,
        "rows": rows,
        "claims": claims,
        "golden": cast("Golden | None", golden),
    }


def _is_anchor(row: Row) -> bool:
    return row["identity"]["method"] in WITHOUT_SEED


def _require_whole(rows: Sequence[Row]) -> None:
    for name, count in Counter(map(name_of, rows)).items():
        if count > 1:
            raise UserError(f"no baseline: {name} was run under {count} conditions; keep one")
    seeds = sorted({seed for row in rows if not _is_anchor(row) for seed in row["seeds"]})
    for row in rows:
        if reason := _why_not_whole(row, [] if _is_anchor(row) else seeds):
            raise UserError(f"no baseline: {name_of(row)}{reason}")


def _why_not_whole(row: Row, seeds: Sequence[int]) -> str:
    """Return why a row cannot be part of a baseline, or ''."""
    for failed, reason in row["failed"].items():
        return f", seed {failed} failed: {reason}"
    if row["mixed"]:
        return (
            ": different code made its seeds; `python -m bench run --existing fresh` makes them "
            "all again"
        )
    for seed in seeds:
        if seed not in row["seeds"]:
            return (
                f" has no record of seed {seed}, which others have; run it, or leave it out with "
                "--methods, --tasks or --seeds"
            )
    for metric, entry in row["metrics"].items():
        if entry["status"] == "failed":
            return f": {metric} failed: {entry['reason']}"
    return ""


def read(path: Path) -> Baseline:
    """Read a baseline, and convert it to the current format.

    Raises:
        UserError: The file does not exist, or it cannot be used.
    """
    try:
        found = read_sealed(path)
    except FileNotFoundError:
        raise UserError(
            f"no baseline {path}: `python -m bench baseline --results DIR --reason TEXT` writes one"
        ) from None
    except OSError as error:
        raise UserError(f"baseline {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        said = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        raise UserError(f"baseline {path} cannot be used: {said}") from error
    again = "write it again with `python -m bench baseline`"
    schema = found.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise UserError(
            f"baseline {path} is of schema {str(schema)[:20]}, this version reads 1 to {SCHEMA}: "
            + again
        )
    found = migrated(found)
    if said := error_in_baseline(found):
        raise UserError(f"baseline {path} cannot be used: {said}; {again}")
    return cast("Baseline", found)


def read_if_there(path: Path) -> Baseline | None:
    """Read a baseline. Return None if the file does not exist."""
    return read(path) if path.exists() else None


def write(path: Path, baseline: Baseline, old: Baseline | None) -> None:
    """Write a baseline. It keeps the list of updates of the old one.

    Raises:
        UserError: It cannot be written.
    """
    updates = [*baseline["updates"], *(old["updates"] if old else [])]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(path, {**baseline, "updates": updates})
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): name another file") from error


def usable_records(store: Store) -> list[Record]:
    """Return the records of a folder.

    Raises:
        UserError: There are no records, or a record cannot be used.
    """
    store.require_records()
    records, damaged = store.records()
    if damaged:
        raise UserError(f"{damaged[0]}; remove it, or run the cell again")
    return records


def changes(old: Baseline, new: Baseline) -> list[tuple[str, str, str, str, str]]:
    """Return all differences between two baselines, as texts.

    Each difference has a row, a metric, the old mean, the new mean, and their distance in units of
    the old standard deviation over seeds.
    """
    before, after = ({(r["task"], r["label"]): r for r in b["rows"]} for b in (old, new))
    found: list[tuple[str, str, str, str, str]] = []
    for key in sorted(before.keys() | after.keys()):
        row = f"{key[1]} on {key[0]}"
        if key not in after or key not in before:
            old_text, new_text = ("there", "gone") if key in before else ("", "new")
            found.append((row, "", old_text, new_text, ""))
            continue
        was, now = before[key], after[key]
        if was["identity"] != now["identity"]:
            found.append((row, "identity", hash_of(was["identity"]), hash_of(now["identity"]), ""))
        if was["seeds"] != now["seeds"]:
            found.append((row, "seeds", _listed(was["seeds"]), _listed(now["seeds"]), ""))
        mean_was, mean_now = means(was), means(now)
        for name in sorted(was["metrics"].keys() | now["metrics"].keys()):
            pair = mean_was.get(name), mean_now.get(name)
            if pair[0] != pair[1]:
                old_text, new_text = ("-" if value is None else f"{value:.4g}" for value in pair)
                distance = _in_spreads(was["metrics"].get(name), *pair)
                found.append((row, name, old_text, new_text, distance))
    return found


def _listed(seeds: Sequence[int]) -> str:
    return ",".join(map(str, seeds))


def _in_spreads(metric: RowMetric | None, was: float | None, now: float | None) -> str:
    if metric is None or was is None or now is None or len(metric["values"]) < 2:
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.std(np.array(metric["values"], dtype=float), ddof=1))
    return f"{(now - was) / spread:+.1f}" if spread > 0 else ""
