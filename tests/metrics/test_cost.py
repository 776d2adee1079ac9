"""Rates come from the clock of the device."""

from __future__ import annotations

import torch

from tests.helpers import module


def test_rates_are_those_of_the_clock_that_tells_a_devices_speed():
    rate = module("cost").rate
    measured = {"rates": [1.0] * 8, "cpu_rates": [2.0, 3.0, 4.0] * 3}
    cpu, wall = (rate({**measured, "clock": clock}, "rates") for clock in ("cpu", "wall"))
    assert (cpu.value, cpu.n, cpu.detail) == (3, 9, {"clock": "cpu"})
    assert cpu.lo <= cpu.value <= cpu.hi
    assert (wall.value, wall.detail) == (1, {"clock": "wall"})
    assert rate(measured, "rates").status == "unavailable"


def test_work_beside_it_does_not_slow_a_cell_on_a_cpu():
    """Sleeping stands for a core that others are busy on: the wall clock goes on, the CPU's not."""
    import time

    from bench.cell.measure import FEWEST_CALLS, clock_of, repeat

    taken = repeat(lambda: time.sleep(0.01), torch.device("cpu"), times=3)
    assert len(taken) == 3
    assert all(wall >= 0.01 > 5 * cpu for wall, cpu in taken)
    slow = repeat(lambda: time.sleep(0.01), torch.device("cpu"), times=50, seconds=0.01)
    assert len(slow) == FEWEST_CALLS
    assert clock_of(torch.device("cpu")) == "cpu"
    assert clock_of(torch.device("cuda")) == "wall"
