"""Prepares a run: from what the user asks for to jobs that can start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.cell.job import Job
from bench.plan.forecast import needs_of_run
from bench.plan.plan import Plan, Request, default_workers, jobs_for, make_plan
from bench.plan.shard import Shard, take
from bench.records.store import Existing, Store
from bench.runs.execute import execute
from bench.utils.files.disk import require_space
from bench.utils.output.console import say


@dataclass(frozen=True)
class PreparedRun:
    """A run that can start.

    Attributes:
        plan: its cells.
        jobs: one job for each cell.
        store: the results folder.
        workers: how many cells run at a time.
        engine: the name of the engine.
    """

    plan: Plan
    jobs: Sequence[Job]
    store: Store
    workers: int
    engine: str

    @property
    def has_work(self) -> bool:
        """Whether any cell is not done yet."""
        return any(job.todo != "nothing" for job in self.jobs)

    def execute(self, console: Console, tensorboard: bool = False) -> int:
        """Run what is not done and print the leaderboard; return the exit code.

        tensorboard: whether to write the losses of trainings for TensorBoard.
        """
        return execute(
            console,
            self.plan,
            self.jobs,
            self.store,
            self.engine,
            self.workers,
            tensorboard=tensorboard,
        )


def prepare_run(
    console: Console,
    request: Request,
    store: Store,
    cache: Path,
    *,
    existing: Existing,
    engine: str,
    workers: int | None,
    shard: Shard | None = None,
    cells_per_gpu: int = 1,
    **limits: Any,
) -> PreparedRun:
    """Return a run, after a complete check of what the user asks for. It writes no results.

    Args:
        console: where to say what is left out.
        request: what the user asks for.
        store: the results folder.
        cache: the folder of rendered and decoded tasks.
        existing: what to do with a cell that has a record.
        engine: the name of the engine.
        workers: how many cells run at a time; None for one on each core or GPU.
        shard: the part of the cells to run; None for all.
        cells_per_gpu: how many cells run on each GPU at a time, if `workers` is None.
        limits: timeout, checkpoint_every, keep and command (see `bench.plan.plan.jobs_for`).

    Raises:
        UserError: a name does not exist, a value does not fit, or this machine lacks something.
    """
    plan = make_plan(request)
    for line in plan.left_out:
        say(console, f"not in this run: {line}")
    if shard is not None:
        whole, plan = plan, take(plan, shard)
        say(console, f"shard {shard}: {len(plan.cells)} of {len(whole.cells)} cells")
    jobs = jobs_for(plan, store, cache, existing, cells_per_gpu=cells_per_gpu, **limits)
    device = jobs[0].cell.device if jobs else "cpu"
    return PreparedRun(plan, jobs, store, workers or default_workers(device, cells_per_gpu), engine)


def open_results(store: Store, plan: Plan, jobs: Sequence[Job], ignore_disk: bool) -> None:
    """Prepare a results folder for the cells of a plan.

    Args:
        store: the folder, which is created if it does not exist.
        plan: the plan.
        jobs: what is left to do of it.
        ignore_disk: whether the run may start even if the disk seems too small.

    Raises:
        UserError: the disk is too small, or the folder cannot be written.
    """
    if not ignore_disk:
        require_space(
            needs_of_run(plan, jobs),
            "make room (`python -m bench clean`), name other folders with --results and "
            "--cache-dir, or use --ignore-disk",
        )
    store.open_for_writing()
