"""Reads the records of a results folder into memory, for programs and notebooks."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path

from bench.contracts.record import Record
from bench.records.store import Store


def load_records(results: str | PathLike[str]) -> list[Record]:
    """Return the records of a results folder, in the order of their file names.

    A record that cannot be used is left out with a warning.

    Args:
        results: the folder that was given to `python -m bench run --results`.

    Raises:
        UserError: the folder has no records.
    """
    store = Store(Path(results).absolute())
    store.require_records()
    records, damaged = store.records()
    for line in damaged:
        warnings.warn(str(line), stacklevel=2)
    return records
