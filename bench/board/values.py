"""The text of the values in a table cell."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard, TypeVar

from bench.board.board import Board
from bench.board.columns import base_id

UNGUIDED = "unguided"
T = TypeVar("T")


def number(value: float, digits: int | None) -> str:
    """Return a value with `digits` decimals. With None, use a unit prefix, as in 1.5M."""
    if not math.isfinite(value):
        return "-"
    if digits is None:
        for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= limit:
                return f"{value / limit:.3g}{unit}"
        return f"{value:.0f}"
    return f"{value:z.{digits}f}"


def text(board: Board, method: str, metric: str, interval: bool = True, mark: bool = True) -> str:
    """Return the text of a table cell: the value and interval, or why there is no value.

    mark: Whether the interval of one seed says so.
    """
    row = board.cell(method, metric)
    if row is None:
        return "not run"
    if row["status"] != "ok":
        return {"not_applicable": "n/a"}.get(str(row["status"]), str(row["status"]))
    info = board.infos[base_id(metric)]
    digits = None if info.kind == "counted" else info.digits
    shown = number(row["value"], digits)
    if interval:
        shown += bracketed(row["lo"], row["hi"], digits, row["n_seeds"] if mark else 0)
    return marked_unguided(board, method, metric, row["value"], shown)


def bracketed(lo: float, hi: float, digits: int | None, n_seeds: int) -> str:
    """Return an interval as in " [0.1, 0.2]", marked "1 seed" if it is; '' if there is none."""
    if not math.isfinite(lo):
        return ""
    mark = "; 1 seed" if n_seeds == 1 else ""
    return f" [{number(lo, digits)}, {number(hi, digits)}{mark}]"


def marked_unguided(board: Board, method: str, metric: str, value: float, shown: str) -> str:
    """Return the text of a value, with "unguided" if its metric needs a guide the method ignores.

    Such a method gets a 0 by definition. So the word stands in place of the 0.
    """
    if not (board.infos[base_id(metric)].follows_guide and method in board.unguided):
        return shown
    return UNGUIDED if value == 0 else f"{shown} ({UNGUIDED})"


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


def in_own_order(values: Mapping[str, T], detail: Mapping[str, Any]) -> dict[str, T]:
    """Return values by part in the order that a detail lists under ``order``, others before them.

    A detail itself has its keys in alphabetical order.
    """
    order = detail.get("order")
    places = {str(part): at for at, part in enumerate(order)} if isinstance(order, list) else {}
    return dict(sorted(values.items(), key=lambda of: places.get(of[0], -1)))


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of a detail is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
