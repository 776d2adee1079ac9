"""Finds where a computation in float64 becomes one in float32."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

LOWER = (torch.float32, torch.float16, torch.bfloat16)


class Downcasts(TorchDispatchMode):
    """Collects the lines where a float64 tensor becomes one of lower precision in a block.

    files: the paths of the files whose lines are named; a line elsewhere is that of its caller.
    """

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.files = set(files)
        self.found: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation of torch, and note it if it lowers the precision."""
        made = func(*args, **(kwargs or {}))
        inputs = [x for x in args if isinstance(x, Tensor)]
        if (
            isinstance(made, Tensor)
            and made.dtype in LOWER
            and any(x.dtype is torch.float64 for x in inputs)
        ):
            self.found.append(self._where())
        return made

    def _where(self) -> str:
        frames = [f for f in traceback.extract_stack() if f.filename in self.files]
        if not frames:
            return "outside its file"
        return f"line {frames[-1].lineno}: {frames[-1].line}"
