"""Imports torchvision and torch-fidelity, even if torchvision was built for another torch.

The torchvision wheel on PyPI is built for CUDA. With a CPU build of torch its compiled operators
cannot be loaded, and the import fails at the first missing one. The suite uses only datasets,
transforms and utils, which need no compiled operator. So it is enough to declare the two operators
that torchvision names at import time.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

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


def torchvision() -> ModuleType:
    """Return the module torchvision."""
    _declare_missing_operators()
    import torchvision

    return torchvision


def torch_fidelity() -> ModuleType:
    """Return the module torch_fidelity (which imports torchvision)."""
    _declare_missing_operators()
    import torch_fidelity

    return torch_fidelity


def torchvision_transforms() -> ModuleType:
    """Return the module torchvision.transforms.v2."""
    _declare_missing_operators()
    from torchvision.transforms import v2

    return v2
