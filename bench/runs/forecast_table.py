"""Prints how long a run will take: the table of `--dry-run`, and the first line of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from bench.cell.job import Job
from bench.contracts.anchors import ANCHORS
from bench.plan.forecast import Forecast, forecast, known_records
from bench.plan.method_sets import SETS
from bench.plan.plan import default_workers
from bench.utils.output.console import print_table, say


def show_forecast(console: Console, jobs: Sequence[Job], workers: int | None) -> None:
    """Print one row for each job, with the forecast from earlier records, and the totals."""
    records = known_records(jobs[0].results)
    words = {"nothing": "has its record", "score": "score only", "run": "train and score"}

    def to_do(job: Job) -> str:
        makes = job.todo == "run" and job.cell.method in ANCHORS
        return "make and score" if makes else words[job.todo]

    guesses = [forecast(job, records) for job in jobs]
    rows = [
        (
            job.cell.label,
            job.cell.task,
            str(job.cell.seed),
            to_do(job),
            "?" if guess.seconds is None else f"{guess.seconds:.0f} s",
            "?" if guess.megabytes is None else f"{guess.megabytes:.0f} MB",
        )
        for job, guess in zip(jobs, guesses, strict=True)
    ]
    print_table(console, ("method", "task", "seed", "to do", "time", "disk"), rows)
    say(console, _total(guesses, workers or default_workers(jobs[0].cell.device)))


def say_duration(
    console: Console, jobs: Sequence[Job], guesses: Sequence[Forecast], workers: int
) -> None:
    """Print how long jobs will take, and what is quicker if that is long.

    guesses: the forecast of each job. workers: how many jobs run at a time.
    """
    line = _total(guesses, workers)
    if _minutes(guesses, workers) > LONG and any(job.todo == "run" for job in jobs):
        core = [
            guess
            for job, guess in zip(jobs, guesses, strict=True)
            if job.cell.method in (*SETS["core"], *ANCHORS)
        ]
        quicker = []
        if 0 < len(core) < len(jobs):
            quicker.append(f"`--methods core` (about {_minutes(core, workers):.0f} minutes)")
        if jobs[0].cell.profile != "smoke":
            quicker.append("`--profile smoke`, which only shows that everything works")
        if quicker:
            line += f". Quicker: {' or '.join(quicker)}"
    say(console, line)


LONG = 5
"""Minutes above which a run says what is quicker."""


def _minutes(guesses: Sequence[Forecast], workers: int) -> float:
    """Return the time of all jobs with a forecast, if so many run at a time."""
    seconds = [guess.seconds or 0.0 for guess in guesses]
    return max(sum(seconds) / workers, *seconds) / 60


def _total(guesses: Sequence[Forecast], workers: int) -> str:
    """Return the totals of a run, and how many of its jobs have no forecast of their own."""
    megabytes = sum(guess.megabytes or 0 for guess in guesses)
    line = f"{len(guesses)} cell{'s' * (len(guesses) != 1)}, {workers} at a time"
    unknown = sum(guess.seconds is None for guess in guesses)
    if unknown < len(guesses):
        line += f": about {_minutes(guesses, workers):.1f} minutes and {megabytes:.0f} MB"
    if unknown:
        line += f"; {unknown} without a forecast: no earlier record is like them"
    if scaled := sum(guess.scaled for guess in guesses):
        line += f"; {scaled} scaled from a record of another training budget"
    return line
