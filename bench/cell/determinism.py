"""Makes GPU computations deterministic, and finds the operations that are not.

On a CPU with a fixed number of threads, all computations are deterministic.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_MESSAGE = r"(\S+) does not have a deterministic implementation"


def prefer_deterministic_kernels() -> None:
    """Use full precision, and a deterministic kernel wherever one exists.

    Call it before the first matrix product on a GPU: cuBLAS reads its setting only once.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def nondeterministic_operations() -> Iterator[set[str]]:
    """Collect the names of the operations in a block that have no deterministic kernel."""
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("default", message=_MESSAGE)
        show = warnings.showwarning

        def note(message: Warning | str, *where: Any, **more: Any) -> None:
            named = re.match(_MESSAGE, str(message))
            if named:
                found.add(named[1])
            else:
                show(message, *where, **more)

        warnings.showwarning = note
        yield found
