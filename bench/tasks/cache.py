"""Loads tasks through a cache on disk, so that a task is rendered or decoded once a machine.

A cached task is one file of `bench.utils.files.tensor_files`, named by the hash of its recipe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from bench.contracts.outputs import checked_pieces, checked_task
from bench.contracts.task import (
    PARTS,
    DataSizes,
    Domain,
    Factor,
    Progress,
    Streamed,
    Task,
    TaskData,
    Truth,
)
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import Streams, Tensors, keep, load
from bench.utils.hashing import safe

RECIPE_FORMAT = 1
FILE_FORMAT = 3
"""The form of the files; unlike that of the recipe it is part of no cell's identity."""


def fingerprint(task: Task, sizes: DataSizes) -> str:
    """Return the 16 hex digits that name a task at these sizes; nothing is rendered for it."""
    recipe = json.dumps({"format": RECIPE_FORMAT} | task.recipe(sizes), sort_keys=True)
    return hashlib.blake2b(recipe.encode(), digest_size=8).hexdigest()


def prepare(
    task: Task,
    sizes: DataSizes,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda _done, _total: None,
) -> TaskData:
    """Return a task from the cache, made and stored first where it is missing or damaged.

    Its facts are those of this run; the cache keeps only what holds in every run.

    Raises:
        UserError: the cache folder cannot be written, or the images cannot be had.
    """
    name = fingerprint(task, sizes)
    facts = {"factors": json.dumps([vars(factor) for factor in task.factors]), "label": task.label}

    def make() -> Tensors | Streams:
        made = task.load(sizes, progress)
        if made.facts:
            facts["facts"] = json.dumps(made.facts)
        if isinstance(made, Streamed):
            return _streams_of(made, task.name, sizes)
        return _tensors_of(checked_task(made, sizes))

    path = path_of(task.name, sizes, name, cache)
    keep(path, make, say, lambda pixels: facts | {"pixels": pixels})
    data = read(task.name, sizes, name, cache)
    return replace(data, facts=task.facts_now(sizes, data.facts))


def require_cached(
    name: str, sizes: DataSizes, fingerprint: str, cache: Path, instead: str
) -> TaskData:
    """Return a cached task, of which there is nothing to make it anew.

    Raises:
        UserError: it is missing or damaged; it ends with what to do instead.
    """

    def gone() -> Tensors:
        raise UserError(f"the cached images of task {name} are gone or damaged: {instead}")

    keep(path_of(name, sizes, fingerprint, cache), gone)
    return read(name, sizes, fingerprint, cache)


def read(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> TaskData:
    """Return a cached task, its tensors mapped from the file.

    The file says all of itself: neither the task's class nor its options are needed.
    """
    tensors, header = load(path_of(name, sizes, fingerprint, cache))
    domains = {part: _domains(tensors, part) for part in PARTS}
    truth = None
    if "truth/add" in tensors:
        truth = Truth(*(tensors[f"truth/{name}"] for name in ("add", "other", "remove")))
    factors = tuple(
        Factor(fact["name"], tuple(fact["values"]), fact["separate"])
        for fact in json.loads(header["factors"])
    )
    return TaskData(
        name,
        fingerprint,
        factors,
        domains,
        truth,
        header["label"],
        header["pixels"],
        json.loads(header.get("facts", "{}")),
    )


def _domains(tensors: Mapping[str, torch.Tensor], part: str) -> list[Domain]:
    """Return the domains of a part; images that were streamed have no factors."""
    domains: list[Domain] = []
    while (images := tensors.get(f"{part}/{len(domains)}/images")) is not None:
        none = torch.empty(len(images), 0, dtype=torch.int64)
        domains.append(Domain(images, tensors.get(f"{part}/{len(domains)}/factors", none)))
    return domains


def is_cached(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> bool:
    """Return whether a task need not be rendered or decoded any more."""
    return path_of(name, sizes, fingerprint, cache).exists()


def path_of(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> Path:
    """Return where a task is, or will be, in a cache."""
    return cache / f"{safe(name)}-{sizes.size}px-{fingerprint}-{FILE_FORMAT}.safetensors"


def _streams_of(made: Streamed, name: str, sizes: DataSizes) -> Streams:
    return Streams(
        {
            f"{part}/{at}/images": checked_pieces(name, pieces, sizes.size)
            for part, domains in made.domains.items()
            for at, pieces in enumerate(domains)
        }
    )


def _tensors_of(data: TaskData) -> dict[str, torch.Tensor]:
    tensors = {}
    for part, domains in data.domains.items():
        for at, domain in enumerate(domains):
            tensors[f"{part}/{at}/images"] = domain.images
            tensors[f"{part}/{at}/factors"] = domain.factors
    if data.truth is not None:
        for name, images in vars(data.truth).items():
            tensors[f"truth/{name}"] = images
    return tensors
