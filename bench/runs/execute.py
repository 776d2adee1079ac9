"""Runs a plan: makes the tasks ready, runs the jobs, writes and prints the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.board.publish import write_leaderboard
from bench.cell.job import Job
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell
from bench.contracts.labels import study_text
from bench.contracts.protocol import board_key_of
from bench.contracts.record import Record
from bench.contracts.task import DataSizes, Task, TaskData
from bench.plan.forecast import Forecast, forecast, known_records
from bench.plan.plan import Plan, default_workers, stale
from bench.records.read import Damaged
from bench.records.store import UNAVAILABLE, Existing, Store
from bench.runs.display import display, preparing
from bench.runs.engines.choose import ENGINES
from bench.runs.forecast_table import say_duration
from bench.runs.tensorboard import LossLog
from bench.tasks.cache import fingerprint, prepare, require_cached
from bench.utils.errors import Exit, UserError
from bench.utils.output.console import say

OPTIONS_AGAIN = "give --a, --b, --data-root and so on as in the run that made them"


@dataclass(frozen=True)
class Setup:
    """Where and how cells are scored, for the verbs that do not train."""

    console: Console
    store: Store
    cache: Path
    existing: Existing
    engine: str
    workers: int | None


def execute(
    console: Console,
    plan: Plan,
    jobs: Sequence[Job],
    store: Store,
    engine: str,
    workers: int | None,
    forget: Iterable[Cell] = (),
    publish: bool = True,
    tensorboard: bool = False,
) -> int:
    """Run the jobs of a plan that are not done and print the leaderboard; return the exit code.

    Args:
        console: where to print.
        plan: the cells.
        jobs: one job for each cell.
        store: the results folder.
        engine: the name of the engine.
        workers: how many cells run at a time; None or 0 for the default.
        forget: cells whose files are removed before the run. They are kept until the tasks are
            ready, so that they are not lost if a task cannot be made.
        publish: whether to write and print the leaderboard, and to draw the overviews.
        tensorboard: whether to write the losses of trainings for TensorBoard.
    """
    to_do = [job for job in jobs if job.todo != "nothing"]
    device = jobs[0].cell.device if any(job.may_train for job in to_do) else "cpu"
    workers = workers or default_workers(device)
    guesses = forecasts(to_do)
    seconds = {cell: guess.seconds for cell, guess in guesses.items()}
    if to_do:
        say_duration(console, to_do, list(guesses.values()), workers)
    if len(to_do) < len(jobs):
        console.print(f"{len(jobs) - len(to_do)} of {len(jobs)} cells have a record already")
    for cell in (job.cell for job in jobs if job.todo == "nothing"):
        if store.renew_origin(cell):
            say(
                console, f"{cell.label} seed {cell.seed}: {_origin(cell)}; nothing is trained again"
            )
    for label in stale(plan, store):
        say(
            console,
            f"stale: the source of {label} has changed since its record was made "
            "(`python -m bench run --existing fresh` runs it again)",
        )
    facts: dict[str, Mapping[str, Any]] = {}
    for cell in {(job.cell.task, job.cell.fingerprint): job.cell for job in to_do}.values():
        task = plan.tasks.get(cell.task)
        if task is None or fingerprint(task, cell.sizes) != cell.fingerprint:
            require_cached(cell.task, cell.sizes, cell.fingerprint, to_do[0].cache, OPTIONS_AGAIN)
        else:
            facts[cell.fingerprint] = make_ready(console, task, cell.sizes, to_do[0].cache).facts
    to_do = [replace(job, facts=facts.get(job.cell.fingerprint, {})) for job in to_do]
    for cell in forget:
        store.forget(cell)
    unscored: dict[str, str] = {}
    if to_do:
        to_do = longest_first(to_do, seconds)
        with display(console, seconds) as shown:
            for wave in waves(to_do):
                watching = LossLog(shown, store) if tensorboard else shown
                statuses = ENGINES[engine](wave, workers, watching)
                ended = zip(wave, statuses, strict=True)
                unscored |= {job.cell.id: status for job, status in ended if status != "ok"}
    views_written = not publish or _write_views(console, plan, jobs, to_do, store)
    code = _exit_code(console, plan, store, unscored)
    return code if views_written else int(Exit.CELL_FAILED)


def _origin(cell: Cell) -> str:
    """Return where the configuration of a cell comes from."""
    study = study_text(cell.study)
    kinds = {
        "published": "its configuration is the published one",
        "tuned": f"its configuration is the winner of study {study}",
        "both": f"its configuration is the published one, and the winner of study {study}",
    }
    return kinds.get(cell.configuration, "no study has its method")


def _write_views(
    console: Console, plan: Plan, jobs: Sequence[Job], done: Sequence[Job], store: Store
) -> bool:
    """Write the leaderboard and the overviews; return False, after an error line, on failure."""
    try:
        boards = {board_key_of(cell.identity) for cell in plan.cells}
        cache = jobs[0].cache if jobs else None
        write_leaderboard(console, store, boards, known=plan.registry.infos(), cache=cache)
        for task in dict.fromkeys(job.cell.task for job in done if job.may_train):
            from bench.runs.overview import write_overview  # it imports torch

            write_overview(plan, task, store, done[0].cache)
    except (UserError, OSError) as error:
        say(console, f"error: {error}")
        return False
    return True


def make_ready(console: Console, task: Task, sizes: DataSizes, cache: Path) -> TaskData:
    """Return the data of a task, after making its images if the cache lacks them.

    The console shows the progress, and then the notes of the task about its images.
    """
    with preparing(console, task.name) as progress:
        data = prepare(task, sizes, cache, lambda line: say(console, line), progress)
    for note in data.facts.get("notes", ()):
        say(console, f"{task.name}: {note}")
    return data


def waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return jobs in groups that run one after another.

    Jobs that use the weights of other cells come last, when those weights are there.
    """
    first = [job for job in jobs if job.cell.weights_from is None]
    last = [job for job in jobs if job.cell.weights_from is not None]
    return [wave for wave in (first, last) if wave]


def forecasts(jobs: Sequence[Job]) -> dict[str, Forecast]:
    """Return what each job will take, by the id of its cell."""
    records = known_records(jobs[0].results) if jobs else []
    return {job.cell.id: forecast(job, records) for job in jobs}


def longest_first(jobs: Sequence[Job], seconds: Mapping[str, float | None]) -> list[Job]:
    """Return jobs by descending forecast, so that the run ends sooner; unknown ones come first.

    Anchors are short, and come last.
    """

    def key(job: Job) -> float:
        known = seconds[job.cell.id]
        if job.cell.method in ANCHORS:
            return 0.0
        return math.inf if known is None else known

    return sorted(jobs, key=key, reverse=True)


def _exit_code(console: Console, plan: Plan, store: Store, unscored: Mapping[str, str]) -> int:
    """Print the cells of a plan that failed; return 3 if there are any, and else 0.

    Args:
        console: where to print.
        plan: the cells.
        store: the results folder.
        unscored: the statuses of cells that failed in this run, by id; such a cell may have an
            older record.
    """
    failed = 0
    for cell in plan.cells:
        record = store.record(store.record_path(cell))
        reason = _failure(record, plan.versions)
        if not reason and cell.id in unscored:
            from bench.cell.run import lacking_weights
            from bench.cell.run_folder import RunFolder

            reason = f"no new numbers (log: {RunFolder(store.run_path(cell)).log})"
            if unscored[cell.id] == UNAVAILABLE:
                reason = f"keeps its earlier numbers; {lacking_weights(cell, store)}"
        if reason:
            failed += 1
            say(console, f"failed: {cell.label} seed {cell.seed}: {reason}")
    if failed:
        console.print(f"{failed} of {len(plan.cells)} cells failed; --existing retry tries again")
    return int(Exit.CELL_FAILED if failed else Exit.FINE)


def _failure(record: Record | Damaged, wanted: Collection[str]) -> str:
    """Return why a record does not count as a success, or ''."""
    if isinstance(record, Damaged):
        return str(record)
    if record["status"] != "ok":
        return str(record["reason"])
    entries = (record["metrics"][name] for name in wanted if name in record["metrics"])
    return next((str(e["reason"]) for e in entries if e["status"] == "failed"), "")
