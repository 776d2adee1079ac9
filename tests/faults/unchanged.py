"""Run the whole check on unchanged code many times, to measure its rate of false alarms.

``python -m tests.faults.unchanged FOLDER [--baseline FILE] [--at-once 2] [--only WORDS]``

Each rerun is a process that trains three seeds of every method of the baseline, and runs all four
layers. FOLDER keeps the records and verdicts, so that a stopped run can continue.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from bench.check import baseline as baselines
from bench.check.check import LAYERS, Options, golden_now
from bench.check.compare import compare_records
from bench.check.findings import Verdict, exit_code
from bench.check.golden.measure import OTHER_KERNELS
from bench.check.reports import as_json
from bench.check.rerun import plan_again
from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.task import Options as Images
from bench.plan.plan import Plan, jobs_for
from bench.records.store import Store
from bench.runs.execute import execute
from bench.utils.files.paths import default_cache

SMOKE = Path("results/baselines/smoke.json")


@dataclass(frozen=True)
class Rerun:
    """The conditions of a rerun that differ from those of the baseline."""

    seeds: tuple[int, ...]
    threads: int = 1
    kernels: Mapping[str, str] = field(default_factory=dict)


def _three(first: int) -> tuple[int, int, int]:
    return first, first + 1, first + 2


RERUNS = {
    **{f"other seeds {at}": Rerun(_three(at)) for at in range(100, 160, 3)},
    **{f"same seeds {at}": Rerun(_three(at)) for at in (0, 2, 4, 7)},
    **{f"two threads, seeds {at}": Rerun(_three(at), threads=2) for at in (0, 3, 160, 163)},
    **{
        f"{kernels['ATEN_CPU_CAPABILITY']} kernels, seeds {at}": Rerun(_three(at), kernels=kernels)
        for kernels in OTHER_KERNELS
        for at in (0, 166)
    },
}


def rerun(name: str, folder: Path, path: Path) -> None:
    """Run the cells of a rerun and all layers, and write the verdicts into its folder."""
    wanted, baseline = RERUNS[name], baselines.read(path)
    options = Options(Console(quiet=True), path, folder, default_cache())
    again = plan_again(baseline, (), Images(cache=options.cache), seeds=1)
    assert again.plan is not None
    assert not again.findings, again.findings
    plan = _with(again.plan, wanted)
    store = Store(folder)
    store.open_for_writing()
    jobs = jobs_for(plan, store, options.cache, "resume")
    execute(options.console, plan, jobs, store, "inline", 1)
    findings = golden_now(options, baseline["golden"])
    findings += compare_records(baseline, store.records()[0], LAYERS)
    said = as_json(findings, exit_code(findings, lenient=True), str(path))
    (folder / "check.json").write_text(said, "utf-8")


def _with(plan: Plan, wanted: Rerun) -> Plan:
    """Return a plan with other seeds and threads. Anchors have no seed."""
    cells = {}
    for cell in plan.cells:
        for seed in (cell.seed,) if cell.method in WITHOUT_SEED else wanted.seeds:
            changed = replace(cell, seed=seed, threads=wanted.threads)
            cells[changed.id] = changed
    return replace(plan, cells=tuple(cells.values()))


def verdicts_of(name: str, folder: Path, path: Path) -> dict:
    """Return the verdicts of a rerun. Make the rerun if it does not exist yet."""
    own = folder / name.replace(", ", "-").replace(" ", "-")
    if not (own / "check.json").exists():
        own.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", __spec__.name, str(own), "--baseline", str(path)]
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"} | RERUNS[name].kernels
        with (own / "log.txt").open("w") as log:
            subprocess.run([*command, "--rerun", name], env=environment, stderr=log, check=True)
    return json.loads((own / "check.json").read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--baseline", type=Path, default=SMOKE)
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="only reruns whose name has these words")
    parser.add_argument("--rerun", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rerun:
        rerun(given.rerun, given.folder, given.baseline)
        return
    names = [name for name in RERUNS if given.only in name]
    total: Counter[str] = Counter()
    alarms = 0
    print("| rerun | exit code | verdicts |\n|---|---|---|", flush=True)
    with ThreadPoolExecutor(given.at_once) as pool:
        results = pool.map(lambda name: verdicts_of(name, given.folder, given.baseline), names)
        for name, told in zip(names, results, strict=True):
            counts = ", ".join(f"{count} {verdict}" for verdict, count in told["counts"].items())
            print(f"| {name} | {told['exit_code']} | {counts} |", flush=True)
            bad = [f for f in told["findings"] if f["verdict"] == Verdict.REGRESSED]
            for finding in bad:
                print("   ", {key: value for key, value in finding.items() if value}, flush=True)
            alarms += bool(bad)
            total.update(told["counts"])
    print(f"\n{len(names)} reruns, {alarms} with a false 'regressed'; verdicts: {dict(total)}")


if __name__ == "__main__":
    main()
