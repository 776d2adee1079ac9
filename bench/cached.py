"""Tensors that are made once a machine and kept: one safetensors file for each.

The file's name says what determines its content; its header holds a hash of the content itself, so
a damaged file is noticed and made again. A lock lets one of several processes do the work while the
others wait for it. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bench.errors import UserError

Tensors = dict[str, torch.Tensor]


def keep(
    path: Path, make: Callable[[], Tensors], say: Callable[[str], None] = lambda _: None
) -> Tensors:
    """Return the tensors of a file, made and stored first where it is missing or damaged.

    Raises:
        UserError: the file's folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.exists():
                try:
                    tensors, expected = load(path)
                    if content_hash(tensors) == expected:
                        return tensors
                    reason = "its content is not what was written"
                except (SafetensorError, KeyError, TypeError, ValueError) as error:
                    reason = str(error)
                say(f"{path} is damaged ({reason}): making it again")
            tensors = {name: value.contiguous() for name, value in make().items()}
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            save_file(tensors, temporary, metadata={"content": content_hash(tensors)})
            os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise UserError(
            f"cannot use the cache folder {path.parent} ({reason}): "
            "name another with --cache-dir or CONTENTBENCH_CACHE"
        ) from error
    return load(path)[0]


def load(path: Path) -> tuple[Tensors, str]:
    """Return the tensors of a file, mapped and unchecked, and the hash that it says they have."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata()["content"]


def content_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return 32 hex digits of the names, shapes and bytes of tensors."""
    content = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        content.update(f"{name}{tuple(tensors[name].shape)}".encode())
        content.update(tensors[name].contiguous().numpy())
    return content.hexdigest()
