"""What a run ran on, asked from the libraries themselves."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.utils import compat
from bench.utils.version import __version__

_ROOT = Path(__file__).resolve().parents[2]
_CPUINFO = Path("/proc/cpuinfo")
_GENERATION = {
    "cpu family": "family",
    "model": "model",
    "stepping": "stepping",
    "CPU implementer": "implementer",
    "CPU part": "part",
}
"""What tells generations of processors apart where virtual machines share one name for all."""
_MACHINE = ("cpu", "cpu_capability", "onednn_max_cpu_isa", "torch")


@cache
def describe(device: str) -> dict[str, Any]:
    """Return versions, processor, device and commit, as JSON."""
    import torch

    modules = {name: import_module(name) for name in ("numpy", "scipy", "sklearn", "pandas")}
    modules |= {"torchvision": compat.torchvision(), "torch_fidelity": compat.torch_fidelity()}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return {
        "contentbench": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "versions": versions,
        "platform": platform.platform(),
        "cpu": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn_max_cpu_isa": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "device": torch.cuda.get_device_name() if _has_gpu(device) else device,
        "commit": _commit(),
    }


def _has_gpu(device: str) -> bool:
    """Return whether this is about a GPU that is here: what one has made is scored without it."""
    import torch

    return device == "cuda" and torch.cuda.is_available()


def native_bf16(device: str) -> bool:
    """Return whether the hardware multiplies bfloat16 itself (and not by emulation)."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    supports = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in supports)


def machine_of(environment: Mapping[str, Any]) -> str:
    """Return what kind of machine a description is of: CPU seconds of another kind say nothing.

    A kind is a processor, the instructions that are used of it, and the torch that uses them.
    """
    return ", ".join(str(environment[key]) for key in _MACHINE if environment.get(key))


def _processor() -> str:
    """Return name and generation of the processor: "AMD EPYC (family 25, model 1, stepping 1)"."""
    try:
        first, _, _ = _CPUINFO.read_text("utf-8").partition("\n\n")
    except OSError:
        first = ""
    pairs = (line.partition(":") for line in first.splitlines())
    said = {name.strip(): value.strip() for name, _, value in pairs}
    name = said.get("model name") or platform.processor() or platform.machine()
    generation = ", ".join(
        f"{short} {said[key]}" for key, short in _GENERATION.items() if key in said
    )
    return f"{name} ({generation})" if generation else name


def _commit() -> str | None:
    if not (_ROOT / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
