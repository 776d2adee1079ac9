"""How the C library handles the memory of large tensors."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of <malloc.h>
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensor, for the rest of the process.

    By default, glibc returns the memory of large tensors to the system. Each training step then
    gets it back page by page, which took up to a sixth of a step. The peak of memory stays the
    same. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, LARGEST)
