"""Prints the forecast of `--dry-run`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from bench.cell.job import Job
from bench.contracts.anchors import ANCHORS
from bench.plan.forecast import forecast, known_records
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
    num_workers = workers or default_workers(jobs[0].cell.device)
    seconds = [guess.seconds or 0 for guess in guesses]
    minutes = max(sum(seconds) / num_workers, *seconds) / 60
    megabytes = sum(guess.megabytes or 0 for guess in guesses)
    line = f"{len(jobs)} cells, {num_workers} at a time"
    unknown = sum(guess.seconds is None for guess in guesses)
    if unknown < len(jobs):
        line += f": about {minutes:.1f} minutes and {megabytes:.0f} MB"
    if unknown:
        line += f"; {unknown} without a forecast: no earlier record is like them"
    if scaled := sum(guess.scaled for guess in guesses):
        line += f"; {scaled} scaled from a record of another training budget"
    say(console, line)
