"""Splits a plan between several machines, which need no communication to agree.

The split depends only on the plan and on the committed records. It does not depend on the results
folder, the device or the package versions of a machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import PUBLISHED, Cell
from bench.contracts.record import Record
from bench.plan.forecast import latest_alike
from bench.plan.plan import Plan
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.paths import COMMITTED
from bench.utils.hashing import hash_of

MACHINE_FIELDS = ("device", "precision", "fingerprint")
"""The fields of an identity that may differ between machines, through `auto` or packages."""
SECONDS_A_TFLOP = 25.0
"""The assumed time of a cell without a record, on one core, as in the committed records."""
TFLOPS_A_PUBLISHED_STEP = 0.3
"""The assumed cost of a training step at 128 pixels, if the budget is a number of steps."""


@dataclass(frozen=True)
class Shard:
    """The part ``index`` of ``count``; the first part is 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/4`.

        Raises:
            UserError: the text has another form, or there is no such part.
        """
        numbers = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        if numbers is None:
            raise UserError(f"--shard '{text}': expected PART/PARTS, for example 2/4")
        index, count = int(numbers[1]), int(numbers[2])
        if not 1 <= index <= count:
            raise UserError(
                f"--shard {text}: there is no part {index} of {count}; "
                "expected PART/PARTS, PART from 1 to PARTS, for example 2/4"
            )
        return cls(index, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def take(plan: Plan, shard: Shard) -> Plan:
    """Return a plan with only the cells of a shard, in the same order.

    A cell that uses the weights of another cell of the plan is in the shard of that cell.
    """
    records = Store(COMMITTED).records()[0]
    planned = {cell.id for cell in plan.cells}
    leader = {
        cell.id: of.id
        for cell in plan.cells
        if (of := cell.weights_from) is not None and of.id in planned
    }
    leaders = [cell for cell in plan.cells if cell.id not in leader]
    costs = {cell.id: cost(cell, plan, records) for cell in leaders}
    mine = {cell.id for cell in split(leaders, costs, shard.count)[shard.index - 1]}
    cells = tuple(cell for cell in plan.cells if leader.get(cell.id, cell.id) in mine)
    return replace(plan, cells=cells)


def split(cells: Sequence[Cell], costs: Mapping[str, float], count: int) -> list[list[Cell]]:
    """Split cells into `count` lists of about the same cost.

    The most expensive cell comes first; each cell goes to the list that costs least so far. So the
    costs of two lists differ by at most the cost of one cell.

    Args:
        cells: the cells.
        costs: the cost of each cell, by its id.
        count: the number of lists.
    """
    shards: list[list[Cell]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for cell in sorted(cells, key=lambda cell: (-costs[cell.id], _portable_id(cell))):
        least = loads.index(min(loads))
        shards[least].append(cell)
        loads[least] += costs[cell.id]
    return shards


def cost(cell: Cell, plan: Plan, records: Sequence[Record]) -> float:
    """Return the expected seconds of a cell, from a record or from its training budget."""
    known = latest_alike(cell, records, ("method", "task", "numbers"))
    if known is not None:
        return float(sum(known["timings"].values()))
    if cell.method in ANCHORS:
        return 0.0
    budget = cell.numbers["budget_tflops"]
    if budget == PUBLISHED:
        steps = plan.registry.find("method", cell.method).load().published_steps
        budget = steps * TFLOPS_A_PUBLISHED_STEP
    return float(budget) * SECONDS_A_TFLOP


def _portable_id(cell: Cell) -> str:
    """Return an id of a cell that is the same on every machine, unlike `Cell.id`."""
    kept = {key: value for key, value in cell.identity.items() if key not in MACHINE_FIELDS}
    return hash_of(kept)
