"""Time and memory, measured the same way for every method."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil
import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all that was asked of it (a CPU always has)."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class PeakMemory:
    """Measures the most memory that a block of code held.

    ``megabytes`` is all that was allocated on a GPU. On Linux it is what the process held beyond
    what was there before: its high-water mark is reset first. Elsewhere the mark cannot be reset,
    and it is what the process ever held; None where the system does not tell (Windows).
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.megabytes: float | None = None
        self._before = 0.0

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        elif _CLEAR.exists():
            try:
                _CLEAR.write_text("5")
            except OSError:
                return self
            self._before = psutil.Process().memory_info().rss / 2**20
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._device.type == "cuda":
            self.megabytes = torch.cuda.max_memory_allocated(self._device) / 2**20
        elif (peak := _high_water_mark()) is not None:
            self.megabytes = max(0.0, peak - self._before)
        else:
            self.megabytes = most_ever_held()


def most_ever_held(platform: str = sys.platform) -> float | None:
    """Return the MiB of the most memory that this process ever held, None where nothing tells it.

    The number of the system is in KiB, and on macOS in bytes.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _high_water_mark() -> float | None:
    """Return the peak memory of this process in MiB as Linux reports it, None on other systems."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM")), None)


def clock_of(device: torch.device) -> Literal["cpu", "wall"]:
    """Return the clock by which rates are told: what a CPU computes is timed in CPU seconds.

    The wall clock of a busy machine says how busy it is. A GPU works while its CPU waits.
    """
    return "wall" if device.type == "cuda" else "cpu"


def repeat(
    call: Callable[[], object], device: torch.device, times: int, warm_up: int = 5
) -> list[tuple[float, float]]:
    """Return the (wall, CPU) seconds of each of so many calls, after a few that do not count."""
    for _ in range(warm_up):
        call()
    synchronize(device)
    taken = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        synchronize(device)
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return taken
