"""What the report and the leaderboard cost, against the number of records.

``python -m tests.benchmarks.report`` makes results folders of many records: the committed ones
under the names of other methods, tasks and seeds, with other values. The table shows what
`python -m bench report` and `leaderboard` take for each of them, in an empty cache.
``--keep DIR`` keeps the folders, so that the pages of two versions of the code can be compared.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.contracts.anchors import ANCHORS
from bench.records.store import Store
from bench.utils.files.sealed import write_sealed
from bench.utils.hashing import hash_of
from bench.utils.seeds import derive
from tests.benchmarks.harness import bench

ROOT = Path(__file__).parents[2]
TASK = "avatars-glasses"
DESIGNS = {100: (10, 2, 5), 500: (10, 10, 5), 2000: (40, 10, 5), 1980: (11, 18, 10)}
"""Methods, tasks and seeds for each number of records."""


@cache
def templates() -> list[Any]:
    """Return a committed record of each trained method."""
    records, _ = Store(ROOT / "results").records()
    found = {}
    for record in records:
        identity = record["identity"]
        if identity["task"] == TASK and identity["method"] not in ANCHORS:
            found.setdefault(identity["method"], record)
    return list(found.values())


def made_record(method: int, task: int, seed: int) -> Any:
    """Return the record of a method, task and seed by their numbers."""
    known = templates()
    record = copy.deepcopy(known[method % len(known)])
    own = record["identity"]["method"]
    name = own if method < len(known) else f"{own}-{method // len(known)}"
    rng = np.random.default_rng(derive("made record", method, task, seed))
    record["label"], record["configuration"], record["study"] = name, "tuned", ""
    record["identity"] |= {"method": name, "task": f"{TASK}-{task}", "seed": seed}
    record["sources"] = {name: record["sources"].get(own, "")}
    for metric, entry in record["metrics"].items():
        if entry["status"] != "ok":
            continue
        factor = rng.uniform(0.97, 1) * (1 - 0.002 * method)
        points = [of["metrics"].get(metric) for of in record["curve"]]
        for one in (entry, *filter(None, points)):
            for key in ("value", "lo", "hi"):
                one[key] = factor * one[key] if isinstance(one.get(key), float) else one.get(key)
        items = np.asarray(entry.get("items", ()), float)
        if items.size:  # on a grid, as measured contributions are
            entry["items"] = [float(one) for one in np.round(factor * items, 6)]
    record["id"] = hash_of(record["identity"])
    return record


def make_records(folder: Path, methods: int, tasks: int, seeds: int) -> int:
    """Write the record of each method, task and seed to a results folder; return their number."""
    for task in range(tasks):
        for method in range(methods):
            for seed in range(seeds):
                record = made_record(method, task, seed)
                path = folder / "records" / f"{record['label']}-{task}-s{seed}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_sealed(path, record)
    return methods * tasks * seeds


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.report", description=__doc__)
    parser.add_argument("--records", default="100,500,2000", help=f"of {list(DESIGNS)}")
    parser.add_argument("--keep", type=Path, help="where to leave the folders")
    given = parser.parse_args(words)
    counts = given.records.split(",")
    if unknown := [count for count in counts if count not in map(str, DESIGNS)]:
        parser.error(f"no design of {', '.join(unknown)} records: there are {list(DESIGNS)}")
    print(
        "| records | methods, tasks, seeds | verb | CPU s | wall s | peak memory, MB | page, MB |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for count in map(int, counts):
            folder = (given.keep or Path(place)) / str(count)
            if not (folder / "records").is_dir():
                make_records(folder, *DESIGNS[count])
            for verb in ("report", "leaderboard"):
                with (
                    tempfile.TemporaryDirectory() as empty,
                    patch.dict(os.environ, CONTENTBENCH_CACHE=empty),
                ):
                    wall, cpu, memory = bench(verb, "--results", folder)
                page = folder / "report.html"
                size = f"{page.stat().st_size / 1e6:.1f}" if verb == "report" else "-"
                design = ", ".join(map(str, DESIGNS[count]))
                print(f"| {count} | {design} | {verb} | {cpu:.1f} | {wall:.1f} | {memory:.0f} "
                      f"| {size} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
