"""Reads one record and says why it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.cell import Cell
from bench.records.schema import IDENTITY_KEYS, RECORD
from bench.utils.files.sealed import read_sealed

SCHEMA = 1


@dataclass(frozen=True)
class Damaged:
    """A record that cannot be read, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"record {self.path} is left out: {self.reason}"


def cell_of(record: Mapping[str, Any], plugins: tuple[str, ...] = ()) -> Cell:
    """Return the cell that a record is of; its id differs if the record has another identity."""
    kept = {key: record["identity"][key] for key in IDENTITY_KEYS}
    return Cell(label=record["label"], plugins=plugins, **kept)


def is_scored(entry: Mapping[str, Any] | None, version: int, again: bool = True) -> bool:
    """Return whether a record's entry of a metric stands, with again also one that failed not."""
    if entry is None or entry["version"] != version:
        return False
    return not (again and entry["status"] == "failed")


def read_record(path: Path) -> dict[str, Any] | Damaged:
    """Return a record, or why it cannot be used."""
    try:
        record = read_sealed(path)
    except FileNotFoundError:
        return Damaged(path, _unwritten.get(path, "it is not there"))
    except OSError as error:
        return Damaged(path, f"it cannot be read ({error.strerror or error})")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return Damaged(path, f"not valid JSON ({error})")
    except ValueError as error:
        return Damaged(path, str(error))
    schema = record.get("schema", SCHEMA)
    if schema != SCHEMA:
        return Damaged(path, f"of schema {schema}, this version reads {SCHEMA}")
    said = RECORD(record, "")
    return Damaged(path, said) if said else record


_unwritten: dict[Path, str] = {}
"""What this process knows of records that are not there."""


def note_unwritten(path: Path, reason: str) -> None:
    """Let `read_record` say why a record is not there."""
    _unwritten[path] = reason


def why_unwritten(path: Path) -> str:
    """Return why this process could not write a record, or ''."""
    return _unwritten.get(path, "")
