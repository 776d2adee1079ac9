"""Defines the job of a worker, and the reports that the worker sends. Needs no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.cell import Cell
from bench.records.store import Todo


@dataclass(frozen=True)
class Job:
    """The work for one cell, which a worker does.

    metrics: ids that the record must have. inception: weights of Inception, or None. command: as
    the user typed it. may_train: whether to train a cell again if its artefacts are gone. again:
    whether to drop or recompute what the record has. seen: the state of the record at planning time
    (see `Store.state`). timeout: seconds until the worker is stopped, None for never.
    checkpoint_every: seconds between checkpoints. keep: whether to keep the last checkpoint.
    cells_per_gpu: cells that share a GPU, if the engine chooses the GPU. options: the
    user's options for the images (see `bench.tasks.options`). facts: the task's remarks on them.
    """

    cell: Cell
    todo: Todo
    results: Path
    cache: Path
    metrics: tuple[str, ...]
    inception: Path | None
    command: str
    may_train: bool = True
    again: bool = False
    seen: str = ""
    timeout: float | None = None
    checkpoint_every: float = 30.0
    keep: bool = False
    cells_per_gpu: int = 1
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The progress of a training. images_per_s: in the last block. seconds_left: estimated."""

    step: int
    steps: int
    images_per_s: float
    seconds_left: float
    losses: dict[str, float]


Show = Callable[[str, Report | None], None]
"""A function that takes the name of a stage and, during training, a report."""
