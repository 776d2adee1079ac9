"""What a worker is asked to do, and what it reports while it works. Needs no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.cell import Cell
from bench.records.store import Todo

TASK = "task"
"""What the task had to say of its images in the run that made the cell."""


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do.

    may_train: whether a cell whose artefacts are gone is made anew. again: whether what stands is
    forgotten, or computed again. seen: the state of the record when that was decided (see
    `Store.state`). timeout: seconds after which the worker is stopped, None for never.
    checkpoint_every: seconds between checkpoints. keep: whether the last one stays.
    cells_per_gpu: how many share one, where the engine chooses it. options: what the user said of
    the task's images (see `bench.tasks.options.given`). facts: what the task says of them in this run.
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
    """What a cell shows while it trains."""

    step: int
    steps: int
    images_per_s: float
    seconds_left: float
    losses: dict[str, float]


Show = Callable[[str, Report | None], None]
"""Called with the name of the stage, and in training with how it goes."""
