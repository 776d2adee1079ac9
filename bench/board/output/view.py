"""What the reader of a leaderboard chooses to see of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.board.output.table import Table
from bench.utils.errors import UserError, unknown


@dataclass(frozen=True)
class View:
    """A choice of tables, rows and columns; an empty field stands for all or for the default.

    It changes what is shown, never what is computed: places, ties and bold are those of the whole
    board.

    wide: Whether to show all metrics and all notes. metrics: Ids of metrics, in the order of the
    columns; the main ones by default. sort: The metric by which the rows are sorted; they are in
    the order of the board by default. methods: Labels of rows, or names of methods. tasks: Names of
    tasks. families: The ids of each family of metrics; ``metrics`` can name families, too.
    """

    wide: bool = False
    metrics: Sequence[str] = ()
    sort: str = ""
    methods: Sequence[str] = ()
    tasks: Sequence[str] = ()
    families: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """The ids of the chosen metrics; empty for the default."""
        return [one for name in self.metrics for one in self.families.get(name, [name])]

    def of(self, tables: Sequence[Table]) -> list[Table]:
        """Return the chosen tables, with the chosen rows and columns.

        Raises:
            UserError: a name fits nothing, or nothing is left.
        """
        self._check(tables)
        found = [self._of(table) for table in tables if not self.tasks or table.task in self.tasks]
        found = [table for table in found if table.rows and (table.columns or not self.metrics)]
        if tables and not found:
            raise UserError(
                "no row of the leaderboard fits: give fewer of --tasks, --methods and --metrics"
            )
        return found

    def _check(self, tables: Sequence[Table]) -> None:
        known = {
            "task": {table.task for table in tables},
            "method": {name for table in tables for row in table.rows for name in row.names},
            "metric": {c.metric for table in tables for c in table.columns if c.metric},
        }
        metrics = [name for name in self.metrics if name not in self.families]
        wanted = {
            "task": self.tasks,
            "method": self.methods,
            "metric": [*metrics, self.sort] if self.sort else metrics,
        }
        for what, names in wanted.items():
            for name in names:
                if name not in known[what]:
                    raise unknown(f"{what} of the leaderboard", name, known[what])

    def _of(self, table: Table) -> Table:
        rows = [row for row in table.rows if not self.methods or {*row.names} & {*self.methods}]
        chosen = [one.name for metric in self.ids for one in table.columns if one.metric == metric]
        if not self.metrics:
            chosen = [one.name for one in table.columns if one.is_main or self.wide]
        by = [one.name for one in table.columns if self.sort and one.metric == self.sort][:1]
        found = replace(table, rows=rows).of_columns(list(dict.fromkeys([*chosen, *by])))
        return found.sorted_by(by[0]) if by else found
