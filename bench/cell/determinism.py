"""Asks a GPU for the same bits every time, and notes the operations that cannot promise them.

A CPU with a fixed number of threads gives the same bits without being asked.
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


def ask() -> None:
    """Choose the deterministic kernel of each operation that has one, and full precision.

    To be called before the first matrix product on a GPU: cuBLAS looks at its setting once.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


@contextmanager
def noted() -> Iterator[set[str]]:
    """Give a set that gets the name of each operation that runs without a deterministic kernel."""
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
