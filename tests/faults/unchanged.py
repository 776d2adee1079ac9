"""Checks of unchanged code: how often do they cry wolf?

``python -m tests.faults.unchanged POOL [--again DIR ...] [--checks 28]``

POOL holds records of several methods with many seeds. Each check draws eight seeds for a baseline
and three others that are checked against it. The records of each DIR (the same cells run again, or
with another number of threads) are checked against a baseline of the pool's seeds, paired.

``python -m tests.faults.unchanged --train DIR --seeds 0-2 --threads 2`` makes such a DIR.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import baseline as baselines
from bench.anchors import ANCHORS
from bench.compare import compare_records
from bench.execute import execute
from bench.plan import Request, jobs_for, make_plan
from bench.space import default_cache
from bench.store import Store
from bench.verdicts import Finding, Verdict, summary, worst_first

METHODS = ("press2019", "autoencoder")
LAYERS = ("exact", "ordering", "statistical")
OF_BASELINE, OF_CHECK = 8, 3


def train(folder: Path, seeds: str, threads: int) -> None:
    request = Request(methods=METHODS, profile="smoke", seeds=seeds, device="cpu")
    plan = make_plan(request)
    plan = replace(plan, cells=tuple(replace(cell, threads=threads) for cell in plan.cells))
    store = Store(folder)
    store.open_for_writing()
    jobs = jobs_for(plan, store, default_cache(), "resume")
    execute(Console(), plan, jobs, store, "process", 1)


def baseline_of(records, seeds):
    chosen = [r for r in records if is_anchor(r) or r["identity"]["seed"] in seeds]
    return baselines.make(chosen, "smoke", "unchanged", None, "now")


def is_anchor(record) -> bool:
    return record["identity"]["method"] in ANCHORS


def with_anchors(chosen, pool):
    return [*chosen, *(record for record in pool if is_anchor(record))]


def checks_of(pool, again, count):
    """Yield what each check is called and what it found."""
    of_methods: dict[str, set[int]] = {}
    for record in pool:
        if not is_anchor(record):
            of_methods.setdefault(record["label"], set()).add(record["identity"]["seed"])
    seeds = sorted(set.intersection(*of_methods.values()))
    for folder in again:
        records, _ = Store(folder).records()
        yield (
            f"again: {folder.name}",
            compare_records(baseline_of(pool, seeds), with_anchors(records, pool), LAYERS),
        )
    for at in range(count):
        drawn = np.random.default_rng(at).permutation(seeds).tolist()
        new = drawn[OF_BASELINE : OF_BASELINE + OF_CHECK]
        chosen = [r for r in pool if not is_anchor(r) and r["identity"]["seed"] in new]
        yield (
            f"seeds {new}",
            compare_records(
                baseline_of(pool, drawn[:OF_BASELINE]), with_anchors(chosen, pool), LAYERS
            ),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", nargs="?", type=Path)
    parser.add_argument("--again", type=Path, nargs="*", default=[])
    parser.add_argument("--checks", type=int, default=28)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--seeds", default="0-2")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.train:
        train(given.train, given.seeds, given.threads)
        return
    pool, _ = Store(given.pool).records()
    total: Counter[str] = Counter()
    alarms = 0
    checks = list(checks_of(pool, given.again, given.checks))
    for name, findings in checks:
        regressed: list[Finding] = [f for f in findings if f.verdict is Verdict.REGRESSED]
        alarms += bool(regressed)
        total.update(str(f.verdict) for f in findings)
        print(f"{name}: {summary(findings)}")
        for finding in worst_first(regressed)[:3]:
            print(f"    {finding}")
    print(f"\n{len(checks)} checks, {alarms} with a false alarm; verdicts: {dict(total)}")


if __name__ == "__main__":
    main()
