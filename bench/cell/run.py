"""One cell, from nothing to its record: train, make artefacts, score. Runs in its own process."""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.cell import determinism
from bench.cell.artefacts import VERSION, as_they_are, make_artefacts
from bench.cell.grid import draw_grid
from bench.cell.job import TASK, Job, Show
from bench.cell.run_folder import RunFolder
from bench.cell.scoring import SCORING, entry_of, score_family, stands
from bench.cell.training import Training, build, flops_of_step, steps_for, train
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import PUBLISHED, Cell
from bench.contracts.method import Method, make_config
from bench.contracts.metric import Artefacts, Metric, Result, Settings
from bench.contracts.registry import Plugin, Registry, families
from bench.contracts.task import TaskData
from bench.records import environment
from bench.records.read import SCHEMA, is_scored, note_unwritten, read_record
from bench.records.store import BUSY, Store
from bench.tasks.cache import read
from bench.tasks.options import OPTIONS
from bench.utils.files.sealed import write_sealed
from bench.utils.threads import computing_with

ARTEFACTS_GONE = "its artefacts are missing or damaged"


def run(job: Job, show: Show) -> str:
    """Do a job and return the status of its record, "ok" or "failed", or `BUSY`.

    Whatever a plug-in raises ends this cell alone: it becomes a record that says so.
    """
    store = Store(job.results)
    try:
        with store.claim(job.cell) as mine:
            return _claimed(job, store, show) if mine else BUSY
    except OSError as error:  # not even a lock can be written
        write_gap(job, "failed", RunFolder(store.run_path(job.cell)).log_error(error))
        return "failed"


def _claimed(job: Job, store: Store, show: Show) -> str:
    """Do what is left of a job that no other run is doing."""
    left = what_is_left(job, store)
    if isinstance(left, str):
        return left
    if left.todo == "run" and left.again:
        store.forget(left.cell)
    return _do(left, store, show)


def what_is_left(job: Job, store: Store) -> Job | str:
    """Return what is left of a claimed job, or the status if that is nothing.

    What another run has made since the job was planned stands, and what it lacks is added.
    """
    if store.state(job.cell) == job.seen:
        return job
    record = read_record(store.record_path(job.cell))
    if isinstance(record, dict) and record["status"] != "ok":
        return str(record["status"])
    versions = families(Registry(map(Path, job.cell.plugins)), job.metrics)
    todo = store.todo(job.cell, versions, "resume")
    if todo == "nothing":
        return "ok"
    if not job.may_train:
        todo = "score"
    return dataclasses.replace(job, todo=todo, again=False)


def _do(job: Job, store: Store, show: Show) -> str:
    cell = job.cell
    record = _new_record(job)
    if job.todo == "score" and not can_score(cell, store):
        if not job.may_train:
            write_gap(job, "failed", ARTEFACTS_GONE)
            return "failed"
        job = dataclasses.replace(job, todo="run")
    if job.todo == "run":
        store.record_path(cell).unlink(missing_ok=True)
    else:
        earlier = read_record(store.record_path(cell))
        if isinstance(earlier, dict):
            kept = ("metrics", "timings", "sources", "environment")
            record |= {key: earlier[key] for key in kept}
            facts = earlier["facts"]
            record["facts"] = {key: facts[key] for key in (SCORING, TASK) if key in facts}
    try:
        with computing_with(cell.threads):
            not_renewed = _stages(job, store, record, show)
        write_sealed(store.record_path(cell), record | {"finished": _now()})
    except (Exception, SystemExit) as error:  # a plug-in may do anything
        write_gap(job, "failed", RunFolder(store.run_path(cell)).log_error(error))
        return "failed"
    if not job.keep:
        RunFolder(store.run_path(cell)).checkpoint("", 0).remove()
    return "failed" if not_renewed else "ok"


def can_score(cell: Cell, store: Store) -> bool:
    """Return whether what metrics see is still there; if not, the cell must be made anew."""
    return cell.method in ANCHORS or RunFolder(store.run_path(cell)).artefacts() is not None


def write_gap(job: Job, status: str, reason: str) -> None:
    """Write the record of a cell that has no numbers, so that it is a row that says why.

    Where not even that can be written, as on a full disk, the run goes on and says why.
    """
    try:
        _write_gap(job, status, reason)
    except OSError as error:
        said = f"it cannot be written ({error.strerror or error}); {reason}"
        note_unwritten(Store(job.results).record_path(job.cell), said)


def _write_gap(job: Job, status: str, reason: str) -> None:
    gap = Result(status="failed", reason=reason)
    gaps = {
        name: entry_of(plugin.load(), name, gap)
        for plugin in Registry(map(Path, job.cell.plugins)).all("metric")
        for name in plugin.load().ids()
        if name in job.metrics
    }
    path = Store(job.results).record_path(job.cell)
    earlier = read_record(path) if job.todo == "score" else None
    if isinstance(earlier, dict):  # what it has stays: only what was to be added is missing
        write_sealed(path, earlier | {"metrics": gaps | earlier["metrics"]})
        return
    found = {"status": status, "reason": reason, "metrics": gaps, "finished": _now()}
    write_sealed(path, _new_record(job) | found)


def _new_record(job: Job) -> dict[str, Any]:
    cell = job.cell
    said = {"command": job.command} | ({OPTIONS: dict(job.options)} if job.options else {})
    return {
        "schema": SCHEMA,
        "id": cell.id,
        "label": cell.label,
        "identity": cell.identity,
        "status": "ok",
        "reason": "",
        "metrics": {},
        "facts": {},
        "timings": {},
        "sources": {},
        "environment": environment.describe(cell.device) | said,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _stages(job: Job, store: Store, record: dict[str, Any], show: Show) -> list[str]:
    """Fill a record; return the numbers that could not be renewed, whose old values stand."""
    cell = job.cell
    registry = Registry(map(Path, cell.plugins))
    folder = RunFolder(store.run_path(cell))
    timings = record["timings"]
    with _timed(timings, "load"):
        data = read(cell.task, cell.sizes, cell.fingerprint, job.cache)
    scoring = dict(record["facts"].get(SCORING, {}))
    of_task = dict(record["facts"].get(TASK) or job.facts or data.facts)
    record["facts"] = {"pixel_hash": data.pixel_hash, SCORING: scoring}
    if of_task:
        record["facts"][TASK] = of_task

    if cell.method in ANCHORS:
        artefacts = ANCHORS[cell.method](data)
    elif cell.imported:
        kept = folder.artefacts()
        assert kept is not None  # `run` has made sure: nothing here could make them
        artefacts = kept
        record["facts"]["note"] = "trained elsewhere; scored from its images"
    else:
        plugin = registry.find("method", cell.method)
        artefacts = _from_method(job, plugin, data, folder, timings, show)
        record["sources"][cell.method] = artefacts.measured["source"]
        said = ("paper", "guided", "note", "supervision")
        record["facts"] |= {key: plugin.facts.get(key) for key in said}
        record["facts"] |= _training_facts(artefacts)

    show("scoring", None)
    settings = Settings(tuple(cell.numbers["probes"]), job.inception, job.cache)
    now = environment.describe("cpu")
    not_renewed: list[str] = []
    families_now = {f"score:{plugin.name}" for plugin in registry.all("metric")}
    for stage in [s for s in timings if s.startswith("score:") and s not in families_now]:
        del timings[stage]
    for plugin in registry.all("metric"):
        family: Metric = plugin.load()()
        wanted = [
            name
            for name in family.ids()
            if name in job.metrics
            and (job.again or not is_scored(record["metrics"].get(name), family.version))
        ]
        if not wanted:
            continue
        record["sources"][plugin.name] = plugin.source_hash()
        before = time.process_time()
        with _timed(timings, f"score:{plugin.name}"):
            results = score_family(family, wanted, artefacts, data, settings, folder)
        scoring[plugin.name] = {
            "cpu_seconds": time.process_time() - before,
            "numbers": wanted,
            "commit": now["commit"],
            "command": job.command,
            "versions": now["versions"],
        }
        failed = {name for name, result in results.items() if result.status == "failed"}
        standing = {n for n in failed if stands(record["metrics"].get(n), family.version)}
        not_renewed += sorted(standing)
        record["metrics"] |= {
            name: entry_of(family, name, result)
            for name, result in results.items()
            if name not in standing
        }
    if folder.path.exists():
        used = sum(path.stat().st_size for path in folder.path.iterdir())
        record["facts"]["disk_mb"] = used / 1e6
    draw_grid(store.grid_path(cell), cell.label, artefacts, data)
    return not_renewed


def _from_method(
    job: Job,
    plugin: Plugin,
    data: TaskData,
    folder: RunFolder,
    timings: dict[str, float],
    show: Show,
) -> Artefacts:
    """Return the artefacts of a method: those on disk, or new ones from its trained weights.

    What a run that did not end has left is used only if the method's source is still the same.
    """
    cell, source = job.cell, plugin.source_hash()
    method_class: type[Method] = plugin.load()
    kept, trained = folder.artefacts(), folder.training(source)
    if kept is not None and (job.todo == "score" or kept.measured["source"] == source):
        if kept.measured.get("version") == VERSION:
            return kept
        gone = cell.device == "cuda" and not torch.cuda.is_available()
        if trained is None or gone:
            return as_they_are(kept)
    if cell.device == "cuda":
        determinism.ask()
    config = make_config(method_class.Config, cell.config)
    method = build(method_class, data.spec, config, cell.seed).to(cell.device)
    if trained is None:
        show("training", None)
        flops = flops_of_step(method)
        with _timed(timings, "train"):
            training = train(
                method,
                data,
                steps=_steps(cell, method_class, flops),
                flops_per_step=flops,
                seed=cell.seed,
                precision=cell.precision,
                show=lambda report: show("training", report),
                checkpoint=folder.checkpoint(source, job.checkpoint_every),
            )
        folder.save_training(method.state_dict(), training, source)
    else:
        weights, training = trained
        method.load_state_dict(weights)
    show("artefacts", None)
    with _timed(timings, "artefacts"):
        artefacts = make_artefacts(method, data, training, cell)
    artefacts = dataclasses.replace(artefacts, measured={"source": source, **artefacts.measured})
    folder.save_artefacts(artefacts)
    return artefacts


def _steps(cell: Cell, method_class: type[Method], flops_per_step: int) -> int:
    """Return how many steps a cell's budget pays for."""
    budget = cell.numbers["budget_tflops"]
    if budget == PUBLISHED:
        return method_class.published_steps
    return steps_for(budget * 1e12, flops_per_step)


def _training_facts(artefacts: Artefacts) -> dict[str, Any]:
    training = Training(**artefacts.measured["training"])
    facts = dataclasses.asdict(training) | {"flops": training.flops}
    return {key: value for key, value in facts.items() if key not in ("rates", "cpu_rates")}


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Any:
    start = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - start
