"""Shows the progress of a run: live bars in a terminal, plain lines elsewhere.

Both say how many cells are done and estimate the time that is left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from bench.runs.time_left import TimeLeft, duration
from bench.utils.output.console import say
from bench.utils.output.escape import one_line

if TYPE_CHECKING:
    from bench.cell.job import Job, Report
    from bench.contracts.task import Progress as Counter

SECONDS_BETWEEN_LINES = 20.0


def describe(job: Job) -> str:
    """Return the cell of a job in words."""
    cell = job.cell
    return f"{cell.label} on {cell.task}, {cell.profile}, seed {cell.seed}"


def progress_line(stage: str, report: Report | None) -> str:
    """Return the progress of a cell in a few words: steps, speed, time left and losses."""
    if report is None:
        return stage
    losses = " ".join(f"{name} {value:.3g}" for name, value in list(report.losses.items())[:3])
    left = f"{int(report.seconds_left // 60)}:{int(report.seconds_left % 60):02d} left"
    speed = f"{report.images_per_s:.0f} images/s"
    return f"{report.step}/{report.steps} steps, {speed}, {left}, {losses}"


class Bars:
    """Shows a bar for the run, one for each running cell, and a line for each finished one."""

    def __init__(self, console: Console, run: TimeLeft) -> None:
        self._console = console
        self._run = run
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[line]}", markup=False),
            console=console,
        )
        self._ids: dict[str, TaskID] = {}
        self._whole = self._bars.add_task("run", total=run.total, line=run.line())

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def started(self, job: Job) -> None:
        """Add a bar for a cell that starts."""
        name = one_line(f"{job.cell.label} s{job.cell.seed}")
        self._ids[job.cell.id] = self._bars.add_task(name, total=None, line="loading")
        self._run.start(job.cell.id)
        self._show_whole()

    def progressed(self, job: Job, stage: str, report: Report | None) -> None:
        """Update the bar of a cell."""
        at = self._ids[job.cell.id]
        self._bars.update(at, line=one_line(progress_line(stage, report)))
        if report:
            self._bars.update(at, total=report.steps, completed=report.step)
            self._run.train(job.cell.id, report.seconds_left)
        self._show_whole()

    def ended(self, job: Job, status: str, reason: str, seconds: float) -> None:
        """Replace the bar of a cell by a line."""
        self._bars.remove_task(self._ids.pop(job.cell.id))
        self._run.end(job.cell.id, status == "ok", seconds)
        self._show_whole()
        say(self._console, ended_line(job, status, reason, seconds, self._run))

    def _show_whole(self) -> None:
        self._bars.update(self._whole, completed=self._run.done, line=self._run.line())


class Lines:
    """Prints a line when a cell starts, regularly while it runs, and when it ends."""

    def __init__(self, console: Console, run: TimeLeft) -> None:
        self._console = console
        self._run = run
        self._last: dict[str, float] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def started(self, job: Job) -> None:
        """Print that a cell has started."""
        say(self._console, f"start  {describe(job)}")
        self._last[job.cell.id] = time.monotonic()
        self._run.start(job.cell.id)

    def progressed(self, job: Job, stage: str, report: Report | None) -> None:
        """Print the progress of a cell, at most once in `SECONDS_BETWEEN_LINES`."""
        if report:
            self._run.train(job.cell.id, report.seconds_left)
        now = time.monotonic()
        if now - self._last[job.cell.id] >= SECONDS_BETWEEN_LINES:
            self._last[job.cell.id] = now
            say(self._console, f"  ...  {describe(job)}: {progress_line(stage, report)}")

    def ended(self, job: Job, status: str, reason: str, seconds: float) -> None:
        """Print the status of a cell that ended."""
        self._run.end(job.cell.id, status == "ok", seconds)
        say(self._console, ended_line(job, status, reason, seconds, self._run))


def ended_line(job: Job, status: str, reason: str, seconds: float, run: TimeLeft) -> str:
    """Return the line for a cell that ended: how it did, and how much of the run is left."""
    left = run.seconds()
    more = f", about {duration(left)} left" if left and run.done < run.total else ""
    line = f"[{run.done}/{run.total}] {status:6} {describe(job)} ({seconds:.0f} s{more})"
    return f"{line}: {reason}" if reason else line


def display(console: Console, forecasts: Mapping[str, float | None]) -> Bars | Lines:
    """Return bars for a terminal, and lines for anything else.

    forecasts: the seconds that each cell of the run will take, by its id; None if unknown.
    """
    run = TimeLeft(forecasts)
    return Bars(console, run) if console.is_terminal else Lines(console, run)


@contextmanager
def preparing(console: Console, name: str) -> Iterator[Counter]:
    """Show the progress of making the images of a task; yield a function of (done, total)."""
    if console.is_terminal:
        name_of_task = TextColumn("{task.description}", markup=False)
        columns = (name_of_task, BarColumn(), TaskProgressColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            at = bar.add_task(f"preparing {name}", total=None)
            yield lambda done, total: bar.update(at, completed=done, total=total)
        return
    announced = False

    def announce(done: int, total: int) -> None:
        nonlocal announced
        if not announced:
            announced = True
            say(console, f"making {total} images of {name}, once for this machine")

    yield announce
