"""Scores finished cells from their artefacts, and never trains."""

from __future__ import annotations

import shlex
from dataclasses import replace

from bench.cell.job import Job
from bench.cell.run import ARTEFACTS_GONE, can_score, missing_weights
from bench.contracts.anchors import ANCHORS, WITHOUT_SEED
from bench.contracts.labels import without_brackets
from bench.contracts.protocol import PROTOCOL
from bench.contracts.registry import Registry
from bench.contracts.task import Task
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, jobs_for
from bench.plan.settings import set_options
from bench.plan.tuned import Kind
from bench.records.read import cell_of
from bench.records.select import Choice
from bench.records.store import Store
from bench.runs.display import describe
from bench.runs.execute import Setup, execute
from bench.tasks.cache import fingerprint, is_cached
from bench.tasks.options import as_typed, from_json, task_of, to_json
from bench.utils.errors import Exit, UserError
from bench.utils.output.console import say


def score_records(setup: Setup, request: Request) -> int:
    """Compute the metrics that the finished cells of a results folder lack; return the exit code.

    An empty field of the request stands for all records. If a cell cannot be scored, its name and
    the reason are printed, the others are scored, and the exit code is 3.

    Raises:
        UserError: the request names something that does not exist, or no record fits it.
    """
    console, store = setup.console, setup.store
    registry = Registry(request.plugins)
    versions = chosen_metrics(registry, request)
    store.require_records()
    records, damaged = store.records()
    choice = Choice(request.methods, request.tasks, request.profile, request.seeds)
    chosen = choice.of(records)
    finished = [record for record in chosen if record["status"] == "ok"]
    if len(finished) < len(chosen):
        say(
            console,
            f"{len(chosen) - len(finished)} of {len(chosen)} cells failed and left nothing to "
            "score; `python -m bench run --existing retry` tries again",
        )
    store.open_for_writing()
    plugins = full_paths(request)
    cells = {record["id"]: cell_of(record, plugins) for record in finished}
    tasks: dict[str, Task] = {}
    plan = Plan(tuple(cells.values()), versions, tasks, registry, request.inception)
    options = {record["id"]: dict(record["environment"].get("options", {})) for record in finished}
    jobs, refused = [], 0
    planned = jobs_for(plan, store, setup.cache, setup.existing, may_train=False)
    for key, job in zip(cells, planned, strict=True):
        job = replace(job, options=options[key] | to_json(request.options))
        reason = "" if job.todo == "nothing" else _why_not(job, key, registry, tasks, store)
        if reason:
            refused += 1
            say(console, f"not scored: {describe(job)}: {reason}")
        else:
            jobs.append(job)
    plan = replace(plan, cells=tuple(job.cell for job in jobs))
    code = execute(console, plan, jobs, store, setup.engine, setup.workers)
    if refused:
        say(console, f"{refused} of {len(cells)} cells cannot be scored from what is here")
    return int(Exit.CELL_FAILED) if refused or damaged else code


def _why_not(job: Job, key: str, registry: Registry, tasks: dict[str, Task], store: Store) -> str:
    """Return why a job cannot be done without training, and what to do instead, or ''.

    tasks: gets the task of the job, unless its images are in the cache and its options are unknown.
    """
    cell = job.cell
    instead = f"`{command_for(job, store, registry)}` makes the cell again"
    if cell.imported:
        instead = (
            f"give its images with `python -m bench score-images --name {cell.method} --images "
            "KEY=DIR`, made from the test pairs that `python -m bench pairs` writes"
        )
    if cell.protocol != PROTOCOL:
        return (
            f"protocol {cell.protocol} made its record, and this version scores by protocol "
            f"{PROTOCOL}; {instead}"
        )
    if cell.id != key or not store.record_path(cell).exists():
        return f"another version of the suite wrote its record, or it was renamed; {instead}"
    kinds = {plugin.name: plugin for plugin in registry.all("task")}
    kind = kinds.get(cell.task.partition(":")[0])
    if kind is None:
        return f"task '{cell.task}' is unknown here: give its file with --plugin"
    methods = {plugin.name for plugin in registry.all("method")}
    if not (cell.imported or cell.method in ANCHORS or cell.method in methods):
        return f"method '{cell.method}' is unknown here: give its file with --plugin"
    kept = is_cached(cell.task, cell.sizes, cell.fingerprint, job.cache)
    if not (kept and kind.facts.get("needs")):
        try:
            task = task_of(registry, cell.task, from_json(job.options, job.cache))
            if fingerprint(task, cell.sizes) == cell.fingerprint:
                tasks[cell.task] = task
            elif not kept:
                return f"the images of task {cell.task} have changed; {instead}"
        except UserError as error:
            return f"its images are not in the cache: {error}"
    if not can_score(cell, store):
        if cell.weights_from is not None:
            return missing_weights(cell, cell.weights_from, store)
        return f"{ARTEFACTS_GONE}; {instead}"
    return ""


def command_for(job: Job, store: Store, registry: Registry) -> str:
    """Return the command that makes the cell of a job again."""
    cell = job.cell
    options: dict[str, object] = {"methods": cell.method, "tasks": cell.task}
    options["profile"] = without_brackets(cell.profile)
    if cell.method not in WITHOUT_SEED:
        options |= {"seeds": cell.seed, "device": cell.device, "precision": cell.precision}
    options |= {"results": store.root} | ({"existing": "fresh"} if job.again else {})
    typed = [f"--{name} {shlex.quote(str(value))}" for name, value in options.items()]
    typed += as_typed(job.options)
    kind: Kind = "published" if cell.configuration == "published" else "tuned"
    typed += ["--configuration published"] if kind == "published" else []
    typed += [
        f"--set {shlex.quote(setting)}" for setting in set_options(cell.identity, registry, kind)
    ]
    typed += [f"--plugin {shlex.quote(path)}" for path in cell.plugins]
    return " ".join(["python -m bench run", *typed])
