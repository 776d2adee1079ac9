"""Imports torchvision and torch-fidelity, even if torchvision was built for another torch.

Nothing here imports `torch._dynamo`, the compiler behind `torch.compile`, which takes seconds of
CPU time and which a training in eager mode does not need.

The torchvision wheel on PyPI is built for CUDA. With a CPU build of torch its compiled operators
cannot be loaded, and the import fails at the first missing one. The suite uses only datasets,
transforms and utils, which need no compiled operator. So it is enough to declare the two operators
that torchvision names at import time.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def _declare_missing_operators() -> None:
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
            return  # a matching build: it brings its own operators
        except OSError:
            pass
    fragment = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        fragment.define(name + _SIGNATURE)
    globals()["_fragment"] = fragment  # the declarations live as long as this object


DYNAMO = "torch._dynamo"
_OPAQUE = "__dynamo_disable"
"""The attribute in which torch keeps the form of a function that is hidden from the compiler."""


def keep_dynamo_out() -> None:
    """Let optimisers and the FLOP counter work without the compiler, until it is imported.

    Torch imports it at the first call of some of their methods, to hide them from it, and in each
    step of an optimiser, to end a compiled graph there. As long as the compiler is not there, there
    is nothing to hide from, and no graph.
    """
    import torch
    from torch.utils import flop_counter

    classes = [found for found in vars(flop_counter).values() if isinstance(found, type)]
    optimizers = [found for found in vars(torch.optim).values() if isinstance(found, type)]
    for owner in {*classes, *optimizers}:
        for name, method in list(vars(owner).items()):
            code, inner = getattr(method, "__code__", None), getattr(method, "__wrapped__", None)
            if code is None or inner is None:
                continue
            if Path(code.co_filename).name == "_compile.py":
                setattr(inner, _OPAQUE, partial(_hidden, inner))
            elif name == "step" and code.co_name == "_use_grad":
                setattr(owner, name, _eager(method, inner))


def _eager(step: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step of an optimiser, which ends no graph while there is no compiler.

    Args:
        step: the method of torch.
        inner: what it calls with gradients off, or on for a differentiable optimiser.
    """
    import torch

    @wraps(inner)
    def eager(self: Any, *arguments: Any, **named: Any) -> Any:
        if DYNAMO in sys.modules:
            return step(self, *arguments, **named)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return inner(self, *arguments, **named)

    return eager


def _hidden(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function, hidden from the compiler if that has been imported."""
    disable = getattr(sys.modules.get(DYNAMO), "disable", None)
    if disable is None:
        return function(*arguments, **named)
    hidden = disable(function, wrapping=False)
    setattr(function, _OPAQUE, hidden)
    return hidden(*arguments, **named)


@contextmanager
def _without_dynamo() -> Iterator[None]:
    """Give modules that are imported in a block a stand-in for the compiler.

    Torchvision asks it for one function, which only compiled code calls, and hides another one.
    """
    if DYNAMO in sys.modules:
        yield
        return

    def is_compile_supported(device: str) -> bool:
        found = importlib.import_module(f"{DYNAMO}.utils").is_compile_supported(device)
        return bool(found)

    compiler, utils = ModuleType(DYNAMO), ModuleType(f"{DYNAMO}.utils")
    compiler.utils, compiler.__path__ = utils, []  # type: ignore[attr-defined]
    compiler.disable = lambda fn=None, *_, **__: fn or (lambda fn: fn)  # type: ignore[attr-defined]
    utils.is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    stand_ins = {module.__name__: module for module in (compiler, utils)}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _imported(name: str) -> ModuleType:
    """Return a module, imported with the missing operators and, if that works, no compiler."""
    _declare_missing_operators()
    if name not in sys.modules:
        try:
            with _without_dynamo():
                return importlib.import_module(name)
        except (ImportError, AttributeError):  # it needs more of the compiler: import that, too
            for half in [m for m in sys.modules if m.split(".")[0] == name.split(".")[0]]:
                del sys.modules[half]
            importlib.import_module(DYNAMO)
    return importlib.import_module(name)


def torchvision() -> ModuleType:
    """Return the module torchvision."""
    return _imported("torchvision")


def torch_fidelity() -> ModuleType:
    """Return the module torch_fidelity (which imports torchvision)."""
    torchvision()
    return _imported("torch_fidelity")


def torchvision_transforms() -> ModuleType:
    """Return the module torchvision.transforms.v2."""
    torchvision()
    return _imported("torchvision.transforms.v2")
