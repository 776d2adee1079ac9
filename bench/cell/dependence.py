"""Which parameters does a result depend on?

Gradients do not always tell: a frozen encoder, ``no_grad``, ``inference_mode`` and ``detach`` hide
what stands behind them. So every operation is watched: its outputs depend on all that its inputs
depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def parameters_behind(call: Callable[[], Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return those of the parameters that the result of a call depends on."""
    watch = _Watch(parameters)
    with watch:
        result = call()
    behind = watch.behind(result)
    return [parameter for at, parameter in enumerate(parameters) if at in behind]


class _Watch(TorchDispatchMode):
    """Keeps for each memory block the parameters that its content was computed from."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__()
        self._behind: dict[int, set[int]] = {}
        self._alive: list[Tensor] = []  # a block that is freed could come back as another tensor's
        for at, parameter in enumerate(parameters):
            self._behind.setdefault(_block(parameter), set()).add(at)

    def behind(self, *values: Any) -> set[int]:
        """Return the places of all parameters that values were computed from."""
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
            given
            for given, argument in zip(args, func._schema.arguments, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        for leaf in tree_leaves((output, written)) if behind else ():
            if isinstance(leaf, Tensor):
                self._behind.setdefault(_block(leaf), set()).update(behind)
                self._alive.append(leaf)
        return output


def _block(tensor: Tensor) -> int:
    """Return what names the memory that a tensor lies in, views of it alike."""
    return int(tensor.untyped_storage()._cdata)
