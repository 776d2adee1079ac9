"""Scores trained methods on another *test* part. Nothing is trained.

The true results of the usual *test* part can be drawn by anybody. A maintainer scores a submission
on a part that nobody has seen: the same task with a test seed of his own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.cell.run_folder import WEIGHTS, RunFolder
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell
from bench.contracts.registry import Registry
from bench.contracts.task import Task
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, jobs_for
from bench.records.read import cell_of
from bench.records.select import Choice
from bench.records.store import Store
from bench.runs.execute import Setup, execute
from bench.tasks.cache import fingerprint
from bench.tasks.options import tasks_of
from bench.utils.errors import Exit, UserError
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.output.console import say


def score_fresh_test(setup: Setup, request: Request) -> int:
    """Score the trained cells of a results folder on the test part of a seed; return the exit code.

    The records of the fresh part stand beside the others, as a task of its own. An empty field of
    the request stands for all records. A cell whose weights are gone, or whose method has changed,
    is left out with the reason, and the exit code is 3.

    Raises:
        UserError: the request names something that does not exist, no record fits it, or a task
            cannot draw another test part.
    """
    registry, store = Registry(request.plugins), setup.store
    versions = chosen_metrics(registry, request)
    store.require_records()
    records, _ = store.records()
    choice = Choice(request.methods, request.tasks, request.profile, request.seeds)
    cells = [cell_of(record, full_paths(request)) for record in choice.of(records)]
    cells = [one for one in cells if one.task.partition(":")[0] == one.task and not one.imported]
    if not cells:
        raise UserError("no record of a drawn task fits: --test-seed has nothing to score")
    tasks = tasks_of(registry, tuple(one.task for one in cells), request.options)
    by_kind = {name.partition(":")[0]: task for name, task in tasks.items()}
    store.open_for_writing()
    fresh: list[Cell] = []
    refused = 0
    for cell in cells:
        moved = _moved(cell, by_kind)
        why = "" if cell.method in ANCHORS else _take_weights(cell, moved, registry, store)
        if why:
            refused += 1
            say(setup.console, f"not scored: {cell.label} seed {cell.seed}: {why}")
        else:
            fresh.append(moved)
    if not fresh:
        return int(Exit.CELL_FAILED)
    plan = Plan(tuple(fresh), versions, tasks, registry, request.inception)
    jobs = jobs_for(plan, store, setup.cache, setup.existing)
    code = execute(setup.console, plan, jobs, store, setup.engine, setup.workers)
    return int(Exit.CELL_FAILED) if refused else code


def _moved(cell: Cell, by_kind: Mapping[str, Task]) -> Cell:
    """Return a cell on the task with the fresh test part."""
    task = by_kind[cell.task]
    return replace(cell, task=task.name, fingerprint=fingerprint(task, cell.sizes))


def _take_weights(cell: Cell, moved: Cell, registry: Registry, store: Store) -> str:
    """Give a moved cell the weights of its cell; return why that cannot be done, or ''."""
    before, after = (RunFolder(store.run_path(one)) for one in (cell, moved))
    source = registry.find("method", cell.method).source_hash()
    if after.training(source) is not None:
        return ""
    if before.training(source) is None:
        return "its trained weights are gone, or its method has changed since"
    weights, facts = WEIGHTS
    after.path.mkdir(parents=True, exist_ok=True)
    (after.path / weights).write_bytes((before.path / weights).read_bytes())
    # its curve was measured on the other test part
    write_sealed(after.path / facts, read_sealed(before.path / facts) | {"curve": []})
    return ""
