"""Writes and reads files of tensors, and detects damaged files.

Every file is in the safetensors format, so nothing is ever unpickled. The header holds a hash of
the content, so that a truncated file or a flipped bit is noticed. `keep` computes tensors once per
machine: the file name identifies their content, and a lock lets one process do the work while
others wait. An existing file is read without a lock, so a read-only cache folder works too.
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
"""A tensor of uint8 or int64 in pieces of some rows each, which are made while they are written."""


class CacheError(UserError):
    """The cache folder cannot be used; the message says why."""


@dataclass(frozen=True)
class Streams:
    """Tensors that need not fit into memory, by name, in the order of writing.

    Those of int64 come first, so that each begins at a multiple of its item size.
    """

    tensors: Mapping[str, Pieces]


About = Callable[[str], Mapping[str, str]]
"""A function from the hash of tensors to the facts that are stored beside them."""
TYPES = {torch.uint8: "U8", torch.int64: "I64"}
"""The names that safetensors has for the types of streamed tensors."""
ROOM = 2**20
"""The bytes reserved for the header of a file that is written in pieces."""
DAMAGED = (SafetensorError, KeyError, TypeError, ValueError)
"""The errors that reading a damaged file may raise."""


def write_checked(
    path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, str] | None = None
) -> None:
    """Write tensors and facts about them, with a hash of both."""
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header = dict(facts or {})
    header["content"] = content_hash(held, header)
    with written_whole(path) as temporary:
        save_file(held, temporary, metadata=header)


def write_streamed(path: Path, tensors: Mapping[str, Pieces], about: About = lambda _: {}) -> None:
    """Write tensors that need not fit into memory, in the format of `write_checked`.

    The pieces are written first, after a reserved space for the header. The header follows, because
    the shapes are known only then. The hash is computed from the memory-mapped file.
    """
    with written_whole(path) as temporary, temporary.open("r+b") as file:
        file.seek(8 + ROOM)
        entries: dict[str, Any] = {}
        end = 0
        for name in tensors:
            start, count = end, 0
            row: tuple[int, ...] = ()
            dtype = torch.uint8
            for piece in tensors[name]:
                file.write(piece.contiguous().flatten().numpy())
                end, count, row = end + piece.nbytes, count + len(piece), piece.shape[1:]
                dtype = piece.dtype
            offsets = (start, end)
            entries[name] = {"dtype": TYPES[dtype], "shape": (count, *row), "data_offsets": offsets}
        _write_header(file, entries)
        held, _ = load(temporary)
        facts = dict(about(content_hash(held)))
        facts["content"] = content_hash(held, facts)
        _write_header(file, entries | {"__metadata__": facts})


def _write_header(file: BinaryIO, entries: Mapping[str, Any]) -> None:
    """Write the header of a safetensors file into the space reserved for it."""
    text = json.dumps(entries, separators=(",", ":")).encode()
    if len(text) > ROOM:
        raise ValueError(f"the header has {len(text)} bytes, expected at most {ROOM}")
    file.seek(0)
    file.write(ROOM.to_bytes(8, "little") + text.ljust(ROOM))
    file.flush()


def read_checked(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors and the facts that `write_checked` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        one of `DAMAGED`: the file is damaged.
    """
    tensors, header = load(path)
    if content_hash(tensors, header) != header["content"]:
        raise ValueError("its content is not what was written")
    return tensors, header


def load(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return the memory-mapped tensors and the facts of a file, without a check of its hash."""
    with _utf8_path(path) as name, safe_open(name, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, dict(file.metadata() or {})


@contextmanager
def _utf8_path(path: Path) -> Iterator[Path]:
    """Yield a path of a file that is valid UTF-8, as safetensors requires."""
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
    """Return the tensors of a file, after making and storing them if it is missing or damaged.

    Args:
        path: the file.
        make: returns the tensors.
        say: prints a line about a damaged file.
        about: returns the facts to store beside the tensors.

    Raises:
        CacheError: the folder cannot be used.
    """
    with ExitStack() as lock:
        with _named_in_errors(path.parent):
            if (whole := _whole(path)) is not None:
                return whole
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.enter_context(FileLock(f"{path}.lock"))
            if (whole := _whole(path, say)) is not None:  # another process made it in the meantime
                return whole
        made = make()
        with _named_in_errors(path.parent):
            if isinstance(made, Streams):
                write_streamed(path, made.tensors, about)
            else:
                write_checked(path, made, about(content_hash(made)))
    return load(path)[0]


def keep_if_possible(path: Path, make: Callable[[], Tensors]) -> Tensors:
    """Return the tensors of a file as `keep` does, but do not fail if they cannot be stored."""
    made = functools.cache(make)
    try:
        return keep(path, made)
    except CacheError:
        return made()


@contextmanager
def _named_in_errors(folder: Path) -> Iterator[None]:
    """Turn an error into one that names the cache folder and says what to do."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise CacheError(
            f"cannot use the cache folder {folder} ({reason}): "
            "name another with --cache-dir or CONTENTBENCH_CACHE"
        ) from error


def _whole(path: Path, say: Callable[[str], None] = lambda _: None) -> Tensors | None:
    """Return the tensors of a file; None if it is missing, or damaged, which `say` prints."""
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
    """Return a hash of names, shapes and bytes of tensors and of facts, as 32 hex digits."""
    content = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        content.update(f"{name}{tuple(tensors[name].shape)}".encode())
        content.update(tensors[name].detach().contiguous().flatten().view(torch.uint8).numpy())
    for name in sorted(set(facts or ()) - {"content"}):
        content.update(f"{name}={facts[name]}".encode())  # type: ignore[index]
    return content.hexdigest()
