"""The leaderboard as a frame of pandas, for programs and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from bench.board.board import boards
from bench.board.curves import with_curves
from bench.board.frame import PYTHON_STRINGS, frame
from bench.board.output.make_table import table_of
from bench.board.output.notebook import styled
from bench.board.output.table import Row, Table
from bench.board.output.view import View
from bench.contracts.record import Record
from bench.records.load import LOCAL, records_of
from bench.utils.errors import UserError

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

FACTS = ("task", "profile", "protocol", "method", "kind", "rank", "rank_lo", "rank_hi", "seeds")
"""The columns before those of the metrics."""


@pd.option_context(*PYTHON_STRINGS)
def leaderboard(
    results: str | PathLike[str] | pd.DataFrame | Sequence[Record] = LOCAL,
    *,
    metrics: Sequence[str] = (),
    methods: Sequence[str] = (),
    tasks: Sequence[str] = (),
    sort: str = "",
) -> Leaderboard:
    """Return the main tables of a leaderboard as a frame: one row a method, one column a metric.

    In a notebook it shows the best method and all that tie with it in bold. ``.style`` is this
    view, a `pandas.io.formats.style.Styler`. What is derived from the frame is a plain frame. The
    columns:

    - ``task``, ``profile``, ``protocol``: the board. A folder can have several.
    - ``method``: the label of the row. ``kind``: "method", "published" (a published configuration
      beside tuned ones), "ceiling" or "floor".
    - ``rank``, ``rank_lo``, ``rank_hi``: the place and its 95 % interval; missing if not ranked.
    - ``seeds``: how many seeds the row has.
    - a column for each metric: the mean over seeds, NaN if there is none.

    ``.long`` is the frame behind `leaderboard.csv`: all metrics with intervals, and why a number is
    missing.

    Args:
        results: The results folder, or rows of `bench.load_records`, or records. Of rows, the
            records are read again, and metrics without a row are left out.
        metrics: Ids of metrics; those of the main table by default.
        methods: Labels or names of methods; all by default. Places and ties stay those of all.
        tasks: Names of tasks; all by default.
        sort: The metric that orders the rows; the one that ranks them by default.

    Raises:
        UserError: There is no record, or a name is unknown.
    """
    records = _records(results)
    rows = frame(records)
    tables = [table_of(board) for board in boards(records, rows)]
    view = View(metrics=metrics, methods=methods, tasks=tasks, sort=sort)
    found = Leaderboard(_wide(view.of(tables)))
    found.attach(view.of(tables), with_curves(rows, records))
    return found


class Leaderboard(pd.DataFrame):
    """The main tables of a leaderboard (see `leaderboard`)."""

    _metadata = ["tables", "long"]  # noqa: RUF012 - the name and the type are those of pandas
    tables: Sequence[Table]
    long: pd.DataFrame

    def attach(self, tables: Sequence[Table], long: pd.DataFrame) -> None:
        """Keep what the frame was made from, beside its columns."""
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "long", long)

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    @property
    def style(self) -> Styler:
        """The view in a notebook: short numbers, bold best and ties, gray floors, bars."""
        return styled(pd.DataFrame(self), self.tables)

    def _repr_html_(self) -> str:
        return self.style.to_html()


def _records(results: Any) -> list[Record]:
    """Return the records of a folder, of rows of `load_records`, or the records themselves."""
    if isinstance(results, str | PathLike):
        return records_of(results)
    if not isinstance(results, pd.DataFrame):
        return list(results)
    if lacking := {"folder", "id", "metric"} - {*results.columns}:
        raise UserError(
            f"the frame has no column {min(lacking)!r}: give rows of bench.load_records"
        )
    found = []
    for folder, rows in results.groupby("folder", observed=True):
        kept = rows.groupby("id")["metric"].agg(set)
        for record in records_of(str(folder)):
            if record["id"] in kept.index:
                metrics = {k: v for k, v in record["metrics"].items() if k in kept[record["id"]]}
                found.append(cast("Record", {**record, "metrics": metrics}))
    if not found:
        raise UserError("the frame has no rows: give rows of bench.load_records")
    return found


def _wide(tables: Sequence[Table]) -> pd.DataFrame:
    names = dict.fromkeys(column.name for table in tables for column in table.columns)
    rows = [
        [
            *(table.task, table.profile, table.protocol, row.label, row.kind, *_rank(row)),
            row.n_seeds,
            *(row.cells[name].value if name in row.cells else None for name in names),
        ]
        for table in tables
        for row in table.rows
    ]
    found = pd.DataFrame(rows, columns=[*FACTS, *names])
    ranks = dict.fromkeys(("rank", "rank_lo", "rank_hi"), "Int64")
    return found.astype({**ranks, **dict.fromkeys(names, "float64")})


def _rank(row: Row) -> tuple[int | None, int | None, int | None]:
    if row.rank is None:
        return None, None, None
    lo, _, hi = row.place.partition("-")
    return row.rank, int(lo), int(hi or lo)
