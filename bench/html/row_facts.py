"""What stands behind a row: its note, its configuration, its settings and its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.contracts.anchors import ANCHORS
from bench.contracts.labels import setting_text, study_text
from bench.contracts.record import Record
from bench.html.prose import plain
from bench.html.sources import Source, is_anchor

_CONFIGURATIONS = {
    "published": "as published in the paper",
    "tuned": "the winner of the study",
    "both": "as published, which also won the study",
    "no study": "as published, because no study has this method",
    "hand-set": "set by hand",
}


def row_facts(source: Source, label: str) -> list[tuple[str, str]]:
    """Return the facts of a row, each as a term and its text; terms without a text are left out."""
    records = source.records.get(label, ())
    if not records:
        return []
    first = records[0]
    facts = first["facts"]
    guided = "follows a guide" if facts.get("guided") else "ignores the guide"
    found = [
        ("What it is", ANCHORS.get(first["identity"]["method"], "").removeprefix("anchor: ")),
        ("Note", source.board.notes.get(label, "")),
        ("Not ranked", source.board.unranked.get(label, "")),
        ("Paper", str(facts.get("paper") or "")),
        ("Guide", "" if facts.get("guided") is None or is_anchor(first) else guided),
        ("Labels in training", str(facts.get("supervision") or "")),
        ("Configuration", _configuration(first)),
        ("Changed by --set", _pairs(first.get("settings", {}))),
        ("Settings", _pairs(first["identity"]["config"])),
        ("Seeds", ", ".join(str(one["identity"]["seed"]) for one in records)),
        ("Training", _training(source, label)),
        ("Computed with", _computation(first)),
        ("Failed", _failures(records)),
        ("Records", ", ".join(str(one.get("id", "")) for one in records)),
    ]
    return [(term, plain(text)) for term, text in found if text]


def _configuration(record: Record) -> str:
    words = _CONFIGURATIONS.get(record.get("configuration", ""), "")
    study = record.get("study", "")
    return f"{words} {study_text(study)}".strip() if study else words


def _pairs(values: Any) -> str:
    return ", ".join(f"{key} = {setting_text(value)}" for key, value in sorted(values.items()))


def _training(source: Source, label: str) -> str:
    facts = source.board.facts.get(label, {})
    if "steps" not in facts:
        return ""
    said = [f"{facts['steps']:.0f} steps"]
    if "images" in facts:
        said.append(f"{facts['images']:.0f} images")
    if "flops" in facts:
        said.append(f"{facts['flops']:.3g} FLOPs")
    if "cpu_seconds" in facts:
        said.append(f"{facts['cpu_seconds']:.0f} CPU seconds")
    return ", ".join(said)


def _computation(record: Record) -> str:
    identity = record["identity"]
    words = [identity.get("device", ""), identity.get("precision", "")]
    if threads := identity.get("threads"):
        words.append(f"{threads} thread{'s' * (threads != 1)}")
    return ", ".join(filter(None, words))


def _failures(records: Sequence[Record]) -> str:
    failed = [one for one in records if one["status"] != "ok"]
    return "; ".join(
        f"seed {one['identity']['seed']} is {one['status']}: {one['reason']}" for one in failed
    )
