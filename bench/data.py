"""Loads tasks through a cache on disk, so that a task is rendered or decoded once a machine.

A cached task is one file of `bench.cached`, named by the hash of its recipe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch

from bench.cached import content_hash, keep, load
from bench.contracts import PARTS, DataSizes, Domain, Factor, Progress, Task, TaskData, Truth

FORMAT = 1
FILE = 2
"""The form of the files; unlike that of the recipe it is part of no cell's identity."""


def fingerprint(task: Task, sizes: DataSizes) -> str:
    """Return the 16 hex digits that name a task at these sizes; nothing is rendered for it."""
    recipe = json.dumps({"format": FORMAT} | task.recipe(sizes), sort_keys=True)
    return hashlib.blake2b(recipe.encode(), digest_size=8).hexdigest()


def prepare(
    task: Task,
    sizes: DataSizes,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda _done, _total: None,
) -> TaskData:
    """Return a task from the cache, made and stored first where it is missing or damaged.

    Raises:
        UserError: the cache folder cannot be written.
    """
    name = fingerprint(task, sizes)
    path = _path(task.name, sizes, name, cache)
    facts = {"factors": json.dumps([vars(factor) for factor in task.factors]), "label": task.label}
    keep(
        path,
        lambda: _tensors(task.load(sizes, progress)),
        say,
        lambda tensors: facts | {"pixels": content_hash(tensors)},
    )
    return read(task.name, sizes, name, cache)


def read(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> TaskData:
    """Return a cached task, its tensors mapped from the file.

    The file says all of itself: neither the task's class nor its options are needed.
    """
    tensors, header = load(_path(name, sizes, fingerprint, cache))
    domains = {
        part: [
            Domain(tensors[f"{part}/{at}/images"], tensors[f"{part}/{at}/factors"])
            for at in range(sum(name.startswith(f"{part}/") for name in tensors) // 2)
        ]
        for part in PARTS
    }
    truth = None
    if "truth/add" in tensors:
        truth = Truth(*(tensors[f"truth/{name}"] for name in ("add", "other", "remove")))
    factors = tuple(
        Factor(fact["name"], tuple(fact["values"]), fact["separate"])
        for fact in json.loads(header["factors"])
    )
    return TaskData(name, fingerprint, factors, domains, truth, header["label"], header["pixels"])


def is_cached(task: Task, sizes: DataSizes, cache: Path) -> bool:
    """Return whether a task need not be rendered or decoded any more."""
    return _path(task.name, sizes, fingerprint(task, sizes), cache).exists()


def _path(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> Path:
    return cache / f"{name}-{sizes.size}px-{fingerprint}-{FILE}.safetensors"


def _tensors(data: TaskData) -> dict[str, torch.Tensor]:
    tensors = {}
    for part, domains in data.domains.items():
        for at, domain in enumerate(domains):
            tensors[f"{part}/{at}/images"] = domain.images
            tensors[f"{part}/{at}/factors"] = domain.factors
    if data.truth is not None:
        for name, images in vars(data.truth).items():
            tensors[f"truth/{name}"] = images
    return tensors
