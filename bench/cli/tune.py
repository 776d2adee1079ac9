"""The verb `tune`."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.image_options import NO_OPTIONS, with_image_options
from bench.cli.options import (
    DEFAULT_PROFILE,
    DEFAULT_TASK,
    WHAT,
    WHERE,
    CacheOption,
    DeviceOption,
    DryRunOption,
    Engine,
    EngineOption,
    Existing,
    ExistingOption,
    IgnoreDiskOption,
    JobsOption,
    MethodsOption,
    PluginOption,
    PrecisionOption,
    ProfileOption,
    ProfileSettingsOption,
    TaskOption,
    TimeoutOption,
    examples,
    names_in,
    option,
    path_option,
)
from bench.cli.verbs import finish, warm_up
from bench.contracts.task import Options
from bench.utils.files.paths import cache_folder, results_folder

app = typer.Typer()
RESULTS = Path("results")


class Goal(StrEnum):
    """What a study maximises."""

    auto = "auto"
    transfer = "transfer"
    transfer_judged = "transfer_judged"
    label_only = "label-only"


@app.command(
    epilog=examples(
        "tune --trials 24",
        "tune --methods press2019,ufdn --profile smoke --trials 6 --dry-run",
        "tune --plugin my_method.py --methods mine --trials 24 --write",
        note="docs/protocol.md states the rule.",
    )
)
@with_image_options
def tune(
    methods: MethodsOption = None,
    task: TaskOption = DEFAULT_TASK,
    profile: ProfileOption = DEFAULT_PROFILE,
    trials: Annotated[
        int, option(min=1, help="Trials of each method; 24 by default.", panel=WHAT, metavar="N")
    ] = 24,
    objective: Annotated[
        Goal,
        option(
            help="What the winner has most of, on val: transfer, transfer_judged or label-only "
            "(nothing but the domain is known); auto (default): the first that the task has.",
            panel=WHAT,
        ),
    ] = Goal.auto,
    settings: ProfileSettingsOption = None,
    plugins: PluginOption = None,
    options: Options = NO_OPTIONS,
    results: Annotated[
        Path,
        path_option(
            "--results",
            help=f"Folder whose folder studies gets the trials and the table; {RESULTS} by "
            "default.",
            panel=WHERE,
        ),
    ] = RESULTS,
    cache_dir: CacheOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    jobs: JobsOption = None,
    write: Annotated[
        bool,
        option(
            "--write",
            help="Make the winners the tuned configurations of the suite; by default they stay "
            "beside the table.",
            panel=WHERE,
        ),
    ] = False,
    dry_run: DryRunOption = False,
    existing: ExistingOption = Existing.resume,
    timeout: TimeoutOption = None,
    ignore_disk: IgnoreDiskOption = False,
    engine: EngineOption = Engine.process,
) -> None:
    """Search the configurations of methods on val, with equal trials and FLOPs for each."""
    warm_up(engine, dry_run)
    from bench.plan.plan import Plan, Request, default_workers, jobs_for
    from bench.records.store import Store
    from bench.runs.execute import execute
    from bench.runs.forecast_table import show_forecast
    from bench.runs.prepare import open_results
    from bench.study.confirm import expected_plan, run_study
    from bench.study.tune import (
        finish_study,
        plan_study,
        require_same_source,
        show_trials,
        with_terms,
    )
    from bench.utils.errors import Exit
    from bench.utils.output.console import console, say

    cache = cache_folder(cache_dir)
    request = Request(
        methods=names_in(methods) or ("all",),
        tasks=(task,),
        profile=profile,
        device=device,
        precision=precision or "",
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        options=replace(options, cache=cache),
        dry_run=dry_run,
    )
    study = plan_study(request, trials, objective.value)
    store = Store(results_folder(results) / "studies" / study.name)
    study = with_terms(study, store, write)
    for line in study.plan.left_out:
        say(console(), f"not in this study: {line}")
    show_trials(console(), study)
    whole, known = expected_plan(study, store, cache)
    if existing != Existing.fresh:
        require_same_source(whole, store)
    wanted = jobs_for(whole, store, cache, existing.value, timeout=timeout)
    workers = jobs or default_workers(wanted[0].cell.device)
    if dry_run:
        show_forecast(console(), wanted, workers)
        if not known:
            say(console(), "which trials are confirmed is not known yet: the first stand for them")
        return
    open_results(store, whole, wanted, ignore_disk)

    def run_cells(plan: Plan) -> None:
        left = jobs_for(plan, store, cache, existing.value, timeout=timeout)
        execute(console(), plan, left, store, engine.value, workers, publish=False)

    def work() -> int:
        outcomes, criteria = run_study(console(), study, store, cache, run_cells)
        without = finish_study(console(), study, store, outcomes, criteria, write)
        return int(Exit.CELL_FAILED if without else Exit.FINE)

    finish(work)
