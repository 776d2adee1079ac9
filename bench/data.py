"""Loads tasks through a cache on disk, so that a task is rendered or decoded once a machine.

A cached task is one safetensors file, named by the hash of its recipe. Its header holds a hash of
all pixels and factors, so a damaged file is noticed and made again. A lock lets one of several
processes do the work while the others wait for it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bench.contracts import PARTS, DataSizes, Domain, Progress, Task, TaskData, Truth
from bench.errors import UserError

FORMAT = 1


def default_cache() -> Path:
    """Return the cache folder: `CONTENTBENCH_CACHE`, or the user's cache folder."""
    from platformdirs import user_cache_path

    given = os.environ.get("CONTENTBENCH_CACHE")
    return Path(given) if given else user_cache_path("contentbench")


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
    path = _path(task, sizes, cache)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        with lock:
            if path.exists():
                try:
                    return read(task, sizes, cache, verify=True)
                except (SafetensorError, KeyError, ValueError) as error:
                    say(f"{path} is damaged ({error}): making it again")
            data = task.load(sizes, progress)
            _write(data, path)
    except OSError as error:
        raise UserError(
            f"cannot use the cache folder {cache} ({error.strerror or error}): "
            "name another with --cache-dir or CONTENTBENCH_CACHE"
        ) from error
    return read(task, sizes, cache)


def read(task: Task, sizes: DataSizes, cache: Path, verify: bool = False) -> TaskData:
    """Return a cached task, its tensors mapped from the file.

    Raises:
        ValueError: with verify, the content is not what was written.
    """
    tensors = {}
    with safe_open(_path(task, sizes, cache), framework="pt") as file:
        expected = file.metadata()["content"]
        for name in file.keys():  # noqa: SIM118 - not a dictionary
            tensors[name] = file.get_tensor(name)
    if verify and content_hash(tensors) != expected:
        raise ValueError("its content is not what was written")
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
    return TaskData(task.name, fingerprint(task, sizes), task.factors, domains, truth, expected)


def _path(task: Task, sizes: DataSizes, cache: Path) -> Path:
    return cache / f"{task.name}-{sizes.size}px-{fingerprint(task, sizes)}.safetensors"


def _write(data: TaskData, path: Path) -> None:
    tensors = {}
    for part, domains in data.domains.items():
        for at, domain in enumerate(domains):
            tensors[f"{part}/{at}/images"] = domain.images.contiguous()
            tensors[f"{part}/{at}/factors"] = domain.factors.contiguous()
    if data.truth is not None:
        for name, images in vars(data.truth).items():
            tensors[f"truth/{name}"] = images.contiguous()
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    save_file(tensors, temporary, metadata={"content": content_hash(tensors)})
    os.replace(temporary, path)


def content_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return 32 hex digits of named tensors: their names, shapes and values."""
    content = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        content.update(f"{name}{tuple(tensors[name].shape)}".encode())
        content.update(tensors[name].contiguous().numpy())
    return content.hexdigest()
