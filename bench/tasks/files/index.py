"""Finds the image files of a folder and inspects them: their hashes, and why one cannot be used.

The cache folder keeps an index of the results by path, size and time of change. So planning a run
on 100,000 files reads each file only once. A change that keeps both size and time is not noticed.
All files are read again with another version of Pillow or of our rules, which may accept others.
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
CHUNK = 128  # files that a worker reads in one call
KEPT_BY_SYSTEMS = {
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
    *("__macosx", "lost+found", "$recycle.bin", "recycler", "system volume information"),
}
"""Folders of the system with thumbnails, copies or deleted files; in lower case."""


@dataclass(frozen=True)
class ImageFile:
    """What is known of an image file.

    Attributes:
        path: the file.
        digest: the hash of its bytes, followed by the word of `treatment`.
        reason: why it cannot be used, or ''.
    """

    path: str
    digest: str
    reason: str = ""


@dataclass
class FolderListing:
    """The files below a folder.

    Attributes:
        paths: the image files, in order.
        bad: files and folders that cannot be read.
        others: for each other ending, the number of files.
        kept: the folders of the system, which are left out.
        folders: the device and inode of each folder that was searched.
    """

    paths: list[str] = field(default_factory=list)
    bad: list[ImageFile] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)
    folders: set[tuple[int, int]] = field(default_factory=set)


def is_image(name: str) -> bool:
    """Return whether a name is that of an image. Hidden files do not count."""
    return not name.startswith(".") and _suffix(name) in SUFFIXES


def image_files(folder: Path) -> FolderListing:
    """Return the files below a folder. Links are followed.

    Hidden files and folders of the system are left out.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        what = "a file, expected a folder of images" if folder.exists() else "no such folder"
        raise UserError(f"{path_text(folder)}: {what}")
    found = FolderListing()
    _walk(str(folder), (), found)
    found.paths.sort()
    return found


def _walk(folder: str, above: tuple[tuple[int, int], ...], found: FolderListing) -> None:
    """Add the files below a folder to `found`; `above` are the folders that contain it."""
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
    except OSError:  # a link to itself: reading it gives the message
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a pipe or the like, which would block whoever reads it."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a broken link, or one to itself: reading it gives the message
        return False


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1][1:].lower()


def _why(error: OSError) -> str:
    circle = error.errno == errno.ELOOP
    return "a link in a circle" if circle else f"cannot be read ({error.strerror})"


def _bad(path: str, reason: str) -> ImageFile:
    return ImageFile(path, "", f"{path_text(path)}: {reason}")


def inspect_files(paths: Sequence[str], cache: Path | None, of: str) -> list[ImageFile]:
    """Return what is known of each file. Files that are new or have changed are read, on all cores.

    Args:
        paths: the files.
        cache: the folder of the index, or None for no index.
        of: the folder of the files, which names the index.
    """
    index = cache and cache / f"files-{hash_of([FORMAT, of])}.json"
    known = _read_index(index)
    marks = [_state_mark(path) for path in paths]
    unread = [p for p, mark in zip(paths, marks, strict=True) if known.get(p, [0])[0] != mark]
    for chunk in in_order(_inspect_chunk, cut(unread, CHUNK)):
        known |= {seen.path: ["", seen.digest, seen.reason] for seen in chunk}
    if index is not None and unread:
        fresh = {p: [mark, *known[p][1:]] for p, mark in zip(paths, marks, strict=True)}
        fresh = {p: entry for p, entry in fresh.items() if entry[1]}  # rights can change unnoticed
        with suppress(OSError):  # storing the images will report such a folder
            write_sealed(index, {"reader": reader(), "files": known | fresh})
    return [ImageFile(path, *known[path][1:]) for path in paths]


def _read_index(index: Path | None) -> dict[str, list[str]]:
    if index is not None:
        with suppress(OSError, ValueError, KeyError):
            kept = read_sealed(index)
            return dict(kept["files"]) if kept["reader"] == reader() else {}
    return {}


def _state_mark(path: str) -> str:
    """Return the size and time of change of a file, as text."""
    try:
        at = os.stat(path)
    except (OSError, ValueError):  # ValueError: no file can have this name
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
