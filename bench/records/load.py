"""Reads the records of a results folder into memory, for programs and notebooks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts.protocol import protocol_of
from bench.contracts.record import Record
from bench.records.store import Store
from bench.utils.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

LOCAL = "results/local"
"""The folder that `python -m bench run` writes by default."""


def records_of(results: str | PathLike[str]) -> list[Record]:
    """Return the records of a results folder, in the order of their file names.

    A record that cannot be used is left out with a warning.

    Args:
        results: The folder that was given to `python -m bench run --results`.

    Raises:
        UserError: The folder has no records.
    """
    store = Store(Path(results).absolute())
    store.require_records()
    records, damaged = store.records()
    for line in damaged:
        warnings.warn(str(line), stacklevel=3)
    return records


def load_records(results: str | PathLike[str] = LOCAL, *, curve: bool = False) -> pd.DataFrame:
    """Return the records of a results folder as a tidy frame: one row a cell and metric.

    A cell is a method, a task, a profile and a seed; nothing is averaged. The columns:

    - ``folder``, ``id``: where the record is, and which one. With them `bench.leaderboard` takes
      the frame, or some of its rows.
    - ``label``, ``method``, ``task``, ``profile``, ``protocol``, ``seed``, ``configuration``,
      ``study``, ``device``, ``precision``: what was run. ``label`` is the method with changes by
      ``--set`` in brackets.
    - ``budget``: the fraction of the training, 1 at its end.
    - ``metric``, ``value``, ``lo``, ``hi``, ``n``, ``unit``, ``better``, ``extractor``,
      ``version``: the number, and its 95 % interval over ``n`` test items.
    - ``status``, ``reason``: "ok", or why there is no number.
    - ``detail``: what explains the number, a dictionary. ``items``: the contribution of each test
      item, a list; empty if the record keeps none.

    Args:
        results: The folder that was given to `python -m bench run --results`.
        curve: Whether to add the points of the training curves, with their ``budget`` below 1 and
            without intervals.

    Raises:
        UserError: The folder has no records.
    """
    import pandas as pd

    folder = Path(results).absolute()
    rows = [row for record in records_of(folder) for row in _rows(record, curve)]
    if not rows:
        raise UserError(f"no usable record in {folder / 'records'}")
    with pd.option_context("mode.string_storage", "python"):  # as in `bench.board.frame`
        return pd.DataFrame(rows).assign(folder=pd.Categorical([str(folder)] * len(rows)))


def _rows(record: Record, curve: bool) -> Iterator[dict[str, Any]]:
    """Yield a row for each metric of a record; also for each point of its curve if asked."""
    identity = record["identity"]
    cell = {
        "folder": "",
        "id": record["id"],
        "label": record["label"],
        **{name: identity[name] for name in ("method", "task", "profile")},
        "protocol": protocol_of(identity),
        **{name: identity[name] for name in ("seed", "device", "precision")},
        "configuration": record["configuration"],
        "study": record["study"],
    }
    for metric, entry in record["metrics"].items():
        kept = ("value", "lo", "hi", "n", "unit", "better", "status", "reason", "extractor")
        facts = {name: entry[name] for name in (*kept, "version")}  # type: ignore[literal-required]
        more = {"detail": entry.get("detail", {}), "items": entry.get("items", [])}
        yield {**cell, "metric": metric, "budget": 1.0, **facts, **more}
        for point in record["curve"] if curve else ():
            if metric in point["metrics"] and point["budget"] < 1:
                of_point = point["metrics"][metric]
                here = {"value": of_point["value"], "version": of_point["version"]}
                gone: dict[str, Any] = {"lo": None, "hi": None, "detail": {}, "items": []}
                yield {**cell, "metric": metric, "budget": point["budget"], **facts, **here, **gone}
