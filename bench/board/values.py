"""The text of the values in a table cell."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard

from bench.board.board import Board
from bench.board.columns import base_id

UNGUIDED = "unguided"


def number(value: float, digits: int | None) -> str:
    """Return a value with `digits` decimals. With None, use a unit prefix, as in 1.5M."""
    if not math.isfinite(value):
        return "-"
    if digits is None:
        for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= limit:
                return f"{value / limit:.3g}{unit}"
        return f"{value:.0f}"
    return f"{value:.{digits}f}"


def text(board: Board, method: str, metric: str, interval: bool = True) -> str:
    """Return the text of a table cell: the value and interval, or why there is no value."""
    row = board.cell(method, metric)
    if row is None:
        return "not run"
    if row["status"] != "ok":
        return {"not_applicable": "n/a"}.get(str(row["status"]), str(row["status"]))
    info = board.infos[base_id(metric)]
    unguided = info.follows_guide and method in board.unguided
    if unguided and row["value"] == 0:
        return UNGUIDED
    digits = None if info.kind == "counted" else info.digits
    shown = number(row["value"], digits)
    if interval and math.isfinite(row["lo"]):
        shown += f" [{number(row['lo'], digits)}, {number(row['hi'], digits)}]"
    return f"{shown} ({UNGUIDED})" if unguided else shown


def detail_of(cell: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the details of an entry; {} if there are none."""
    found = json.loads(cell["detail"] or "{}") if cell else {}
    return found if isinstance(found, dict) else {}


def numbers_in(detail: Mapping[str, Any], key: str) -> dict[str, float]:
    """Return the numbers by name under a key of a detail; {} if there are none."""
    found = detail.get(key)
    if not isinstance(found, dict):
        return {}
    return {str(name): float(value) for name, value in found.items() if is_number(value)}


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of a detail is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
