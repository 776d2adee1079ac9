"""A slice of a plan for one of several machines, which all cut it alike and need no word for it.

What decides is the plan and the records that come with the suite, and nothing that a machine has
of its own: no results folder, no device, no version of a renderer.
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

OF_A_MACHINE = ("device", "precision", "fingerprint")
"""The parts of an identity that `auto` and installed packages make differ between machines."""
SECONDS_A_TFLOP = 25.0
"""Of a cell that no record tells of: train and score on one core, as in the committed records."""
TFLOPS_A_PUBLISHED_STEP = 0.3
"""Where the budget is a published number of steps: about that of one at 128 pixels."""


@dataclass(frozen=True)
class Shard:
    """The part ``index`` of ``count``, from 1 on."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/4`.

        Raises:
            UserError: it has another form, or there is no such part.
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
    """Return a plan with the cells of a shard alone, in their order."""
    records = Store(COMMITTED).records()[0]
    costs = {cell.id: cost(cell, plan, records) for cell in plan.cells}
    mine = {cell.id for cell in split(plan.cells, costs, shard.count)[shard.index - 1]}
    return replace(plan, cells=tuple(cell for cell in plan.cells if cell.id in mine))


def split(cells: Sequence[Cell], costs: Mapping[str, float], count: int) -> list[list[Cell]]:
    """Return so many lists of cells that cost about the same: the dearest first, each to the least.

    Their costs (by id) differ by at most that of one cell.
    """
    shards: list[list[Cell]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for cell in sorted(cells, key=lambda cell: (-costs[cell.id], _name_everywhere(cell))):
        least = loads.index(min(loads))
        shards[least].append(cell)
        loads[least] += costs[cell.id]
    return shards


def cost(cell: Cell, plan: Plan, records: Sequence[Record]) -> float:
    """Return the seconds that a cell counts as: by records, or by its budget of training FLOPs."""
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


def _name_everywhere(cell: Cell) -> str:
    """Return an id that is the same on every machine, unlike `Cell.id`."""
    kept = {key: value for key, value in cell.identity.items() if key not in OF_A_MACHINE}
    return hash_of(kept)
