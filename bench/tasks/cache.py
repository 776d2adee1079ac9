"""A cache of tasks on disk, so that a machine renders or decodes a task only once.

Only reading and making images imports torch: a run whose cells are all done does neither.

A cached task is one file (see `bench.utils.files.tensor_files`). The hash of its recipe names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts.task import (
    PARTS,
    Companion,
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
from bench.utils.hashing import safe

if TYPE_CHECKING:
    import torch

    from bench.utils.files.tensor_files import Streams, Tensors

RECIPE_FORMAT = 1
FILE_FORMAT = 4
"""Version of the file format. Unlike `RECIPE_FORMAT`, it is not part of a cell's identity."""
_PLACES = {"test": "truth", "val": "val/truth"}
"""Where a file holds the true results of the pairs of a part."""


def fingerprint(task: Task, sizes: DataSizes) -> str:
    """Return the 16 hex digits that identify a task at these sizes. Nothing is rendered."""
    recipe = json.dumps({"format": RECIPE_FORMAT} | task.recipe(sizes), sort_keys=True)
    return hashlib.blake2b(recipe.encode(), digest_size=8).hexdigest()


def prepare(
    task: Task,
    sizes: DataSizes,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda _done, _total: None,
) -> TaskData:
    """Return a task from the cache. If it is missing or damaged, make and store it first.

    The facts of the result are those of this run. The cache keeps only facts that hold in every
    run.

    Raises:
        UserError: the cache folder cannot be written, or the images cannot be made.
    """
    from bench.contracts.outputs import checked_task
    from bench.utils.files.tensor_files import keep

    name = fingerprint(task, sizes)
    facts = {
        "factors": json.dumps([vars(factor) for factor in task.factors]),
        "label": task.label,
        "features": task.features,
        "companion": json.dumps(task.companion and vars(task.companion)),
    }

    def make() -> Tensors | Streams:
        made = task.load(sizes, progress)
        if made.facts:
            facts["facts"] = json.dumps(made.facts)
        if isinstance(made, Streamed):
            return _streams_of(made, task, sizes)
        return _tensors_of(checked_task(made, sizes))

    path = path_of(task.name, sizes, name, cache)
    keep(path, make, say, lambda pixels: facts | {"pixels": pixels})
    data = read(task.name, sizes, name, cache)
    return replace(data, facts=task.facts_now(sizes, data.facts))


def require_cached(
    name: str, sizes: DataSizes, fingerprint: str, cache: Path, instead: str
) -> TaskData:
    """Return a task that must be in the cache, because it cannot be made here.

    Args:
        name: the task's name.
        sizes: its sizes.
        fingerprint: see `fingerprint`.
        cache: the cache folder.
        instead: what the user can do if the task is not there; the end of the message.

    Raises:
        UserError: it is missing or damaged.
    """
    from bench.utils.files.tensor_files import keep

    def gone() -> Tensors:
        raise UserError(f"the cached images of task {name} are gone or damaged: {instead}")

    keep(path_of(name, sizes, fingerprint, cache), gone)
    return read(name, sizes, fingerprint, cache)


def read(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> TaskData:
    """Return a cached task; its tensors are memory-mapped.

    The file describes itself: neither the task's class nor its options are needed.
    """
    from bench.utils.files.tensor_files import load

    tensors, header = load(path_of(name, sizes, fingerprint, cache))
    domains = {part: _domains(tensors, part) for part in PARTS}
    factors = tuple(
        Factor(fact["name"], tuple(fact["values"]), fact["separate"])
        for fact in json.loads(header["factors"])
    )
    companion = json.loads(header["companion"])
    return TaskData(
        name,
        fingerprint,
        factors,
        domains,
        _truth(tensors, "test"),
        header["label"],
        header["pixels"],
        json.loads(header.get("facts", "{}")),
        _truth(tensors, "val"),
        features="avatars" if header["features"] == "avatars" else "probe",
        companion=companion and Companion(**{k: _frozen(v) for k, v in companion.items()}),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _truth(tensors: Mapping[str, torch.Tensor], part: str) -> Truth | None:
    names = [field.name for field in fields(Truth)]
    if f"{_PLACES[part]}/{names[0]}" not in tensors:
        return None
    return Truth(**{name: tensors[f"{_PLACES[part]}/{name}"] for name in names})


def _domains(tensors: Mapping[str, torch.Tensor], part: str) -> list[Domain]:
    """Return the domains of a part. Images of a `Streamed` task may have no factors."""
    import torch

    domains: list[Domain] = []
    while (images := tensors.get(f"{part}/{len(domains)}/images")) is not None:
        none = torch.empty(len(images), 0, dtype=torch.int64)
        domains.append(Domain(images, tensors.get(f"{part}/{len(domains)}/factors", none)))
    return domains


def is_cached(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> bool:
    """Return whether a task is in the cache."""
    return path_of(name, sizes, fingerprint, cache).exists()


def path_of(name: str, sizes: DataSizes, fingerprint: str, cache: Path) -> Path:
    """Return the file of a task in a cache, whether it exists or not."""
    return cache / f"{safe(name)}-{sizes.size}px-{fingerprint}-{FILE_FORMAT}.safetensors"


def _streams_of(made: Streamed, task: Task, sizes: DataSizes) -> Streams:
    from bench.contracts.outputs import checked_pieces
    from bench.utils.files.tensor_files import Streams

    factors, images = {}, {}
    for part, domains in made.domains.items():
        for at, pieces in enumerate(domains):
            place, known = f"{part}/{at}", made.factors[part][at] if made.factors else None
            if known is not None:
                factors[f"{place}/factors"] = iter([known])
            images[f"{place}/images"] = checked_pieces(task, pieces, sizes.size, known)
    return Streams(factors | images)


def _tensors_of(data: TaskData) -> dict[str, torch.Tensor]:
    tensors = {}
    for part, domains in data.domains.items():
        for at, domain in enumerate(domains):
            tensors[f"{part}/{at}/images"] = domain.images
            tensors[f"{part}/{at}/factors"] = domain.factors
    for part, truth in (("test", data.truth), ("val", data.val_truth)):
        for name, images in (vars(truth) if truth else {}).items():
            tensors[f"{_PLACES[part]}/{name}"] = images
    return tensors
