"""Where a board comes from: gaps with their reasons, commits, machines, commands, checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contracts.protocol import protocol_of
from bench.contracts.record import Record
from bench.html.sources import Source
from bench.records.environment import machine_of


@dataclass(frozen=True)
class Gap:
    """Numbers of a row that are missing for one reason."""

    label: str
    status: str
    reason: str
    metrics: list[str]


def gaps_of(source: Source) -> list[Gap]:
    """Return the gaps of a board: first what failed, then what does not apply."""
    rows = source.board.rows[source.board.rows["status"] != "ok"]
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for one in rows.to_dict("records"):
        key = (str(one["method"]), str(one["status"]), str(one["reason"]))
        grouped.setdefault(key, []).append(str(one["metric"]))
    found = [Gap(*key, metrics) for key, metrics in grouped.items()]
    return sorted(found, key=lambda gap: (gap.status == "not_applicable", gap.label, gap.reason))


def record_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each record file of a results folder, by its name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "records").glob("*.json"))
    }


def distinct(records: Sequence[Record], key: str) -> list[str]:
    """Return the different values of a key of the environment, in the order of the records."""
    found = [record.get("environment", {}).get(key) for record in records]
    return list(dict.fromkeys(str(one) for one in found if one))


def environments(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """Return what the records say about where they were made: a term and its values."""
    machines = [machine_of(record.get("environment", {})) for record in records]
    found = [
        ("Commit", distinct(records, "commit")),
        ("Commands", distinct(records, "command")),
        ("Machine", [one for one in dict.fromkeys(machines) if one]),
        ("contentbench", distinct(records, "contentbench")),
        ("Python", distinct(records, "python")),
        ("torch", distinct(records, "torch")),
        ("Platform", distinct(records, "platform")),
        ("Libraries", _libraries(records)),
        ("Protocol", [str(v) for v in sorted({protocol_of(one["identity"]) for one in records})]),
    ]
    return [(term, values) for term, values in found if values]


def _libraries(records: Sequence[Record]) -> list[str]:
    found: dict[str, dict[str, None]] = {}
    for record in records:
        versions: Mapping[str, object] = record.get("environment", {}).get("versions", {})
        for name, version in versions.items():
            found.setdefault(name, {})[str(version)] = None
    return [f"{name} {' or '.join(found[name])}" for name in sorted(found)]


def dates(records: Sequence[Record]) -> str:
    """Return the days on which the records were finished, as "2026-01-02 to 2026-01-05"."""
    days = sorted(day for record in records if (day := str(record.get("finished", ""))[:10]))
    ends = dict.fromkeys([*days[:1], *days[-1:]])
    return " to ".join(ends)
