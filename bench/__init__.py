"""contentbench: the benchmark for content transfer and feature disentanglement.

The names in `__all__` are the public surface; everything else may move. Each is imported at its
first use, so that `import bench` loads neither torch nor pandas. `bench.contracts.task` is the
manual of the suite: read it first.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.utils.version import __version__

if TYPE_CHECKING:
    from bench.board.output.leaderboard import leaderboard
    from bench.contracts.method import BaseConfig, Codes, Method
    from bench.contracts.metric import Artefacts, Metric, MetricInfo, Result
    from bench.contracts.record import Record
    from bench.contracts.task import Spec, Task, TaskData
    from bench.html.page import report
    from bench.models.load import load_model
    from bench.records.load import load_records
    from bench.runs.evaluate import evaluate
    from bench.runs.run import run
    from bench.utils.errors import UserError

__all__ = [
    "Artefacts",
    "BaseConfig",
    "Codes",
    "Method",
    "Metric",
    "MetricInfo",
    "Record",
    "Result",
    "Spec",
    "Task",
    "TaskData",
    "UserError",
    "__version__",
    "evaluate",
    "leaderboard",
    "load_model",
    "load_records",
    "report",
    "run",
]
_HOMES = {
    "Artefacts": "bench.contracts.metric",
    "BaseConfig": "bench.contracts.method",
    "Codes": "bench.contracts.method",
    "Method": "bench.contracts.method",
    "Metric": "bench.contracts.metric",
    "MetricInfo": "bench.contracts.metric",
    "Record": "bench.contracts.record",
    "Result": "bench.contracts.metric",
    "Spec": "bench.contracts.task",
    "Task": "bench.contracts.task",
    "TaskData": "bench.contracts.task",
    "UserError": "bench.utils.errors",
    "evaluate": "bench.runs.evaluate",
    "leaderboard": "bench.board.output.leaderboard",
    "load_model": "bench.models.load",
    "load_records": "bench.records.load",
    "report": "bench.html.page",
    "run": "bench.runs.run",
}
"""The module that each public name comes from."""


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
