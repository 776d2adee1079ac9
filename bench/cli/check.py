"""The verbs `check` and `baseline`: has anything become worse?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.image_options import NO_OPTIONS, with_image_options
from bench.cli.options import (
    DEFAULT_PROFILE,
    DEFAULT_RESULTS,
    REPORTS,
    WHAT,
    WHERE,
    CacheOption,
    ChooseMethodsOption,
    ChooseSeedsOption,
    ChooseTasksOption,
    Engine,
    JobsOption,
    PluginOption,
    ResultsOption,
    check_seeds,
    examples,
    names_in,
    option,
    path_in,
    path_option,
)
from bench.cli.verbs import finish, warm_up
from bench.contracts.task import Options
from bench.utils.files.paths import cache_folder, results_folder

app = typer.Typer()
DEFAULT_BASELINE = Path("results/baselines/smoke.json")


COMPARED = "What is compared"


def _folder(text: str | Path) -> Path:
    return path_in(text, "DIR")


def _baseline_file(text: str | Path) -> Path:
    return path_in(text, "the baseline")


@app.command(
    epilog=examples(
        "check",
        "check --run --lenient",
        "check base.json --results results/local --junit check.xml",
        note="Exit codes: 0 pass, 1 regressed, 2 wrong use, 3 a cell failed, 4 not comparable or "
        "inconclusive.",
    )
)
@with_image_options
def check(
    baseline: Annotated[
        Path | None,
        typer.Argument(
            help=f"File of the baseline; {DEFAULT_BASELINE} by default.",
            metavar="BASELINE",
            parser=_baseline_file,
        ),
    ] = None,
    run_first: Annotated[
        bool,
        option(
            "--run",
            help="First run the cells of the baseline again, with three seeds each; off by "
            "default.",
            panel=COMPARED,
        ),
    ] = False,
    layers: Annotated[
        list[str] | None,
        option(
            help="exact, golden, ordering, statistical, separated by commas; all by default.",
            panel=COMPARED,
            metavar="NAMES",
        ),
    ] = None,
    lenient: Annotated[
        bool,
        option(
            "--lenient",
            help="Exit with 0 where a comparison is inconclusive; with 4 by default.",
            panel=COMPARED,
        ),
    ] = False,
    ab: Annotated[
        str | None,
        option(
            "--ab",
            metavar="REV",
            panel=COMPARED,
            help="Compare only speed, with that of a git revision; not compared by default.",
        ),
    ] = None,
    plugins: PluginOption = None,
    options: Options = NO_OPTIONS,
    results: Annotated[
        Path | None,
        path_option(
            "--results",
            help="Folder of the records; results/local by default, and results/local/check with "
            "--run.",
            panel=WHERE,
        ),
    ] = None,
    cache_dir: CacheOption = None,
    jobs: JobsOption = None,
    json_file: Annotated[
        Path | None,
        path_option(
            "--json",
            help="File for all verdicts as JSON; not written by default.",
            panel=REPORTS,
            metavar="FILE",
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        path_option(
            "--junit",
            help="File for the verdicts as JUnit XML; not written by default.",
            panel=REPORTS,
            metavar="FILE",
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        path_option(
            "--markdown",
            help="File for a Markdown summary; not written by default.",
            panel=REPORTS,
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Compare records and code with a baseline: has anything become worse?"""
    if run_first:
        warm_up(Engine.process, dry_run=False)
    from bench.check.check import LAYERS, Reports, check_speed
    from bench.check.check import Options as CheckOptions
    from bench.check.check import check as compare
    from bench.utils.output.console import console

    setup = CheckOptions(
        console=console(),
        path=baseline or DEFAULT_BASELINE,
        results=results_folder(results or DEFAULT_RESULTS / ("check" if run_first else "")),
        cache=cache_folder(cache_dir),
        plugins=tuple(plugins or ()),
        said=options,
    )
    reports = Reports(json_file, junit, markdown)
    if ab is not None:
        finish(lambda: check_speed(setup, ab, lenient, reports))
    wanted = names_in(layers) or LAYERS
    finish(lambda: compare(setup, wanted, lenient, reports, run_first, jobs))


@app.command(
    epilog=examples(
        "baseline --profile smoke --results results/local --reason 'first numbers'",
    )
)
def baseline(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="File to write; results/baselines/PROFILE.json by default.",
            metavar="FILE",
            parser=_baseline_file,
        ),
    ] = None,
    methods: ChooseMethodsOption = None,
    tasks: ChooseTasksOption = None,
    profile: Annotated[
        str,
        option(
            help=f"Profile of the records; {DEFAULT_PROFILE} by default.",
            panel=WHAT,
            metavar="NAME",
        ),
    ] = DEFAULT_PROFILE,
    seeds: ChooseSeedsOption = None,
    plugins: PluginOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
    reason: Annotated[
        str,
        option(
            help="Why the baseline is written, to be kept in it; empty by default.",
            panel=REPORTS,
            metavar="TEXT",
        ),
    ] = "",
    golden: Annotated[
        bool,
        option(help="Measure golden numbers of the present code; on by default.", panel=REPORTS),
    ] = True,
) -> None:
    """Write what records say to a baseline, for `check` to compare with."""
    # golden numbers need two threads, which would otherwise busy-wait on a loaded machine
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    check_seeds(seeds)
    from bench.check.check import Options as CheckOptions
    from bench.check.check import write_baseline
    from bench.records.select import Choice
    from bench.utils.output.console import console

    choice = Choice(names_in(methods), names_in(tasks), seeds=seeds or "")
    setup = CheckOptions(
        console=console(),
        path=file or DEFAULT_BASELINE.with_name(f"{profile}.json"),
        results=results_folder(results),
        cache=cache_folder(cache_dir),
        plugins=tuple(plugins or ()),
    )
    finish(lambda: write_baseline(setup, profile, choice, reason, golden))


@app.command(
    "submit-check",
    epilog=examples(
        "submit-check results/local",
        "submit-check results/local --plugin my_method.py",
        note="Exit codes: 0 the records can be sent, 1 something must be mended, 2 wrong use. "
        "docs/submitting.md has the steps.",
    ),
)
def submit_check(
    folder: Annotated[
        Path,
        typer.Argument(
            help="The results folder whose records are to be added.", metavar="DIR", parser=_folder
        ),
    ],
    against: Annotated[
        Path | None,
        path_option(
            "--against",
            help="The results folder of the board; that of the suite by default.",
            panel=WHAT,
        ),
    ] = None,
    plugins: PluginOption = None,
) -> None:
    """Verify records that someone wants to add to a board."""
    from bench.check.submission import check_submission
    from bench.utils.files.paths import COMMITTED
    from bench.utils.output.console import console

    board = results_folder(against or COMMITTED)
    finish(lambda: int(check_submission(console(), results_folder(folder), board, plugins or ())))
