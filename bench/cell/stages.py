"""The three stages of a cell: train a method, make artefacts with it, score the artefacts.

Each stage returns a value and does not modify its arguments. It stores its output in the run
folder, so that a later run can skip it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from bench.cell import determinism
from bench.cell.artefacts import VERSION, artefacts_of, decoded_truth, lacking_artefacts
from bench.cell.curve import curve_scorer
from bench.cell.job import Job, Show
from bench.cell.measure import Stopwatch
from bench.cell.run_folder import RunFolder
from bench.cell.scoring import entry_of, is_good, score_family
from bench.cell.training import Training, build, flops_of_step, steps_for
from bench.cell.training import train as train_method
from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.cell import PUBLISHED, Cell
from bench.contracts.method import Method, make_config
from bench.contracts.metric import Artefacts, Metric, Settings
from bench.contracts.record import MetricEntry, Scoring
from bench.contracts.registry import Plugin, Registry
from bench.contracts.task import TaskData
from bench.records import environment
from bench.records.read import is_scored


@dataclass(frozen=True)
class Trained:
    """A trained method.

    source: the hash of its code. seconds: the wall time of the training, None if an earlier run
    trained it. curve_seconds: the wall time of the snapshots, which is no part of it.
    """

    method: Method
    training: Training
    source: str
    seconds: float | None
    curve_seconds: float = 0.0


@dataclass
class Scores:
    """The results of scoring, for the metrics that had to be computed.

    metrics: entries by id. families, sources, seconds: by family, how it was computed, the hash of
    its code and its wall time. not_renewed: ids of metrics that failed now but have a good value in
    the record, which is kept.
    """

    metrics: dict[str, MetricEntry] = field(default_factory=dict)
    families: dict[str, Scoring] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    not_renewed: list[str] = field(default_factory=list)


def kept_artefacts(
    job: Job, plugin: Plugin | None, data: TaskData, folder: RunFolder, weights: RunFolder
) -> Artefacts | None:
    """Return the artefacts of a cell that need no training, or None if a method must make them.

    They belong to an anchor or to images from elsewhere, or an earlier run stored them. Artefacts
    of an interrupted run count only if the method's code is still the same.

    plugin: the method; None for an anchor without weights and for images from elsewhere.
    weights: the run folder with the weights; that of another cell if this cell does not train.
    """
    cell = job.cell
    if cell.method in UNTRAINED:
        return UNTRAINED[cell.method](data)
    kept = folder.artefacts()
    if plugin is None:
        assert kept is not None  # checked before, because this suite cannot make them
        return kept
    source = plugin.source_hash()
    if kept is None or (job.todo != "score" and kept.measured["source"] != source):
        return None
    if kept.measured.get("version") == VERSION:
        return kept
    without_gpu = cell.device == "cuda" and not torch.cuda.is_available()
    if weights.training(source) is None or without_gpu:
        return lacking_artefacts(kept)
    return None


def train(job: Job, plugin: Plugin, data: TaskData, folder: RunFolder, show: Show) -> Trained:
    """Return the trained method of a cell, with the weights of an earlier run if they exist."""
    kept = trained_before(job.cell, plugin, data, folder)
    if kept is not None:
        return kept
    cell, source = job.cell, plugin.source_hash()
    method_class: type[Method] = plugin.load()
    method = _built(cell, plugin, data)
    show("training", None)
    flops = flops_of_step(method)
    score_snapshot = curve_scorer(job, data, folder)
    with Stopwatch() as watch:
        training = train_method(
            method,
            data,
            steps=_steps(cell, method_class, flops),
            flops_per_step=flops,
            seed=cell.seed,
            precision=cell.precision,
            show=lambda report: show("training", report),
            checkpoint=folder.checkpoint(source, job.checkpoint_every),
            score=score_snapshot,
        )
    folder.save_training(method.state_dict(), training, source)
    of_curve = score_snapshot.seconds if score_snapshot else 0.0
    return Trained(method, training, source, watch.seconds - of_curve, of_curve)


def trained_before(cell: Cell, plugin: Plugin, data: TaskData, folder: RunFolder) -> Trained | None:
    """Return the trained method of a cell with the weights of an earlier run, or None."""
    source = plugin.source_hash()
    kept = folder.training(source)
    if kept is None:
        return None
    weights, training = kept
    method = _built(cell, plugin, data)
    method.load_state_dict(weights)
    return Trained(method, training, source, None)


def _built(cell: Cell, plugin: Plugin, data: TaskData) -> Method:
    """Return the method of a cell before its training, on its device."""
    method_class: type[Method] = plugin.load()
    if cell.device == "cuda":
        determinism.prefer_deterministic_kernels()
    config = make_config(method_class.Config, cell.config)
    return build(method_class, data.spec, config, cell.seed).to(cell.device)


def make_artefacts(
    trained: Trained, cell: Cell, data: TaskData, folder: RunFolder, show: Show
) -> tuple[Artefacts, float]:
    """Return the artefacts of a cell from a trained method, and the seconds that this took."""
    show("artefacts", None)
    with Stopwatch() as watch:
        if cell.weights_from is not None:
            made = decoded_truth(trained.method, data, cell)
        else:
            made = artefacts_of(trained.method, data, trained.training, cell)
    made = dataclasses.replace(made, measured={"source": trained.source, **made.measured})
    folder.save_artefacts(made)
    return made, watch.seconds


def score(
    job: Job,
    registry: Registry,
    artefacts: Artefacts,
    data: TaskData,
    known: Mapping[str, MetricEntry],
    folder: RunFolder,
    show: Show,
) -> Scores:
    """Compute the metrics that a cell must have and does not have yet.

    known: the entries of the record. If ``job.again`` is set, they are computed again.
    """
    show("scoring", None)
    scores = Scores()
    settings = Settings(tuple(job.cell.numbers["probes"]), job.inception, job.cache)
    for plugin in registry.giving(job.metrics):
        family: Metric = plugin.load()()
        wanted = [
            name
            for name in family.ids()
            if name in job.metrics and (job.again or not is_scored(known.get(name), family.version))
        ]
        if not wanted:
            continue
        with Stopwatch() as watch:
            results = score_family(family, wanted, artefacts, data, settings, folder)
        scores.seconds[plugin.name] = watch.seconds
        scores.families[plugin.name] = {
            "cpu_seconds": watch.cpu_seconds,
            "numbers": wanted,
            "commit": environment.commit(),
            "command": job.command,
            "versions": environment.library_versions(),
        }
        scores.sources[plugin.name] = plugin.source_hash()
        for name, result in results.items():
            if result.status == "failed" and is_good(known.get(name), family.version):
                scores.not_renewed.append(name)
            else:
                scores.metrics[name] = entry_of(family, name, result)
    return scores


def _steps(cell: Cell, method_class: type[Method], flops_per_step: int) -> int:
    """Return the number of training steps that the budget of a cell pays for."""
    budget = cell.numbers["budget_tflops"]
    if budget == PUBLISHED:
        return method_class.published_steps
    return steps_for(budget * 1e12, flops_per_step)
