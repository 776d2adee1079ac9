"""Which image files a folder holds, and what is in them: hashes, and why one cannot be used.

What was found out about a file is kept in the cache folder under its path, size and time of change:
to plan a run on 100,000 files, none is read a second time. A file that was changed so that neither
size nor time tells is taken for what it was. All is read again when what reads it is another one,
as another Pillow may take what this one refuses.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.tasks.files.decode import (
    SUFFIXES,
    BadImageError,
    open_image,
    path_text,
    reader,
    require_size,
    treatment,
)
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.hashing import hash_of
from bench.utils.parallel import cut, in_order

FORMAT = 1
CHUNK = 128  # files read by one call of a worker
KEPT_BY_SYSTEMS = {
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
    *("__macosx", "lost+found", "$recycle.bin", "recycler", "system volume information"),
}
"""Folders of thumbnails, copies and deleted files that systems keep; in lower case."""


@dataclass(frozen=True)
class ImageFile:
    """What a file holds: a digest of what is read from it, and why it cannot be used, or ''.

    digest: the hash of its bytes, and a word where these are read in a later way (`treatment`).
    """

    path: str
    digest: str
    reason: str = ""


@dataclass
class FolderListing:
    """The image files below a folder, in the order of their paths.

    bad: what cannot even be read. others: how many files of other kinds there are. kept: folders
    that a system keeps there. folders: the device and number of all that were looked into.
    """

    paths: list[str] = field(default_factory=list)
    bad: list[ImageFile] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)
    folders: set[tuple[int, int]] = field(default_factory=set)


def is_image(name: str) -> bool:
    """Return whether a file is an image, going by its name; hidden ones are none."""
    return not name.startswith(".") and _suffix(name) in SUFFIXES


def image_files(folder: Path) -> FolderListing:
    """Return the image files below a folder; links are followed.

    Hidden files and what systems keep for themselves are left out.

    Raises:
        UserError: there is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        what = "a file, expected a folder of images" if folder.exists() else "no such folder"
        raise UserError(f"{path_text(folder)}: {what}")
    found = FolderListing()
    _walk(str(folder), (), found)
    found.paths.sort()
    return found


def _walk(folder: str, above: tuple[tuple[int, int], ...], found: FolderListing) -> None:
    """Add what is below a folder; above: the folders that it is in."""
    try:
        at = os.stat(folder)
        here = (at.st_dev, at.st_ino)
        if here in above:
            found.bad.append(_bad(folder, "a link in a circle"))
            return
        found.folders.add(here)
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    if entry.name.lower() in KEPT_BY_SYSTEMS:
                        found.kept.append(entry.path)
                    else:
                        _walk(entry.path, (*above, here), found)
                elif is_image(entry.name):
                    if _is_special(entry):
                        found.bad.append(_bad(entry.path, "neither a file nor a folder"))
                    else:
                        found.paths.append(entry.path)
                else:
                    found.others[_suffix(entry.name)] += 1
    except OSError as error:
        found.bad.append(_bad(folder, _why(error)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: reading it will say so
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a pipe or the like, which reading would wait for without end."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a dead link, or one that leads to itself: reading it will say so
        return False


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1][1:].lower()


def _why(error: OSError) -> str:
    circle = error.errno == errno.ELOOP
    return "a link in a circle" if circle else f"cannot be read ({error.strerror})"


def _bad(path: str, reason: str) -> ImageFile:
    return ImageFile(path, "", f"{path_text(path)}: {reason}")


def inspect_files(paths: Sequence[str], cache: Path | None, of: str) -> list[ImageFile]:
    """Return what is in each file; only files that have changed since are read, on all cores.

    cache: where to keep what was found, None for nowhere. of: what the files belong to.
    """
    index = cache and cache / f"files-{hash_of([FORMAT, of])}.json"
    known = _read_index(index)
    marks = [_state_mark(path) for path in paths]
    unread = [p for p, mark in zip(paths, marks, strict=True) if known.get(p, [0])[0] != mark]
    for chunk in in_order(_inspect_chunk, cut(unread, CHUNK)):
        known |= {seen.path: ["", seen.digest, seen.reason] for seen in chunk}
    if index is not None and unread:
        fresh = {p: [mark, *known[p][1:]] for p, mark in zip(paths, marks, strict=True)}
        fresh = {p: entry for p, entry in fresh.items() if entry[1]}  # who may read it can change
        with suppress(OSError):  # a folder that cannot be written is said when images are stored
            write_sealed(index, {"reader": reader(), "files": known | fresh})
    return [ImageFile(path, *known[path][1:]) for path in paths]


def _read_index(index: Path | None) -> dict[str, list[str]]:
    if index is not None:
        with suppress(OSError, ValueError, KeyError):
            kept = read_sealed(index)
            return dict(kept["files"]) if kept["reader"] == reader() else {}
    return {}


def _state_mark(path: str) -> str:
    """Return what tells one state of a file from another."""
    try:
        at = os.stat(path)
    except (OSError, ValueError):  # no name that a file can have
        return "none"
    return f"{at.st_size} {at.st_mtime_ns}"


def _inspect_chunk(paths: Sequence[str]) -> list[ImageFile]:
    return list(_inspect(paths))


def _inspect(paths: Sequence[str]) -> Iterator[ImageFile]:
    for path in paths:
        digest = ""
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, _hash).hexdigest()
                file.seek(0)
                with open_image(path, file) as image:
                    require_size(image, path)
                    digest += treatment(image)
            yield ImageFile(path, digest)
        except BadImageError as error:
            yield ImageFile(path, digest, str(error))
        except OSError as error:
            yield _bad(path, _why(error))
        except ValueError as error:
            yield _bad(path, f"cannot be read ({error})")


def _hash() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)
