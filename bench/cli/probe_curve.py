"""The verb `probe-curve`: does more data for the probes raise the leak of a trained cell?"""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.options import (
    DEFAULT_PROFILE,
    DEFAULT_RESULTS,
    DEFAULT_TASK,
    WHAT,
    CacheOption,
    PluginOption,
    ProfileOption,
    ResultsOption,
    TaskOption,
    examples,
    option,
)
from bench.cli.verbs import finish
from bench.utils.files.paths import cache_folder, results_folder

app = typer.Typer()
IMAGES = "1000,4000,16000"


@app.command(
    "probe-curve",
    epilog=examples("probe-curve", "probe-curve --method drit --images 1000,4000"),
)
def probe_curve(
    method: Annotated[
        str,
        option(
            help="Label or method of the trained cell; press2019 by default.",
            panel=WHAT,
            metavar="NAME",
        ),
    ] = "press2019",
    task: TaskOption = DEFAULT_TASK,
    profile: ProfileOption = DEFAULT_PROFILE,
    images: Annotated[
        str,
        option(
            help=f"Numbers of probe images of a domain, separated by commas; {IMAGES} by default.",
            panel=WHAT,
            metavar="NUMBERS",
        ),
    ] = IMAGES,
    seed: Annotated[
        int, option(min=0, help="Seed of the cell; 0 by default.", panel=WHAT, metavar="N")
    ] = 0,
    plugins: PluginOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
) -> None:
    """Fit the probes of a trained cell on more images: does it leak more? Nothing is trained."""
    from bench.study.probe_curve import counts_in

    counts = counts_in(images)
    from bench.contracts.registry import Registry
    from bench.records.select import Choice
    from bench.records.store import Store
    from bench.study.probe_curve import cell_with_weights, save
    from bench.study.probe_curve import probe_curve as points_of
    from bench.utils.output.console import console, print_table, say

    def work() -> int:
        out, store, cache = console(), Store(results_folder(results)), cache_folder(cache_dir)
        given = tuple(str(path.resolve()) for path in plugins or ())
        registry = Registry(plugins or ())
        choice = Choice((method,), (task,), profile, str(seed))
        cell, record = cell_with_weights(store, registry, choice, given)
        store.open_for_writing()
        points = points_of(
            cell, record, counts, store, cache, registry, lambda line: say(out, line)
        )
        heads = ("images of a domain", "what", "probe", "value", "95 % interval")
        rows = [
            (str(p.images), p.says, p.probe, f"{p.value:.3f}", f"[{p.lo:.3f}, {p.hi:.3f}]")
            for p in sorted(points, key=lambda p: (p.says, p.probe, p.images))
        ]
        print_table(out, heads, rows, f"Probe curve of {cell.name}")
        say(out, f"written: {save(points, cell, store.root)}")
        return 0

    finish(work)
