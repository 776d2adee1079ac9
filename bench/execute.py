"""A run from its plan to its leaderboard, as the console sees it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.anchors import ANCHORS
from bench.cell import Job
from bench.data import prepare, read
from bench.display import display, preparing, print_table, say
from bench.engines import ENGINES
from bench.errors import Exit
from bench.folder import RunFolder
from bench.grid import draw_overview
from bench.plan import COMMITTED, Plan, default_workers, forecast, stale
from bench.publish import write_leaderboard
from bench.store import Damaged, Store, read_record


def execute(
    console: Console,
    plan: Plan,
    jobs: Sequence[Job],
    store: Store,
    engine: str,
    workers: int | None,
    fresh: bool,
) -> int:
    """Do what is left of a plan and print the leaderboard; return the exit code."""
    to_do = [job for job in jobs if job.todo != "nothing"]
    if len(to_do) < len(jobs):
        console.print(f"{len(jobs) - len(to_do)} of {len(jobs)} cells have their record already")
    for label in stale(plan, store):
        say(
            console,
            f"stale: the source of {label} has changed since its record was made "
            "(--existing fresh runs it again)",
        )
    for name in dict.fromkeys(job.cell.task for job in to_do):
        with preparing(console, name) as progress:
            prepare(
                plan.tasks[name],
                plan.profile.sizes,
                to_do[0].cache,
                say=lambda line: say(console, line),
                progress=progress,
            )
    if fresh:
        for job in to_do:
            store.forget(job.cell)
    if to_do:
        to_do = longest_first(to_do)
        workers = workers or default_workers(to_do[0].cell.device)
        with display(console, len(to_do)) as shown:
            ENGINES[engine](to_do, workers, shown)
    write_leaderboard(console, store, {(c.profile, c.task) for c in plan.cells})
    for task in dict.fromkeys(job.cell.task for job in to_do):
        _write_overview(plan, task, store, to_do[0].cache)
    return _exit_code(console, plan, store)


def longest_first(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs in the order that ends soonest: by earlier records, unknown ones in front."""
    records = _known_records(jobs[0].results)

    def seconds(job: Job) -> float:
        if job.cell.method in ANCHORS:
            return 0.0
        known = forecast(job, records).seconds
        return math.inf if known is None else known

    return sorted(jobs, key=seconds, reverse=True)


def _known_records(results: Path) -> list[dict[str, Any]]:
    """Return the records of a results folder and those that come with the suite."""
    return Store(results).records()[0] + Store(COMMITTED).records()[0]


def show_forecast(console: Console, jobs: Sequence[Job], workers: int | None) -> None:
    """Print what would be done, and what it will take going by earlier records."""
    records = _known_records(jobs[0].results)
    said = {"nothing": "has its record", "score": "score only", "run": "train and score"}
    guesses = [forecast(job, records) for job in jobs]
    rows = [
        (
            job.cell.label,
            job.cell.task,
            str(job.cell.seed),
            said[job.todo],
            "?" if guess.seconds is None else f"{guess.seconds:.0f} s",
            "?" if guess.megabytes is None else f"{guess.megabytes:.0f} MB",
        )
        for job, guess in zip(jobs, guesses, strict=True)
    ]
    print_table(console, ("method", "task", "seed", "to do", "time", "disk"), rows)
    at_a_time = workers or default_workers(jobs[0].cell.device)
    seconds = [guess.seconds or 0 for guess in guesses]
    minutes = max(sum(seconds) / at_a_time, *seconds) / 60
    megabytes = sum(guess.megabytes or 0 for guess in guesses)
    line = f"{len(jobs)} cells, {at_a_time} at a time"
    unknown = sum(guess.seconds is None for guess in guesses)
    if unknown < len(jobs):
        line += f": about {minutes:.1f} minutes and {megabytes:.0f} MB"
    if unknown:
        line += f"; no earlier record tells of {unknown} of them"
    say(console, line)


def _exit_code(console: Console, plan: Plan, store: Store) -> int:
    """Return 3 when any cell of the plan has no good record, and say which."""
    failed = 0
    for cell in plan.cells:
        record = read_record(store.record_path(cell))
        reason = _failure(record, plan.versions)
        if reason:
            failed += 1
            say(console, f"failed: {cell.label} seed {cell.seed}: {reason}")
    if failed:
        console.print(f"{failed} of {len(plan.cells)} cells failed; --existing retry tries again")
    return int(Exit.CELL_FAILED if failed else Exit.FINE)


def _failure(record: dict[str, Any] | Damaged, wanted: Collection[str]) -> str:
    """Return why a record does not count as good, or ''."""
    if isinstance(record, Damaged):
        return str(record)
    if record["status"] != "ok":
        return str(record["reason"])
    entries = (record["metrics"][name] for name in wanted if name in record["metrics"])
    return next((str(e["reason"]) for e in entries if e["status"] == "failed"), "")


def _write_overview(plan: Plan, task: str, store: Store, cache: Path) -> None:
    """Put the results of all methods of a plan side by side, the first seed of each."""
    made = {}
    for cell in plan.cells:
        if cell.task == task and cell.method not in ANCHORS and cell.label not in made:
            artefacts = RunFolder(store.run_path(cell)).artefacts()
            if artefacts is not None:
                made[cell.label] = artefacts
    if made:
        data = read(plan.tasks[task], plan.profile.sizes, cache)
        title = f"{task}, profile {plan.profile.name}: adding on the left, removing on the right"
        file = f"overview-{task}-{plan.profile.name.partition('[')[0]}.png"
        draw_overview(store.root / file, title, made, data)
