"""Times our training steps beside plain ones: ``python -m tests.benchmarks.speed``.

The two take turns, each in its process with one thread, with the same weights and images. The
table shows CPU seconds, so that other work on the machine disturbs both alike. It is Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.records.environment import describe, machine_of
from bench.utils.threads import computing_with

from .measure import PLAIN, row, sgemm_peak, timed

HEAD = """\
| method | px | plain, ms | ours, ms | times as fast (95 %) | FLOPs | GFLOP/s | of the peak |
|---|---|---|---|---|---|---|---|"""


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--methods", default=",".join(PLAIN), help="names, with commas")
    parser.add_argument("--sizes", default="64,128", help="sides of the images, with commas")
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of each (default 9)")
    given = parser.parse_args(words)
    methods = given.methods.split(",")
    if unknown := [name for name in methods if name not in PLAIN]:
        parser.error(f"no plain step of {', '.join(unknown)}: there are {', '.join(PLAIN)}")
    if given.rounds < 1 or not all(size.isdecimal() for size in given.sizes.split(",")):
        parser.error("--rounds must be at least 1, and --sizes whole numbers with commas")
    with computing_with(1):
        peak = sgemm_peak()
        print(f"{machine_of(describe('cpu'))}, one thread, sgemm peak {peak:.0f} GFLOP/s")
        print(f"\n{HEAD}")
        for name in methods:
            for size in map(int, given.sizes.split(",")):
                print(row(name, size, timed(name, size, given.rounds), peak), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
