"""The engines by name."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.runs.engines.base import Display
from bench.runs.engines.inline import inline
from bench.runs.engines.process import processes
from bench.utils.errors import UserError

if TYPE_CHECKING:
    from bench.cell.job import Job


def require_ray() -> None:
    """Check that Ray is installed, without importing it.

    Raises:
        UserError: Ray is not installed.
    """
    found = importlib.util.find_spec("ray")
    if found is None or found.origin is None:  # no origin: a folder named ray
        raise UserError("--engine ray needs Ray: pip install 'contentbench[ray]'")


def in_ray(jobs: Sequence[Job], workers: int, display: Display) -> list[str]:
    """Run jobs as tasks of Ray (see `bench.runs.engines.ray_driver`); return the status of each."""
    require_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    from bench.runs.engines.ray_driver import ray_tasks

    return ray_tasks(jobs, workers, display)


ENGINES: Mapping[str, Callable[[Sequence[Job], int, Display], list[str]]] = {
    "process": processes,
    "inline": inline,
    "ray": in_ray,
}
