"""The verbs that tell whether anything has become worse: `check` and `baseline`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    DEFAULT_RESULTS,
    AOption,
    BOption,
    CacheOption,
    DataRootOption,
    Engine,
    JobsOption,
    PluginOption,
    ResizeOption,
    ResultsOption,
    SkipBadOption,
    SplitOption,
    TasksOption,
    cache_folder,
    check_seeds,
    finish,
    names_in,
    results_folder,
    warm_up,
)

app = typer.Typer()
DEFAULT_BASELINE = Path("results/baselines/smoke.json")


@app.command(
    epilog="Examples:  python -m bench check  |  python -m bench check --run --lenient  |  "
    "python -m bench check base.json --results results/local --junit check.xml  |  "
    "Exit codes: 0 pass, 1 regressed, 2 wrong use, 3 a cell failed, 4 not comparable or "
    "inconclusive."
)
def check(
    baseline: Annotated[
        Path | None, typer.Argument(help="The baseline; results/baselines/smoke.json if not given.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            help="Folder of the records; results/local, or with --run results/local/check.",
        ),
    ] = None,
    run_first: Annotated[
        bool,
        typer.Option(
            "--run", help="First run the cells of the baseline anew, three seeds of each."
        ),
    ] = False,
    jobs: JobsOption = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="exact, golden, ordering, statistical; all if not given."),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Inconclusive is fine: exit code 0.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all verdicts as JSON to this file.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write JUnit XML to this file.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write a Markdown summary to this file.")
    ] = None,
    ab: Annotated[
        str | None,
        typer.Option("--ab", metavar="REV", help="Only compare speed, with this git revision."),
    ] = None,
    a: AOption = None,
    b: BOption = None,
    data_root: DataRootOption = None,
    split: SplitOption = None,
    resize: ResizeOption = None,
    skip_bad: SkipBadOption = False,
    plugins: PluginOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Compare records and code with a baseline: has anything become worse?"""
    if run_first:
        warm_up(Engine.process, dry_run=False)
    from bench.check.check import LAYERS, Options, Reports, check_speed
    from bench.check.check import check as compare
    from bench.contracts.task import Options as Said
    from bench.utils.output.console import console

    options = Options(
        console=console(),
        path=baseline or DEFAULT_BASELINE,
        results=results_folder(results or DEFAULT_RESULTS / ("check" if run_first else "")),
        cache=cache_folder(cache_dir),
        plugins=tuple(plugins or ()),
        said=Said(data_root, a, b, split, resize, skip_bad),
    )
    reports = Reports(json_file, junit, markdown)
    if ab is not None:
        finish(lambda: check_speed(options, ab, lenient, reports))
    wanted = names_in(layers) or LAYERS
    finish(lambda: compare(options, wanted, lenient, reports, run_first, jobs))


@app.command(
    epilog="Example:  python -m bench baseline --profile smoke --results results/local "
    "--reason 'first numbers'"
)
def baseline(
    file: Annotated[
        Path | None, typer.Argument(help="Where; results/baselines/PROFILE.json if not given.")
    ] = None,
    results: ResultsOption = DEFAULT_RESULTS,
    profile: Annotated[str, typer.Option(help="Which records: those of this profile.")] = "small",
    methods: Annotated[
        list[str] | None, typer.Option(help="Labels or methods; all of the records if not given.")
    ] = None,
    tasks: TasksOption = None,
    seeds: Annotated[str | None, typer.Option(help="0,1,2 or 0-4; all if not given.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is written; the baseline keeps it.")] = "",
    golden: Annotated[bool, typer.Option(help="Make golden numbers of the code as it is.")] = True,
    plugins: PluginOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Write down what records say, for `check` to compare with."""
    # golden numbers are also made with two threads: on a busy machine these would spin for minutes
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    check_seeds(seeds)
    from bench.check.check import Options, write_baseline
    from bench.records.select import Choice
    from bench.utils.output.console import console

    choice = Choice(names_in(methods), names_in(tasks), seeds=seeds or "")
    options = Options(
        console=console(),
        path=file or DEFAULT_BASELINE.with_name(f"{profile}.json"),
        results=results_folder(results),
        cache=cache_folder(cache_dir),
        plugins=tuple(plugins or ()),
    )
    finish(lambda: write_baseline(options, profile, choice, reason, golden))
