"""How glibc handles the memory of large tensors. With other C libraries, this does nothing."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensor, for the rest of the process.

    By default, glibc returns the memory of large tensors to the system. Each training step then
    gets it back page by page, which took up to a sixth of a step.
    """
    if mallopt := _function("mallopt"):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, LARGEST)


def return_freed_memory() -> None:
    """Give freed memory back to the system now, for example before memory is measured."""
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Any:
    """Return a function of glibc, or None."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
