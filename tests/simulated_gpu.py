"""A simulated GPU: a call only queues work, and `torch.cuda.synchronize` does it."""

from __future__ import annotations

import time
from unittest import mock

import torch

from bench.cell import measure

GPU_SECONDS = 0.02


def timer_waits_for_gpu() -> bool:
    """Return whether `repeat` counts the work that a simulated GPU does after the call returns.

    On the simulated GPU a call only queues work; ``synchronize`` then takes `GPU_SECONDS`.
    """
    queued: list[None] = []

    def wait(*_: object) -> None:
        if queued:
            queued.clear()
            time.sleep(GPU_SECONDS)

    with mock.patch.object(torch.cuda, "synchronize", wait):
        taken = measure.repeat(lambda: queued.append(None), torch.device("cuda"), 3)
    return min(wall for wall, _ in taken) > GPU_SECONDS / 2
