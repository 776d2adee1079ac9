"""How the cost of a run grows: ``python -m tests.benchmarks.growth -o docs/growth``.

Each axis is one thing that grows while all others stay. Costs are CPU seconds of one process, so
that other work on the machine disturbs them least. The measurements are written as ``growth.csv``
and drawn as ``growth.svg``. The dashed line is what linear growth would be: a line through the
smallest and the largest measurement. For the side of the images it is linear in their pixels.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import altair as alt
import pandas as pd

from bench.records.read import read_record
from bench.records.store import Store
from bench.utils.threads import computing_with

from .harness import TRIVIAL, TRIVIAL_RUN, bench, fill, plan_of
from .speed.measure import cpu_seconds, pair_of

Measurement = tuple[str, float, float]
"""What was measured, how large it was, and its CPU seconds."""
CORE = ("autoencoder", "press2019", "ufdn", "drit", "d2ae")
PARTS = ("train", "probe", "test")
STEPS = 5


def images(folder: Path) -> Iterator[Measurement]:
    """Yield the cost of a cell against the images that it draws, encodes and scores."""
    untouched = [text for text in TRIVIAL if "images" not in text]
    for count in (256, 512, 1024, 2048):
        settings = [
            word
            for text in (*untouched, *(f"profile.{part}_images={count}" for part in PARTS))
            for word in ("--set", text)
        ]
        place = folder / str(count)
        _, cpu, _ = bench(
            "run", "--methods", "autoencoder", "--profile", "smoke", "--engine", "inline",
            *settings, "--results", place / "results", "--cache-dir", place / "cache",
        )  # fmt: skip
        yield "one cell, from drawing to scores", count, cpu


def sides(_: Path) -> Iterator[Measurement]:
    """Yield the cost of a training step against the side of the images."""
    for name in CORE:
        for side in (32, 64, 128):
            _, method, batch = pair_of(name, side)
            step = partial(method.training_step, batch)
            step()
            yield name, side, statistics.median(cpu_seconds(step) for _ in range(STEPS))


def seeds(folder: Path) -> Iterator[Measurement]:
    """Yield the cost of a run against its seeds."""
    for count in (1, 2, 4, 8, 16):
        _, cpu, _ = bench(
            *TRIVIAL_RUN, "--engine", "inline", "--seeds", f"0-{count - 1}",
            "--results", folder / str(count), "--cache-dir", folder / "cache",
        )  # fmt: skip
        yield "a run of cells without much training", count, cpu


def cells(folder: Path) -> Iterator[Measurement]:
    """Yield the cost of a run with nothing to do against its finished cells."""
    first = Store(folder / "one")
    bench(*TRIVIAL_RUN, "--results", first.root)
    record = read_record(first.record_path(plan_of(1).cells[0]))
    for count in (1, 250, 500, 1000):
        results = folder / str(count)
        fill(Store(results), plan_of(count), record)
        _, cpu, _ = bench(*TRIVIAL_RUN, "--seeds", f"0-{count - 1}", "--results", results)
        yield "a run that is finished", count, cpu


AXES: dict[str, Callable[[Path], Iterator[Measurement]]] = {
    "images of each part and domain": images,
    "side of the images, px": sides,
    "seeds": seeds,
    "finished cells": cells,
}


def measured(axes: Sequence[str]) -> pd.DataFrame:
    """Measure some axes; return a row for each measurement."""
    rows = []
    for axis in axes:
        with tempfile.TemporaryDirectory() as folder, computing_with(1):
            for what, value, cpu in AXES[axis](Path(folder)):
                print(f"{axis} = {value:g}: {what}, {cpu:.3f} CPU s", flush=True)
                rows.append({"axis": axis, "what": what, "value": value, "cpu_seconds": cpu})
    return pd.DataFrame(rows)


def with_line(found: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements with `linear`, the line through the smallest and the largest."""

    def of_one(group: pd.DataFrame) -> pd.Series[float]:
        size = group["value"] ** (2 if "side" in group["axis"].iloc[0] else 1)
        low, high = size.idxmin(), size.idxmax()
        cost = group["cpu_seconds"]
        slope = (cost[high] - cost[low]) / (size[high] - size[low])
        return cost[low] + slope * (size - size[low])

    lines = [of_one(group) for _, group in found.groupby(["axis", "what"])]
    return found.assign(linear=pd.concat(lines))


def plot(found: pd.DataFrame) -> alt.ConcatChart:
    """Return one panel for each axis."""
    panels = []
    for axis, rows in with_line(found).groupby("axis", sort=False):
        cost = "CPU seconds"
        base = alt.Chart(rows, width=260, height=180).encode(
            x=alt.X("value:Q", title=axis), color=alt.Color("what:N", title=None)
        )
        line = base.mark_line(strokeDash=[4, 3]).encode(y=alt.Y("linear:Q", title=cost))
        points = base.mark_point(filled=True, size=60).encode(y=alt.Y("cpu_seconds:Q", title=cost))
        if rows["what"].nunique() > 1:
            line, points = (
                of.encode(shape=alt.Shape("what:N", legend=None)) for of in (line, points)
            )
        panels.append(line + points)
    return (
        alt.concat(*panels, columns=2)
        .resolve_scale(color="independent", shape="independent")
        .configure_legend(orient="bottom", columns=3)
    )


def main(words: Sequence[str] | None = None) -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="path without its ending")
    parser.add_argument("--draw", action="store_true", help="draw what the CSV file holds")
    given = parser.parse_args(words)
    table = given.output.with_suffix(".csv")
    if not given.draw:
        measured(list(AXES)).to_csv(table, index=False, float_format="%.4g")
    plot(pd.read_csv(table)).save(given.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
