"""Runs one cell: trains, makes artefacts, scores and writes the record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bench.cell.build_record import record_of_cell, write_gap
from bench.cell.grid import draw_grid
from bench.cell.job import Job, Show
from bench.cell.measure import Stopwatch
from bench.cell.run_folder import RunFolder
from bench.cell.stages import kept_artefacts, make_artefacts, score, train, trained_before
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.cell import Cell
from bench.contracts.record import Record
from bench.contracts.registry import Registry, families
from bench.records.read import Damaged, read_record
from bench.records.store import BUSY, UNAVAILABLE, Store
from bench.tasks.cache import read
from bench.utils.files.sealed import write_sealed
from bench.utils.threads import computing_with

ARTEFACTS_GONE = "its artefacts are missing or damaged"


class UnavailableError(Exception):
    """A cell cannot be made now, because another cell has not left what it needs."""


def run(job: Job, show: Show) -> str:
    """Do a job; return the status of its record, "ok", "failed" or `UNAVAILABLE`, or `BUSY`.

    An error in a plug-in ends this cell only: its record says what went wrong.
    """
    store = Store(job.results)
    try:
        with store.claim(job.cell) as mine:
            return _do_claimed(job, store, show) if mine else BUSY
    except OSError as error:  # the lock cannot be written
        write_gap(job, "failed", RunFolder(store.run_path(job.cell)).log_error(error))
        return "failed"


def what_is_left(job: Job, store: Store) -> Job | str:
    """Return the remaining job of a cell that we have locked, or the status if it is done.

    Another run may have made the record after the job was planned. Then its numbers are kept, and
    only missing ones are added. A cell that lacks the weights of another cell cannot be made again:
    what it left earlier is kept, and the status is `UNAVAILABLE`.
    """
    if store.state(job.cell) == job.seen:
        if job.todo == "run" and job.again and (reason := lacking_weights(job.cell, store)):
            if store.todo(job.cell, {}, "retry") == "run":  # there is no good record
                write_gap(job, UNAVAILABLE, reason)
            return UNAVAILABLE
        return job
    record = read_record(store.record_path(job.cell))
    if not isinstance(record, Damaged) and record["status"] not in ("ok", UNAVAILABLE):
        return record["status"]
    versions = families(Registry(map(Path, job.cell.plugins)), job.metrics)
    todo = store.todo(job.cell, versions, "resume")
    if todo == "nothing":
        return "ok"
    if not job.may_train:
        todo = "score"
    return dataclasses.replace(job, todo=todo, again=False)


def can_score(cell: Cell, store: Store) -> bool:
    """Return whether all artefacts of a cell still exist, or can be made without a training."""
    if cell.method in WITHOUT_SEED or RunFolder(store.run_path(cell)).artefacts() is not None:
        return True
    return cell.weights_from is not None and not lacking_weights(cell, store)


def lacking_weights(cell: Cell, store: Store) -> str:
    """Return why a cell lacks the weights of another cell, and what to do; '' if it does not."""
    trainer = cell.weights_from
    if trainer is None:
        return ""
    source = Registry(map(Path, cell.plugins)).find("method", trainer.method).source_hash()
    there = RunFolder(store.run_path(trainer)).training(source) is not None
    return "" if there else missing_weights(cell, trainer, store)


def missing_weights(cell: Cell, trainer: Cell, store: Store) -> str:
    """Return why a cell lacks the weights of the cell that trains them, and what to do."""
    record = store.record(store.record_path(trainer))
    gone = again = ""
    if not isinstance(record, Damaged):  # a plain run would leave that cell as it is
        finished = record["status"] == "ok"
        gone = "the weights of " if finished else ""
        again = " --existing fresh" if finished else " --existing retry"
    return (
        f"needs {gone}the trained {trainer.label} cell (seed {cell.seed}): "
        f"run --methods {trainer.method},{cell.method}{again}"
    )


def _do_claimed(job: Job, store: Store, show: Show) -> str:
    """Do the rest of the job of a cell that we have locked; return the status."""
    left = what_is_left(job, store)
    if isinstance(left, str):
        return left
    if left.todo == "run" and left.again:
        store.forget(left.cell)
    if left.todo == "score" and not can_score(left.cell, store):
        trainer = left.cell.weights_from
        if trainer is not None or not left.may_train:
            gone = missing_weights(left.cell, trainer, store) if trainer else ARTEFACTS_GONE
            write_gap(left, "failed", gone)
            return "failed"
        left = dataclasses.replace(left, todo="run")
    return _do(left, store, show)


def _do(job: Job, store: Store, show: Show) -> str:
    """Run the stages of a job and write the record; return the status."""
    path = store.record_path(job.cell)
    earlier = None
    if job.todo == "run":
        path.unlink(missing_ok=True)
    elif not isinstance(found := read_record(path), Damaged):
        earlier = found
    folder = RunFolder(store.run_path(job.cell))
    try:
        with computing_with(job.cell.threads):
            record, all_renewed = _run_stages(job, store, folder, earlier, show)
        write_sealed(path, record)
    except UnavailableError as error:
        write_gap(job, UNAVAILABLE, str(error))
        return UNAVAILABLE
    except (Exception, SystemExit) as error:  # a plug-in may raise anything
        write_gap(job, "failed", folder.log_error(error))
        return "failed"
    if not job.keep:
        folder.checkpoint("", 0).remove()
    return "ok" if all_renewed else "failed"


def _run_stages(
    job: Job, store: Store, folder: RunFolder, earlier: Record | None, show: Show
) -> tuple[Record, bool]:
    """Return the record of a cell, and whether each metric to compute got a value.

    earlier: the record to which metrics are added, None for a new one.
    """
    cell, registry = job.cell, Registry(map(Path, job.cell.plugins))
    with Stopwatch() as watch:
        data = read(cell.task, cell.sizes, cell.fingerprint, job.cache)
        if cell.numbers.get("part") == "val":  # a trial of a tuning study never sees *test*
            data = data.on_val
    seconds = {"load": watch.seconds}
    needs_model = not (cell.method in WITHOUT_SEED or cell.imported)
    trainer = cell.weights_from
    plugin = registry.find("method", (trainer or cell).method) if needs_model else None
    weights = folder if trainer is None else RunFolder(store.run_path(trainer))

    artefacts = kept_artefacts(job, plugin, data, folder, weights)
    if artefacts is None:
        assert plugin is not None  # anchors and imported images always have artefacts
        if trainer is None:
            trained = train(job, plugin, data, folder, show)
        else:
            found = trained_before(trainer, plugin, data, weights)
            if found is None:
                raise UnavailableError(missing_weights(cell, trainer, store))
            trained = found
        artefacts, seconds["artefacts"] = make_artefacts(trained, cell, data, folder, show)
        if trained.seconds is not None:
            seconds |= {"train": trained.seconds, "curve": trained.curve_seconds}
    known = {} if earlier is None else earlier["metrics"]
    scores = score(job, registry, artefacts, data, known, folder, show)

    record = record_of_cell(job, plugin, data, artefacts, scores, seconds, earlier)
    draw_grid(store.grid_path(cell), cell.label, artefacts, data)
    return record, not scores.not_renewed
