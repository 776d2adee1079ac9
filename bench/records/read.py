"""Reads one record, or says why it cannot be used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bench.contracts.cell import Cell
from bench.contracts.protocol import protocol_of
from bench.contracts.record import IDENTITY_KEYS, MetricEntry, Record
from bench.records.migrate import migrated, version_error
from bench.records.schema import error_in_record
from bench.utils.files.sealed import read_sealed


@dataclass(frozen=True)
class Damaged:
    """A record that cannot be used, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"record {self.path} is left out: {self.reason}"


def cell_of(record: Record, plugins: tuple[str, ...] = ()) -> Cell:
    """Return the cell of a record.

    The id of the cell differs from that of the record if another version of the suite made the
    record, or if somebody edited it.
    """
    identity = cast("dict[str, Any]", record["identity"])
    kept = {key: identity[key] for key in IDENTITY_KEYS & identity.keys()}
    kept["protocol"] = protocol_of(record["identity"])
    return Cell(
        label=record["label"],
        settings=record["settings"],
        plugins=plugins,
        configuration=record["configuration"],
        study=record["study"],
        **kept,
    )


def is_scored(entry: MetricEntry | None, version: int, retry: bool = True) -> bool:
    """Return whether a metric already has an entry of this version of its family.

    If `retry` is true, an entry of a failed metric does not count.
    """
    if entry is None or entry["version"] != version:
        return False
    return entry["status"] != "failed" or not retry


def read_record(path: Path) -> Record | Damaged:
    """Return a record in the current schema, or why it cannot be used."""
    try:
        found = read_sealed(path)
    except FileNotFoundError:
        return Damaged(path, _unwritten.get(path, "there is no such file"))
    except OSError as error:
        return Damaged(path, f"it cannot be read ({error.strerror or error})")
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return Damaged(path, f"not valid JSON ({error})")
    except ValueError as error:
        return Damaged(path, str(error))
    if "schema" not in found:
        return Damaged(path, "it is without schema")
    if said := version_error(found["schema"]):
        return Damaged(path, said)
    record = migrated(found)
    said = error_in_record(record)
    return Damaged(path, said) if said else cast("Record", record)


_unwritten: dict[Path, str] = {}
"""The reasons why this process could not write records, by path."""


def note_unwritten(path: Path, reason: str) -> None:
    """Note why a record could not be written; `read_record` repeats it."""
    _unwritten[path] = reason


def why_unwritten(path: Path) -> str:
    """Return why this process could not write a record, or ''."""
    return _unwritten.get(path, "")
