"""Measures time and memory, in the same way for every method."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil
import torch

from bench.utils.allocator import return_freed_memory

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Stopwatch:
    """Measures a block of code: ``seconds`` by the wall clock, ``cpu_seconds`` by the CPU's."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._start = (0.0, 0.0)

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start[0]
        self.cpu_seconds = time.process_time() - self._start[1]


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has finished its work. On a CPU, return at once."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class PeakMemory:
    """Measures the peak memory of a block of code, in MiB.

    On a GPU, ``megabytes`` is the peak of the memory that torch allocated. On a CPU under Linux, it
    is the peak memory of the process in the block, minus its memory before the block. Other systems
    cannot reset the peak, so it is the peak since the process started. On Windows it is None.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.megabytes: float | None = None
        self._before = self._earlier = 0.0

    def __enter__(self) -> PeakMemory:
        if self._reset():
            self._before = self._held()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        peak = self._peak()
        self.megabytes = None if peak is None else max(self._earlier, peak)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave a block out, also the memory that it keeps, where the system can reset the peak."""
        earlier, held = self._peak(), self._held()
        yield
        if self._reset():
            self._earlier = max(self._earlier, earlier or 0.0)
            self._before += self._held() - held

    def _reset(self) -> bool:
        """Forget the peak so far; return whether the system can do that."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return True
        return_freed_memory()
        try:
            if _CLEAR.exists():
                _CLEAR.write_text("5")
                return True
        except OSError:
            pass
        return False

    def _held(self) -> float:
        """Return the memory of the process in MiB, 0 on a GPU, where all memory counts."""
        if self._device.type == "cuda":
            return 0.0
        return_freed_memory()
        return float(psutil.Process().memory_info().rss) / 2**20

    def _peak(self) -> float | None:
        """Return the peak since the last reset, in MiB."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20
        if (peak := _high_water_mark()) is not None:
            return max(0.0, peak - self._before)
        return most_ever_held()


def most_ever_held(platform: str = sys.platform) -> float | None:
    """Return the peak memory of this process in MiB, None on Windows.

    Most systems count in KiB, macOS in bytes.
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
    """Return the clock that measures the speed on a device.

    On a CPU it is the CPU time, because other programs lengthen the wall-clock time. On a GPU it is
    the wall-clock time, because the CPU waits while the GPU works.
    """
    return "wall" if device.type == "cuda" else "cpu"


FEWEST_CALLS, WARM_UP_CALLS = 10, 5
"""How many calls are measured at least, and how many precede them unmeasured."""


def repeat(
    call: Callable[[], object], device: torch.device, times: int, seconds: float = math.inf
) -> list[tuple[float, float]]:
    """Return the (wall, CPU) seconds of each call, after warm-up calls that are not measured.

    times: the largest number of measured calls. seconds: after so much time, no call follows if
    `FEWEST_CALLS` have been measured.
    """
    for _ in range(WARM_UP_CALLS):
        call()
    synchronize(device)
    start = time.perf_counter()
    taken: list[tuple[float, float]] = []
    while len(taken) < times:
        wall, cpu = time.perf_counter(), time.process_time()
        if len(taken) >= FEWEST_CALLS and wall - start > seconds:
            break
        call()
        synchronize(device)
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return taken
