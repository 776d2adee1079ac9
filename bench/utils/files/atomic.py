"""Writes files so that each one is complete or absent, even after a power loss."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

NOT_OFFERED = (
    *(errno.EPERM, errno.EACCES, errno.EINVAL),
    *(errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS),
)
"""Errors of file systems that have no modes or cannot flush, such as mounted Windows drives."""
_is_read_only: ContextVar[bool] = ContextVar("is_read_only", default=False)


@contextmanager
def read_only() -> Iterator[None]:
    """Refuse every `written_whole` in a block, as a read-only disk would: for a dry run."""
    token = _is_read_only.set(True)
    try:
        yield
    finally:
        _is_read_only.reset(token)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary file to write to, and move it to `path` at the end of the block.

    The file gets the mode of the user's umask. If the block fails, the temporary file is removed
    and `path` stays as it was. If `path` is a symbolic link, its target is replaced. If it is a
    pipe or a device, the content is written to it.

    Raises:
        OSError: the file cannot be written, or the block is within `read_only`.
    """
    if _is_read_only.get():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
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
        if temporary.stat().st_mode != mode:  # the caller replaced it by a new file
            with _where_offered():
                temporary.chmod(mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _where_offered() -> Iterator[None]:
    """Ignore an error that says that the file system does not support the operation."""
    try:
        yield
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise
