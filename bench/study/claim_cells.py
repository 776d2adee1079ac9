"""Plans the cells that claims need, and finds their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.contracts.anchors import WEIGHTS_OF
from bench.contracts.cell import Cell
from bench.contracts.record import Record
from bench.plan.plan import Plan, Request, make_plan
from bench.records.read import Damaged
from bench.records.store import Store
from bench.study.claims import Claim, Row
from bench.utils.errors import UserError


@dataclass(frozen=True)
class ClaimPlan:
    """The cells of claims.

    Attributes:
        plan: all cells, each once. It also has the cells whose weights an anchor uses.
        cells: the cells of each row, in the order of the seeds.
    """

    plan: Plan
    cells: Mapping[Row, tuple[Cell, ...]]


def plan_claims(claims: Sequence[Claim], request: Request) -> ClaimPlan:
    """Return the cells that claims need. Claims that name the same row share its cells.

    Args:
        claims: at least one claim.
        request: the part of the request that does not depend on the claim. Its methods, tasks,
            profile, seeds and settings are not used. If it names metrics, those of the claims are
            added.

    Raises:
        UserError: a row cannot be run; the message names its claims.
    """
    rows = dict.fromkeys(side.row for claim in claims for side in claim.sides)
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task, row.profile, row.seeds, row.settings), []).append(row)
    metrics = request.metrics and (*request.metrics, *(claim.metric for claim in claims))
    plans: list[Plan] = []
    cells: dict[Row, tuple[Cell, ...]] = {}
    for (task, profile, seeds, settings), members in groups.items():
        methods = [row.method for row in members]
        methods += [WEIGHTS_OF[method] for method in methods if method in WEIGHTS_OF]
        try:
            plan = make_plan(
                replace(
                    request,
                    methods=tuple(dict.fromkeys(methods)),
                    tasks=(task,),
                    metrics=metrics,
                    profile=profile,
                    seeds=seeds,
                    settings=settings,
                )
            )
        except UserError as error:
            raise UserError(f"{_names(claims, members)}: {error}") from None
        plans.append(plan)
        for row in members:
            cells[row] = tuple(cell for cell in plan.cells if cell.method == row.method)
    return ClaimPlan(_merged(plans), cells)


def _names(claims: Sequence[Claim], rows: Sequence[Row]) -> str:
    names = [claim.id for claim in claims if any(side.row in rows for side in claim.sides)]
    return f"claim{'s' * (len(names) > 1)} {', '.join(names)}"


def _merged(plans: Sequence[Plan]) -> Plan:
    """Return one plan with the cells of all plans, each once."""
    return replace(
        plans[0],
        cells=tuple({cell.id: cell for plan in plans for cell in plan.cells}.values()),
        versions={name: version for plan in plans for name, version in plan.versions.items()},
        tasks={name: task for plan in plans for name, task in plan.tasks.items()},
        left_out=tuple(dict.fromkeys(line for plan in plans for line in plan.left_out)),
    )


@dataclass(frozen=True)
class Found:
    """The records of a row, in the order of the seeds; if some are missing or failed, why.

    Attributes:
        records: the usable records; all of them if ``reason`` is "".
        reason: why a record cannot be used, or "".
        ran: whether every cell has a record, maybe a failed one.
    """

    records: tuple[Record, ...]
    reason: str = ""
    ran: bool = True


def records_of(cells: Sequence[Cell], store: Store) -> Found:
    """Return the records of the cells of a row in a results folder."""
    records: list[Record] = []
    for cell in cells:
        record = store.record(store.record_path(cell))
        if isinstance(record, Damaged) or record["id"] != cell.id:
            return Found(tuple(records), f"{cell.label} seed {cell.seed} has no record", ran=False)
        if record["status"] != "ok":
            reason = f"{cell.label} seed {cell.seed} {record['status']}: {record['reason']}"
            return Found(tuple(records), reason)
        records.append(record)
    return Found(tuple(records))
