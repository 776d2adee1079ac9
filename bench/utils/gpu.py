"""Asks for GPUs and for native bfloat16 without importing torch, which takes seconds of CPU time.

The answers are those of torch. A build of torch without CUDA sees no GPU. A build with CUDA is
asked through the library of the driver, which it uses, too. Other builds are asked themselves.
"""

from __future__ import annotations

import ast
import ctypes
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")
BF16_FLAGS = {"avx512_bf16", "amx_tile"}
"""Flags of x86 processors that multiply bfloat16 natively, as /proc/cpuinfo names them."""
_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_MAJOR, _MINOR = 75, 76
"""The numbers of the attributes of a GPU that hold its compute capability."""


def gpu_count() -> int:
    """Return the number of GPUs that torch sees."""
    build = _build()
    if build is None or build.get("hip") or "torch" in sys.modules:
        import torch

        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return len(_capabilities(build["cuda"])) if build.get("cuda") else 0


def native_bf16(device: str) -> bool:
    """Return whether the hardware of a device multiplies bfloat16 natively, without emulation."""
    if device == "cuda":
        build = _build()
        if build is not None and build.get("cuda") and "torch" not in sys.modules:
            return _capabilities(build["cuda"])[:1] >= ((8, 0),)
        import torch

        return torch.cuda.get_device_capability() >= (8, 0)
    flags = _cpu_flags()
    if flags is not None:
        return bool(flags & BF16_FLAGS)
    import torch

    supports = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in supports)


def _cpu_flags() -> set[str] | None:
    """Return the flags of the first processor, or None if this system does not list them."""
    try:
        lines = CPUINFO.read_text("utf-8").splitlines()
    except OSError:
        return None
    found = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    flags = next(found, None)
    return None if flags is None else set(flags.split())


@cache
def _build() -> dict[str, Any] | None:
    """Return what torch was built with, from the source of `torch.version`; None if unreadable."""
    try:
        found = importlib.util.find_spec("torch")
        if found is None or found.origin is None:
            return None
        tree = ast.parse(Path(found.origin).with_name("version.py").read_text("utf-8"))
        literals = {}
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                literals[ast.unparse(target)] = ast.literal_eval(node.value)
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    return literals if "cuda" in literals else None


@cache
def _capabilities(cuda: str) -> tuple[tuple[int, int], ...]:
    """Return the compute capability of each GPU; () if there is none that CUDA can use.

    cuda: the version of CUDA that torch was built with. An older driver cannot run it.
    """
    for name in _DRIVERS:
        try:
            driver = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        return ()
    try:
        version, count, device, value = (ctypes.c_int() for _ in range(4))
        if driver.cuInit(0) or driver.cuDriverGetVersion(ctypes.byref(version)):
            return ()
        if version.value // 1000 < int(cuda.split(".")[0]):
            return ()
        if driver.cuDeviceGetCount(ctypes.byref(count)):
            return ()
        found = []
        for at in range(count.value):
            if driver.cuDeviceGet(ctypes.byref(device), at):
                return ()
            pair = []
            for attribute in (_MAJOR, _MINOR):
                driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
                pair.append(value.value)
            found.append((pair[0], pair[1]))
    except (AttributeError, ValueError):
        return ()
    return tuple(found)
