"""What the harness itself costs, beside training and evaluation.

``python -m tests.benchmarks.harness grid`` plans and skips hundreds and thousands of finished cells
of a trivial method. ``overhead`` runs one cell of a profile. It prints how much time was neither
training nor artefacts nor scores, and what a checkpoint costs. ``workers`` runs the same cells one
and two at a time. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cell.checkpoint import Checkpoint
from bench.cell.training import build
from bench.contracts.method import Batch
from bench.contracts.registry import Registry
from bench.contracts.task import Spec
from bench.plan.configure import fixed_config
from bench.plan.plan import Plan, Request, jobs_for, make_plan, stale
from bench.plan.profiles import choose_profile
from bench.records.read import read_record
from bench.records.store import Store
from bench.utils.files.sealed import write_sealed

TRIVIAL = ("profile.budget_tflops=0.001", "profile.train_images=64", "profile.probe_images=64",
           "profile.test_images=32", "autoencoder.width=4", "autoencoder.batch_size=4")  # fmt: skip
TRIVIAL_RUN = ("run", "--methods", "autoencoder", "--profile", "smoke",
               *(word for setting in TRIVIAL for word in ("--set", setting)))  # fmt: skip
SECONDS_BETWEEN_CHECKPOINTS = 30


def bench(*words: object) -> tuple[float, float, float]:
    """Run the command line; return its wall and CPU seconds and its peak memory in MB.

    Workers count for the first alone.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, words)], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench {' '.join(map(str, words))}: exit code {process.returncode}")
    wall = time.perf_counter() - start
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def grid(counts: Sequence[int]) -> None:
    """Print what planning and skipping so many finished cells takes."""
    print("| finished cells | plan and skip, CPU s | the command, CPU s | peak memory, MB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "one"
        bench(*TRIVIAL_RUN, "--results", first)
        for count in counts:
            results = Path(folder) / str(count)
            plan = plan_of(count)
            fill(Store(results), plan, read_record(Store(first).record_path(plan.cells[0])))
            start = time.process_time()
            plan, store = plan_of(count), Store(results)
            jobs = jobs_for(plan, store, Path(folder), "resume")
            outdated = stale(plan, store)
            seconds = time.process_time() - start
            assert not outdated
            assert all(job.todo == "nothing" for job in jobs)
            _, cpu, memory = bench(*TRIVIAL_RUN, "--seeds", f"0-{count - 1}", "--results", results)
            print(f"| {count} | {seconds:.2f} | {cpu:.1f} | {memory:.0f} |")


def plan_of(count: int) -> Plan:
    """Return a plan of so many cells of a trivial method, one for each seed."""
    return make_plan(
        Request(("autoencoder",), profile="smoke", settings=TRIVIAL, seeds=f"0-{count - 1}")
    )


def fill(store: Store, plan: Plan, record: Any) -> None:
    """Write the record of each cell of a plan, with the numbers of the one that was run."""
    for cell in plan.cells:
        write_sealed(store.record_path(cell), record | {"id": cell.id, "identity": cell.identity})


def overhead(profile: str) -> None:
    """Print the share of a cell's time that is the harness's own."""
    with tempfile.TemporaryDirectory() as folder:
        wall, _, _ = bench(
            "run", "--methods", "autoencoder", "--profile", profile, "--jobs", 1,
            "--results", folder,
        )  # fmt: skip
        records, _ = Store(Path(folder)).records()
        (parts,) = [record["timings"] for record in records]
    work = sum(seconds for stage, seconds in parts.items() if stage != "load")
    print(f"one cell of {profile}: {wall:.1f} s, of which {work:.1f} s train, encode and score: ")
    print(f"{wall - work:.1f} s or {1 - work / wall:.1%} are the harness's (imports included)")
    print("| method | checkpoint, CPU ms | of training, every 30 s |")
    print("|---|---|---|")
    for plugin in Registry().all("method"):
        seconds = _checkpoint_seconds(plugin.name, profile)
        share = seconds / SECONDS_BETWEEN_CHECKPOINTS
        print(f"| {plugin.name} | {1000 * seconds:.0f} | {share:.2%} |")


def _checkpoint_seconds(name: str, profile: str) -> float:
    import torch

    torch.set_num_threads(1)
    plugin, size = Registry().find("method", name), choose_profile(profile).size
    config = plugin.load().Config(**fixed_config(plugin))
    method = build(plugin.load(), Spec(size, kinds=5), config, 0)
    images = [torch.rand(config.batch_size, 3, size, size) for _ in range(2)]
    kinds = [torch.zeros(config.batch_size, dtype=torch.int64) for _ in images]
    method.training_step(Batch(images, kinds))  # so that the optimisers have a state
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder) / "checkpoint.safetensors", "", 0)
        checkpoint.save(method, 1, {})
        start = time.process_time()
        for _ in range(5):
            checkpoint.save(method, 1, {})
        return (time.process_time() - start) / 5


def workers(tflops: float, seeds: int) -> None:
    """Print how much sooner the same cells are done by two workers, and that they are the same."""
    took, numbers = {}, {}
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            took[jobs], _, _ = bench(
                "run", "--methods", "autoencoder,press2019", "--profile", "smoke",
                "--set", f"profile.budget_tflops={tflops}", "--seeds", f"0-{seeds - 1}",
                "--jobs", jobs, "--results", folder,
            )  # fmt: skip
            records, _ = Store(Path(folder)).records()
        numbers[jobs] = {
            (record["id"], name): entry["value"]
            for record in records
            for name, entry in record["metrics"].items()
            if entry["family"] != "cost"
        }
    assert numbers[1] == numbers[2]
    print(f"{2 * seeds} cells of {tflops} TFLOPs: one worker {took[1]:.0f} s, two {took[2]:.0f} s,")
    print(f"{took[1] / took[2]:.2f} times as fast; {len(numbers[1])} numbers equal to the last bit")


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.harness", description=__doc__)
    parser.add_argument("what", choices=("grid", "overhead", "workers"))
    parser.add_argument("--cells", default="1,100,1000", help="grid: how many are finished")
    parser.add_argument("--profile", default="small", help="overhead: of which profile")
    parser.add_argument("--tflops", type=float, default=2.0, help="workers: training of a cell")
    parser.add_argument("--seeds", type=int, default=2, help="workers: seeds of each method")
    given = parser.parse_args(words)
    if given.what == "grid":
        grid([int(count) for count in given.cells.split(",")])
    elif given.what == "overhead":
        overhead(given.profile)
    else:
        workers(given.tflops, given.seeds)


if __name__ == "__main__":
    main()
