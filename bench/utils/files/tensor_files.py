"""Files of tensors that are written whole or not at all, and believed only if they are unharmed.

Every file is safetensors, so nothing is ever unpickled; its header holds a hash of its content, so
that a truncated file or a flipped bit is noticed. `keep` makes what is needed once a machine: the
file's name says what determines its content, and a lock lets one of several processes do the work
while the others wait for it. What is there already is read without a lock, so that a folder that
another user has filled serves, or one that cannot be written.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole

Tensors = dict[str, torch.Tensor]
Pieces = Iterator[torch.Tensor]
"""A uint8 tensor that is made while it is written, some rows at a time."""


class CacheError(UserError):
    """The cache folder cannot be used: the message says why."""


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
    with _named_in_utf8(path) as name, safe_open(name, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, dict(file.metadata() or {})


@contextmanager
def _named_in_utf8(path: Path) -> Iterator[Path]:
    """Give a name of a file that safetensors takes: it must be UTF-8."""
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        with path.open("rb") as file:
            yield Path(f"/dev/fd/{file.fileno()}")
    else:
        yield path


def keep(
    path: Path,
    make: Callable[[], Tensors | Streams],
    say: Callable[[str], None] = lambda _: None,
    about: About = lambda _: {},
) -> Tensors:
    """Return the tensors of a file, made and stored first where it is missing or damaged.

    Raises:
        CacheError: it is not there whole, and its folder cannot be used.
    """
    with ExitStack() as lock:
        with _told(path.parent):
            if (whole := _whole(path)) is not None:
                return whole
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.enter_context(FileLock(f"{path}.lock"))
            if (whole := _whole(path, say)) is not None:  # another process has made it meanwhile
                return whole
        made = make()
        with _told(path.parent):
            if isinstance(made, Streams):
                write_streamed(path, made.tensors, about)
            else:
                write_checked(path, made, about(content_hash(made)))
    return load(path)[0]


def keep_if_possible(path: Path, make: Callable[[], Tensors]) -> Tensors:
    """Return the tensors of a file; what is missing is made, and stored if that can be done."""
    made = functools.cache(make)
    try:
        return keep(path, made)
    except CacheError:
        return made()


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say of an error which folder it is about, and what to do."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise CacheError(
            f"cannot use the cache folder {folder} ({reason}): "
            "name another with --cache-dir or CONTENTBENCH_CACHE"
        ) from error


def _whole(path: Path, say: Callable[[str], None] = lambda _: None) -> Tensors | None:
    """Return the tensors of a file, None where it is missing or, as is said, damaged."""
    try:
        return read_checked(path)[0]
    except FileNotFoundError:
        return None
    except DAMAGED as error:
        say(f"{path} is damaged ({error}): making it again")
        return None


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
