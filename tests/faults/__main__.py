"""Plant each fault in turn, and print what finds it and how long that takes.

``python -m tests.faults [BASELINE] [--only WORDS] [--records DIR]``. The golden layer runs first.
If it does not find a fault, the smoke cells run with the fault, and the other layers compare their
records. With --records this happens for all faults. For the faults in `FOUND_BY_TEST`, the check of
their test runs instead.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from rich.console import Console

from bench.check import baseline as baselines
from bench.check.check import LAYERS, RECORD_LAYERS, Options, golden_now, run_cells
from bench.check.compare import compare_records
from bench.check.findings import Verdict, worst_first
from bench.records.store import Store
from bench.utils.files.paths import default_cache

from . import FOUND_BY_TEST, PLANTED, planted

FOUND = (Verdict.FAILED, Verdict.REGRESSED, Verdict.NOT_COMPARABLE)


def findings_of(options: Options, baseline, layers) -> list:
    if layers == ("golden",):
        return golden_now(options, baseline["golden"])
    baseline, apart = run_cells(options, baseline, jobs=1, engine="inline")
    return apart + compare_records(baseline, Store(options.results).records()[0], layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("baseline", nargs="?", default="results/baselines/smoke.json")
    parser.add_argument("--only", default="", help="plant only faults whose name has these words")
    parser.add_argument("--records", type=Path, help="run the cells under each fault in here")
    given = parser.parse_args()
    baseline = baselines.read(Path(given.baseline))
    print("| fault | found by | numbers | the worst | CPU s | s |")
    print("|---|---|---|---|---|---|", flush=True)
    found = 0
    for name in ("none", *PLANTED):
        if given.only not in name:
            continue
        if name in FOUND_BY_TEST:
            start = time.perf_counter(), time.process_time()
            with planted(name):
                noticed = not FOUND_BY_TEST[name]()
            wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
            by = "test" if noticed else "**nothing**"
            print(f"| {name} | {by} | {int(noticed)} |  | {cpu:.0f} | {wall:.0f} |", flush=True)
            found += noticed
            continue
        folder = (given.records or Path("/tmp/faults")) / name.replace(" ", "-")
        options = Options(Console(quiet=True), Path(given.baseline), folder, default_cache())
        start = time.perf_counter(), time.process_time()
        layers = [RECORD_LAYERS] if given.records else [("golden",), RECORD_LAYERS]
        bad = []
        for some in layers[: 1 if name == "none" and not given.records else 2]:
            if name == "none":
                told = findings_of(options, baseline, some)
            else:
                with planted(name):
                    told = findings_of(options, baseline, some)
            bad = [f for f in told if f.verdict in FOUND]
            if bad:
                break
        wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        count = Counter(str(f.layer) for f in bad)
        by = ", ".join(layer for layer in LAYERS if layer in count) or "**nothing**"
        worst = worst_first(bad)[0] if bad else None
        what = ""
        if worst:
            change = f"{worst.number} {worst.base} -> {worst.now}" if worst.now else worst.said
            what = f"{worst.row}: {change}"
        found += bool(bad) and name != "none"
        print(f"| {name} | {by} | {len(bad)} | {what} | {cpu:.0f} | {wall:.0f} |", flush=True)
    print(f"\nfound {found} of {len(PLANTED)}")


if __name__ == "__main__":
    main()
