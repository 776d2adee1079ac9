"""Describes where a cell ran: versions, processor, device and commit."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.contracts.record import Environment
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
"""Lines of /proc/cpuinfo that identify the generation. In virtual machines the name does not."""
_LIBRARIES = ("numpy", "scipy", "sklearn", "pandas", "torchvision", "torch_fidelity")


def describe(device: str) -> Environment:
    """Return where this process runs. Call it last, because it lists the imported libraries."""
    return {**_machine(device), "versions": library_versions()}


def library_versions() -> dict[str, str]:
    """Return the version that each imported library reports about itself."""
    modules = {name: sys.modules[name] for name in _LIBRARIES if name in sys.modules}
    return {name: str(getattr(module, "__version__", "")) for name, module in modules.items()}


@cache
def commit() -> str | None:
    """Return `git describe` of the suite, or None outside a git checkout."""
    if not (_ROOT / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def machine_of(environment: Environment) -> str:
    """Return the kind of machine: its processor, the instructions in use, and the torch version.

    Times of different kinds of machine cannot be compared.
    """
    parts = (
        environment.get("cpu"),
        environment.get("cpu_capability"),
        environment.get("onednn_max_cpu_isa"),
        environment.get("torch"),
    )
    return ", ".join(str(part) for part in parts if part)


@cache
def _machine(device: str) -> Environment:
    import torch

    return {
        "contentbench": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "platform": platform.platform(),
        "cpu": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn_max_cpu_isa": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "device": torch.cuda.get_device_name() if _uses_gpu(device) else device,
        "commit": commit(),
    }


def _uses_gpu(device: str) -> bool:
    """Return whether a cell of this device runs on a GPU here.

    A machine without a GPU can still score artefacts that a GPU made.
    """
    import torch

    return device == "cuda" and torch.cuda.is_available()


def _processor() -> str:
    """Return the processor, such as "AMD EPYC (family 25, model 1, stepping 1)"."""
    try:
        first, _, _ = _CPUINFO.read_text("utf-8").partition("\n\n")
    except OSError:
        first = ""
    pairs = (line.partition(":") for line in first.splitlines())
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    name = facts.get("model name") or platform.processor() or platform.machine()
    generation = ", ".join(
        f"{short} {facts[key]}" for key, short in _GENERATION.items() if key in facts
    )
    return f"{name} ({generation})" if generation else name
