"""Scores a model that was trained elsewhere, as a function of Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Unpack

import torch
from rich.console import Console

from bench.cell.artefacts import VERSION, Transfer, measure_inference, results_of
from bench.contracts.method import Method
from bench.contracts.metric import Artefacts
from bench.contracts.record import Record
from bench.contracts.registry import Registry
from bench.models.load import Model
from bench.plan.plan import chosen_metrics, usable_device
from bench.records.read import Damaged
from bench.records.store import Store
from bench.runs.arguments import File, Images, Names, request_of
from bench.runs.execute import Setup, make_ready
from bench.runs.imported import check_name, score_imported, task_and_profile
from bench.utils.errors import UserError
from bench.utils.files.paths import results_folder

__all__ = ["evaluate"]


def evaluate(
    model: Transfer | Model,
    task: str = "avatars-glasses",
    *,
    name: str = "mine",
    metrics: Names = "all",
    profile: str = "small",
    settings: Mapping[str, object] | None = None,
    plugins: Sequence[File] = (),
    results: File | None = None,
    cache_dir: File | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    **images: Unpack[Images],
) -> Record:
    """Score a model that was trained elsewhere on the *test* part of a task; return its record.

    The model needs two functions, ``add(a, guide)`` and ``remove(b)``. Both take and return images
    (N, 3, S, S), float32 in [-1, 1]. ``reconstruct(x, domain)`` and ``encode(x, domain)`` are
    optional: `bench.Method` says what they return. A metric that lacks something is a gap with a
    reason. Nothing is trained, and nothing keeps a model from having seen *test*.

    Args:
        model: any object with these functions, such as a `bench.Method`, a model of
            `bench.load_model` or ``types.SimpleNamespace(add=f, remove=g)``.
        task: the name of a task.
        name: the name of its row; none of a method of the suite.
        metrics: ids or families of metrics, one text with commas or a sequence.
        profile: the profile, which has the side S and the number of images.
        settings: values by ``"profile.FIELD"``.
        plugins: files with metrics and tasks of your own.
        results: a results folder. There the model gets a row beside the methods, and an earlier
            record of this name, task and profile is replaced. None to keep nothing.
        cache_dir: the folder where images are kept; that of the user by default.
        device: where the functions get their images. A module is moved there.
        images: see `bench.runs.arguments.Images`.

    Raises:
        UserError: a name does not exist, the model lacks a function, or its images have another
            side.
        OutputError: a function returns something else than images in [-1, 1].
    """
    if isinstance(model, Model):
        model = model.method
    _require_functions(model)
    request, cache = request_of((), task, metrics, profile, settings, plugins, cache_dir, images)
    registry = Registry(request.plugins)
    chosen_metrics(registry, request)
    check_name(name, registry)
    found, used = task_and_profile(request, registry)
    silent = Console(quiet=True)
    data = make_ready(silent, found, used.sizes, cache)
    where = torch.device(usable_device(device))
    if isinstance(model, Method) and model.spec.size != used.size:
        raise UserError(
            f"the model is for images of {model.spec.size} x {model.spec.size} pixels, and profile "
            f"{profile} has {used.size}: name another profile, or set profile.size"
        )
    if isinstance(model, torch.nn.Module):
        model.to(where)
    tensors, absent = results_of(model, data, where, "fp32", used.numbers()["eval_batch"])
    measured: dict[str, object] = {"version": VERSION}
    if isinstance(model, Method):
        measured["inference"] = measure_inference(model, data, where, "fp32")
    else:
        absent["inference"] = "measured for a bench.Method only"
    artefacts = Artefacts(tensors, measured, absent | {"training": "trained elsewhere"})
    with TemporaryDirectory() as folder:
        store = Store(results_folder(Path(folder if results is None else results)))
        setup = Setup(silent, store, cache, existing="retry", engine="inline", workers=1)
        _, cell = score_imported(
            setup, request, registry, name, found, used, artefacts, "bench.evaluate"
        )
        record = store.record(store.record_path(cell))
    if isinstance(record, Damaged):
        raise UserError(str(record))
    return record


def _require_functions(model: object) -> None:
    lacking = [name for name in ("add", "remove") if not callable(getattr(model, name, None))]
    if lacking:
        raise UserError(
            f"a model of type {type(model).__name__} lacks {' and '.join(lacking)}: expected an "
            "object with functions add(a, guide) and remove(b), such as "
            "types.SimpleNamespace(add=f, remove=g)"
        )
