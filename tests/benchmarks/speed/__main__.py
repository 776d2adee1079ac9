"""Times the suite beside plain code: ``python -m tests.benchmarks.speed``.

``--what steps`` times our training steps beside plain ones. The two take turns, each in its process
with one thread, with the same weights and images. The plain step is in fp32, ours in
``--precision``. ``--what scoring`` times the probes of a cell beside scikit-learn. ``--what
start-up`` times commands that train nothing. The tables show CPU seconds, so that other work on the
machine disturbs all alike. They are Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.records.environment import describe, machine_of
from bench.utils.threads import computing_with

from . import scoring, start_up
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
    parser.add_argument(
        "--precision", choices=("fp32", "bf16"), default="fp32", help="of our steps (default fp32)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of each (default 9)")
    parser.add_argument(
        "--what", choices=("steps", "scoring", "start-up"), default="steps", help="default: steps"
    )
    parser.add_argument("--dimensions", default="924,4096", help="sizes of z1, with commas")
    given = parser.parse_args(words)
    methods = given.methods.split(",")
    if unknown := [name for name in methods if name not in PLAIN]:
        parser.error(f"no plain step of {', '.join(unknown)}: there are {', '.join(PLAIN)}")
    if given.rounds < 1 or not all(size.isdecimal() for size in given.sizes.split(",")):
        parser.error("--rounds must be at least 1, and --sizes whole numbers with commas")
    with computing_with(1):
        peak = sgemm_peak()
        print(f"{machine_of(describe('cpu'))}, one thread, sgemm peak {peak:.0f} GFLOP/s\n")
        if given.what == "scoring":
            print(scoring.HEAD)
            for dimensions in map(int, given.dimensions.split(",")):
                print(*scoring.rows(dimensions, given.rounds), sep="\n", flush=True)
            return 0
        if given.what == "start-up":
            print(start_up.HEAD)
            with TemporaryDirectory() as place:
                print(*start_up.rows(Path(place), given.rounds), sep="\n")
            return 0
        print(HEAD)
        for name in methods:
            for size in map(int, given.sizes.split(",")):
                found = timed(name, size, given.rounds, given.precision)
                print(row(name, size, found, peak), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
