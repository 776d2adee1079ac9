"""Writes the losses of trainings for TensorBoard, beside what a run shows."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from bench.records.store import Store
from bench.runs.engines.base import Display
from bench.utils.errors import UserError

if TYPE_CHECKING:
    from bench.cell.job import Job, Report

FOLDER = "tensorboard"
"""The folder of a results folder with one folder for each cell."""


def require_tensorboard() -> None:
    """Check that TensorBoard is installed, without importing it.

    Raises:
        UserError: it is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("--tensorboard needs TensorBoard: pip install 'contentbench[tensorboard]'")


class LossLog:
    """A display that also writes each report of a training. The training does not know of it."""

    def __init__(self, shown: Display, store: Store) -> None:
        self._shown = shown
        self._store = store
        self._writers: dict[str, Any] = {}

    def started(self, job: Job) -> None:
        """Open the log of a cell."""
        from torch.utils.tensorboard import SummaryWriter

        name = self._store.run_path(job.cell).name
        self._writers[job.cell.id] = SummaryWriter(self._store.root / FOLDER / name)
        self._shown.started(job)

    def progressed(self, job: Job, stage: str, report: Report | None) -> None:
        """Write the losses and the speed of a report."""
        if report:
            writer = self._writers[job.cell.id]
            for name, value in report.losses.items():
                writer.add_scalar(f"loss/{name}", value, report.step)
            writer.add_scalar("images_per_s", report.images_per_s, report.step)
        self._shown.progressed(job, stage, report)

    def ended(self, job: Job, status: str, reason: str, seconds: float) -> None:
        """Close the log of a cell."""
        self._writers.pop(job.cell.id).close()
        self._shown.ended(job, status, reason, seconds)
