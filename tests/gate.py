"""Every combination that the command line offers, once, end to end to its record.

Each embedded task with each method that may take it and all metrics, and each value of each
configuration field that has few with the metrics that look at images: the others look at codes,
whose form is checked where they are made. 64 images, two training steps; numbers mean nothing here.

`.ci/run` does it beside the five-minute suite: `python -m tests.gate`. The exit code is 1 where a
cell or one of its numbers failed, or where a task refuses a method that it should take.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from unittest import mock

from bench.cell.run import run
from bench.cell.training import build, flops_of_step
from bench.contracts.anchors import ANCHORS, WITHOUT_SEED, configured_as
from bench.contracts.cell import Cell
from bench.contracts.registry import Plugin, Registry
from bench.contracts.task import Spec, kinds_of_content
from bench.plan.plan import Plan, Request, jobs_for, make_plan
from bench.records.store import Store
from bench.tasks.cache import prepare
from bench.utils.errors import UserError
from bench.utils.output.console import console, say
from bench.utils.parallel import end_with_parent
from bench.utils.threads import available_cores, computing_with
from tests.helpers import module

IMAGES, STEPS = 64, 2
SHORT = (
    mock.patch("bench.cell.artefacts.LATENCY_REPEATS", 6),
    mock.patch.object(module("probes.kinds")._Networks, "steps", 20),
)
"""What would take most of the time, and of which a part shows as well that it works."""
DEFAULT_TASK = "avatars-glasses"
OF_IMAGES = ("counterfactual", "reconstruction", "cost")
"""The families that are scored where only a method's configuration is asked for."""
TINY = tuple(
    f"profile.{field}={IMAGES}" for field in ("train_images", "probe_images", "test_images")
)
REFUSED = {
    ("avatars-styles3", "did2019"): "did2019 takes two domains",
    ("avatars-styles3", "drit"): "drit takes two domains",
    ("avatars-styles3", "mask2020"): "mask2020 takes two domains",
    ("avatars-styles3", "munit"): "munit takes two domains",
    ("avatars-styles3", "press2019"): "press2019 takes two domains",
}
"""The pairs that do not fit, and a part of the reason that must be given."""


Name = tuple[str, str, str]
"""A task, a method, and what is changed in its configuration ('' for nothing)."""
FINE, WRONG = "fine ", "WRONG"


def main() -> int:
    """Run all cells, one process for each core, say what became of each; return the exit code."""
    output, count, wrong = console(), 0, list[str]()
    start = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as place,
        ProcessPoolExecutor(available_cores(), get_context("spawn"), _short) as pool,
    ):
        for lines in pool.map(_checked, _groups(Registry()), repeat(Path(place))):
            count += len(lines)
            for line in lines:
                say(output, line)
            wrong += [line for line in lines if line.startswith(WRONG)]
    for line in wrong:
        say(output, line)
    seconds = time.perf_counter() - start
    say(output, f"gate: {count} combinations in {seconds:.0f} s, {len(wrong)} wrong")
    return int(bool(wrong))


def _short() -> None:
    """Make the cells of this process short, and end it with the process that started it."""
    end_with_parent()
    for shorter in SHORT:
        shorter.start()


def _groups(registry: Registry) -> list[list[Name]]:
    """Return all combinations, in groups that one process runs: a task, or changes of a method.

    The anchor `oracle-decoder` needs the weights that its group made before.
    """
    methods = registry.all("method")
    names = [*(plugin.name for plugin in methods), *ANCHORS]
    found = []
    for task in registry.all("task"):
        kind = task.load()()
        if not kind.needs and kind.home is None:
            found.append([(task.name, name, "") for name in names])
    for plugin in methods:
        changes = [*_changes(plugin), "precision=bf16"]
        found.append([(DEFAULT_TASK, plugin.name, change) for change in changes])
    return found


def _checked(group: list[Name], place: Path) -> list[str]:
    """Return a line for each combination: whether it is as it should be, and what became of it."""
    lines = []
    for task, method, change in group:
        start = time.perf_counter()
        try:
            plan = _plan(task, method, change, OF_IMAGES if change else ())
            said, fine = _outcome((task, method), plan, Store(place / "results"), place / "cache")
        except Exception as error:  # of the counting of FLOPs, of a task that cannot be drawn
            said, fine = f"{type(error).__name__}: {error}", False
        what = " ".join(filter(None, (task, method, change)))
        seconds = time.perf_counter() - start
        lines.append(f"{FINE if fine else WRONG} {what}: {said} ({seconds:.1f} s)")
    return lines


def _changes(plugin: Plugin) -> Iterator[str]:
    """Yield FIELD=VALUE for each value, but the default, of each field that has few."""
    config = plugin.load().Config
    for field, hint in get_type_hints(config).items():
        values = (True, False) if hint is bool else ()
        if get_origin(hint) is Literal:
            values = get_args(hint)
        yield from (f"{field}={value}" for value in values if value != getattr(config(), field))


def _plan(
    task: str, method: str, change: str = "", metrics: tuple[str, ...] = ()
) -> Plan | UserError:
    field, _, value = change.partition("=")
    of_run = field == "precision"  # all other fields are the method's own
    request = Request(
        methods=(method,),
        tasks=(task,),
        metrics=metrics,
        profile="smoke",
        device="cpu",
        precision=value if of_run else "fp32",
        settings=TINY if of_run or not change else (*TINY, f"{method}.{change}"),
    )
    try:
        return make_plan(request)
    except UserError as error:
        return error


def _outcome(
    pair: tuple[str, str], plan: Plan | UserError, store: Store, cache: Path
) -> tuple[str, bool]:
    """Run a plan of one cell; return what became of it, and whether that is as it should be."""
    expected = REFUSED.get(pair)
    if isinstance(plan, UserError):
        return str(plan), expected is not None and expected in str(plan)
    if expected is not None:
        return "it was taken", False
    task = plan.tasks[plan.cells[0].task]
    data = prepare(task, plan.cells[0].sizes, cache)
    plan = replace(plan, cells=(_of_two_steps(plan.cells[0], plan),))
    (job,) = jobs_for(plan, store, cache, "fresh")
    status = run(job, lambda stage, report: None)
    record = store.record(store.record_path(job.cell))
    assert isinstance(record, dict), record
    if status != "ok":
        return str(record["reason"]), False
    if job.cell.method not in ANCHORS and record["facts"]["steps"] != STEPS:
        return f"{record['facts']['steps']} steps", False
    entries = record["metrics"]
    missing = set(plan.versions) - set(entries)
    failed = [f"{m}: {e['reason']}" for m, e in entries.items() if e["status"] == "failed"]
    scored = sum(entry["status"] == "ok" for entry in entries.values())
    has_none = job.cell.method in ("ground-truth", "shuffled-truth") and data.truth is None
    if missing or failed or (scored == 0) != has_none:
        return "; ".join([*failed, *missing]) or "no number at all", False
    return f"{scored} of {len(entries)} numbers apply", True


def _of_two_steps(cell: Cell, plan: Plan) -> Cell:
    """Return a cell with the budget of two training steps."""
    if cell.method in WITHOUT_SEED:
        return cell
    kind: Any = plan.registry.find("method", configured_as(cell.method)).load()
    task = plan.tasks[cell.task]
    spec = Spec(cell.sizes.size, domains=task.domains, kinds=kinds_of_content(task.factors))
    with computing_with(1):
        flops = flops_of_step(build(kind, spec, kind.Config(**cell.config), cell.seed))
    return replace(cell, numbers=cell.numbers | {"budget_tflops": (STEPS + 0.5) * flops / 1e12})


if __name__ == "__main__":
    sys.exit(main())
