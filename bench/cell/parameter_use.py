"""Finds the parameters that a result depends on.

Gradients cannot show this, because ``no_grad``, ``inference_mode``, ``detach`` and frozen encoders
cut them. So this module tracks every operation: the outputs depend on all parameters that the
inputs depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def parameters_behind(call: Callable[[], Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the parameters that the result of a call depends on."""
    watch = _Watch(parameters)
    with watch:
        result = call()
    behind = watch.behind(result)
    return [parameter for at, parameter in enumerate(parameters) if at in behind]


class _Watch(TorchDispatchMode):
    """Stores, for each memory block, the parameters that its content was computed from."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._behind: dict[int, set[int]] = {}
        self._alive: list[Tensor] = []  # other tensors would reuse freed memory
        for at, parameter in enumerate(parameters):
            self._behind.setdefault(_block(parameter), set()).add(at)

    def behind(self, *values: Any) -> set[int]:
        """Return the indices of all parameters that values were computed from."""
        tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
        return set().union(*(self._behind.get(_block(tensor), ()) for tensor in tensors))

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        behind = self.behind(args, kwargs)
        written = [
            value
            for value, argument in zip(args, func._schema.arguments, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        for leaf in tree_leaves((output, written)) if behind else ():
            if isinstance(leaf, Tensor):
                self._behind.setdefault(_block(leaf), set()).update(behind)
                self._alive.append(leaf)
        return output


def _block(tensor: Tensor) -> int:
    """Return a number that identifies the memory of a tensor; views of a tensor share it."""
    return int(tensor.untyped_storage()._cdata)
