"""Files of tensors that are written whole or not at all, and believed only if they are unharmed.

Every file is safetensors, so nothing is ever unpickled; its header holds a hash of its content, so
that a truncated file or a flipped bit is noticed. `keep` makes what is needed once a machine: the
file's name says what determines its content, and a lock lets one of several processes do the work
while the others wait for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bench.atomic import written_whole
from bench.errors import UserError

Tensors = dict[str, torch.Tensor]
Pieces = Iterator[torch.Tensor]
"""A uint8 tensor that is made while it is written, some rows at a time."""


@dataclass(frozen=True)
class Streams:
    """Tensors that need not fit into memory, by name, in the order in which they are made."""

    tensors: Mapping[str, Pieces]


About = Callable[[str], Mapping[str, str]]
"""Returns the facts that are stored beside tensors, from their hash."""
ROOM = 2**20
"""Bytes of the header of a file that is written in pieces; it ends in blanks."""
DAMAGED = (SafetensorError, KeyError, TypeError, ValueError)
"""What reading a damaged file may raise."""


def write_checked(
    path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, str] | None = None
) -> None:
    """Write tensors, and facts beside them, with a hash of both."""
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header = dict(facts or {})
    header["content"] = content_hash(held, header)
    with written_whole(path) as temporary:
        save_file(held, temporary, metadata=header)


def write_streamed(path: Path, tensors: Mapping[str, Pieces], about: About = lambda _: {}) -> None:
    """Write tensors that need not fit into memory, so that `read_checked` reads them.

    Pieces are written as they come, then the header, for which room was left: only then the shapes
    are known, and with them the hash, which is taken through the memory map.
    """
    with written_whole(path) as temporary, temporary.open("r+b") as file:
        file.seek(8 + ROOM)
        entries: dict[str, Any] = {}
        end = 0
        for name in tensors:
            start, count = end, 0
            row: tuple[int, ...] = ()
            for piece in tensors[name]:
                file.write(piece.contiguous().flatten().numpy())
                end, count, row = end + piece.nbytes, count + len(piece), piece.shape[1:]
            offsets = (start, end)
            entries[name] = {"dtype": "U8", "shape": (count, *row), "data_offsets": offsets}
        _write_header(file, entries)
        held, _ = load(temporary)
        facts = dict(about(content_hash(held)))
        facts["content"] = content_hash(held, facts)
        _write_header(file, entries | {"__metadata__": facts})


def _write_header(file: BinaryIO, entries: Mapping[str, Any]) -> None:
    """Write the header of a safetensors file into the room that was left for it."""
    text = json.dumps(entries, separators=(",", ":")).encode()
    if len(text) > ROOM:
        raise ValueError(f"a header of {len(text)} bytes, expected at most {ROOM}")
    file.seek(0)
    file.write(ROOM.to_bytes(8, "little") + text.ljust(ROOM))
    file.flush()


def read_checked(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return what `write_checked` has written.

    Raises:
        FileNotFoundError: there is no such file.
        one of `DAMAGED`: it does not hold what was written.
    """
    tensors, header = load(path)
    if content_hash(tensors, header) != header["content"]:
        raise ValueError("its content is not what was written")
    return tensors, header


def load(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors of a file, mapped and unchecked, and what its header says."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, dict(file.metadata() or {})


def keep(
    path: Path,
    make: Callable[[], Tensors | Streams],
    say: Callable[[str], None] = lambda _: None,
    about: About = lambda _: {},
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
                    return read_checked(path)[0]
                except DAMAGED as error:
                    say(f"{path} is damaged ({error}): making it again")
            made = make()
            if isinstance(made, Streams):
                write_streamed(path, made.tensors, about)
            else:
                write_checked(path, made, about(content_hash(made)))
    except (OSError, SafetensorError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise UserError(
            f"cannot use the cache folder {path.parent} ({reason}): "
            "name another with --cache-dir or CONTENTBENCH_CACHE"
        ) from error
    return load(path)[0]


def content_hash(
    tensors: Mapping[str, torch.Tensor], facts: Mapping[str, str] | None = None
) -> str:
    """Return 32 hex digits of the names, shapes and bytes of tensors, and of facts beside them."""
    content = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        content.update(f"{name}{tuple(tensors[name].shape)}".encode())
        content.update(tensors[name].detach().contiguous().flatten().view(torch.uint8).numpy())
    for name in sorted(set(facts or ()) - {"content"}):
        content.update(f"{name}={facts[name]}".encode())  # type: ignore[index]
    return content.hexdigest()
