"""Files that are there whole or not at all, also after a power loss."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOT_OFFERED = (
    *(errno.EPERM, errno.EACCES, errno.EINVAL),
    *(errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS),
)
"""What file systems say that have no modes or do not flush: mounts of Windows and of networks."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary file beside a path to write to, and put it in the path's place at the end.

    It gets the mode that the user's umask gives. Nothing is left of it when the writing does not
    come to its end. A link stays, and its target is written; what is no regular file, as a pipe or
    a device, gets the content.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / path.name)
            with path.open("wb") as special:
                special.write(temporary.read_bytes())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}{secrets.token_hex(6)}.tmp")
    temporary.open("xb").close()
    mode = temporary.stat().st_mode
    try:
        yield temporary
        with temporary.open("r+b") as file, _where_offered():
            os.fsync(file.fileno())
        if temporary.stat().st_mode != mode:  # who wrote it made a file of its own
            with _where_offered():
                temporary.chmod(mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _where_offered() -> Iterator[None]:
    """Go on where the file system does not offer what is asked of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
