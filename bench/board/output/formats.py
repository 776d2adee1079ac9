"""The leaderboard in further formats: JSON, LaTeX and Parquet."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from bench.board.output.table import Table
from bench.board.output.view import View
from bench.contracts.metric import MetricInfo
from bench.contracts.record import Record
from bench.utils.errors import UserError
from bench.utils.output.escape import printable

FORMATS = {
    "json": "leaderboard.json",
    "latex": "leaderboard.tex",
    "parquet": "leaderboard.parquet",
}
"""The file of each format."""


def content_of(
    formats: Collection[str],
    records: Sequence[Record],
    tables: Sequence[Table],
    view: View,
    known: Mapping[str, MetricInfo] | None = None,
) -> dict[str, bytes]:
    """Return the content of the file of each format, by the name of the file.

    LaTeX has the chosen tables. JSON and Parquet have the rows of `leaderboard.csv`, of the chosen
    tasks, methods and metrics; all metrics by default.

    Args:
        formats: Names of `FORMATS`.
        records: The records.
        tables: The table of each board.
        view: What is chosen.
        known: The facts of known metrics, or None for the built-in metrics.

    Raises:
        UserError: The view names something that is not there, or a package is missing.
    """
    if "parquet" in formats and find_spec("pyarrow") is None:
        raise UserError("--format parquet needs pyarrow: `pip install 'contentbench[parquet]'`")
    chosen = view.of(tables)
    found: dict[str, bytes] = {}
    if "latex" in formats:
        from bench.board.output.latex import latex_of

        found[FORMATS["latex"]] = "\n".join(map(latex_of, chosen)).encode()
    if {"json", "parquet"} & {*formats}:
        rows = _rows(records, chosen, view, known)
        if "json" in formats:
            found[FORMATS["json"]] = _json(rows)
        if "parquet" in formats:
            into = BytesIO()
            texts = rows.select_dtypes(["object", "str"]).columns
            rows.assign(**{name: rows[name].map(printable) for name in texts}).to_parquet(
                into, index=False
            )
            found[FORMATS["parquet"]] = into.getvalue()
    return found


def _rows(
    records: Sequence[Record],
    chosen: Sequence[Table],
    view: View,
    known: Mapping[str, MetricInfo] | None,
) -> Any:
    """Return the tidy frame with the points of the curves, of the chosen rows and metrics."""
    from bench.board.curves import with_curves
    from bench.board.frame import frame

    table = with_curves(frame(records, known), records, known)
    keys = {(t.profile, t.task, t.protocol, row.label) for t in chosen for row in t.rows}
    there = zip(table["profile"], table["task"], table["protocol"], table["method"], strict=True)
    chosen_rows = table[[key in keys for key in there]]
    return chosen_rows[chosen_rows["metric"].isin(view.ids)] if view.ids else chosen_rows


def _json(rows: Any) -> bytes:
    """Return the rows as a JSON list of objects. NaN becomes null, and details are objects."""

    def plain(name: str, value: Any) -> Any:
        if name == "detail":
            return json.loads(value) if value else {}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    found = [{name: plain(name, v) for name, v in row.items()} for row in rows.to_dict("records")]
    return (json.dumps(found, indent=1, allow_nan=False) + "\n").encode()
