"""How large a fault must be for the statistical layer to find it.

``python -m tests.benchmarks.power`` simulates metrics with normal noise over seeds. One of them
becomes worse by some number of its standard deviations. All go through the gate. The command prints
the smallest shift of a grid that at least eight checks of ten call "regressed". The tolerance is
two standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.check.gate import SPREADS, Comparison, Shift, judge, paired, welch

METRICS, CHECKS, FOUND = 90, 200, 0.8
SHIFTS = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50, 100)
DESIGNS: dict[str, tuple[int, int, Callable[..., Shift]]] = {
    "3 seeds, the same 3 before": (3, 3, paired),
    "5 seeds, the same 5 before": (5, 5, paired),
    "10 seeds, the same 10 before": (10, 10, paired),
    "3 other seeds, 10 before": (10, 3, welch),
    "5 other seeds, 10 before": (10, 5, welch),
    "10 other seeds, 10 before": (10, 10, welch),
}


def share_found(
    shift: float, before: int, after: int, test: Callable[..., Shift], rng: np.random.Generator
) -> float:
    """Return the share of checks that call the one metric regressed which is."""

    def noise(count: int) -> NDArray[np.float64]:
        return rng.standard_normal((METRICS, count))

    found = 0
    for _ in range(CHECKS):
        base, new = noise(before), noise(after)
        new[0] += shift
        deltas = SPREADS * base.std(axis=1, ddof=1)
        pairs = zip(base, new, deltas, strict=True)
        found += judge([Comparison(test(b, n), d) for b, n, d in pairs])[0] == "regressed"
    return found / CHECKS


def main() -> None:
    """Print the table."""
    print("| seeds | found from (standard deviations over seeds) |\n|---|---|")
    for name, design in DESIGNS.items():
        rng = np.random.default_rng(0)
        least = next((s for s in SHIFTS if share_found(s, *design, rng) >= FOUND), None)
        print(f"| {name} | {least or f'more than {SHIFTS[-1]}'} |", flush=True)


if __name__ == "__main__":
    main()
