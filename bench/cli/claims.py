"""The verb `claims`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.image_options import DataRootOption, image_options
from bench.cli.options import (
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
    MetricsOption,
    PluginOption,
    PrecisionOption,
    ProfileSettingsOption,
    check_seeds,
    examples,
    names_in,
    option,
    path_option,
)
from bench.cli.verbs import finish, warm_up
from bench.utils.errors import UserError
from bench.utils.files.paths import cache_folder, results_folder

app = typer.Typer()
DEFAULT_RESULTS = Path("results/claims")


@app.command(
    epilog=examples(
        "claims --dry-run",
        "claims --only confusion-0.05-leak,zero-code-face",
        "claims --judge-only --results results/claims",
        "claims --claims mine.toml --plugin my_method.py",
    )
)
def claims(
    only: Annotated[
        list[str] | None,
        option(
            help="Ids of claims, separated by commas; all by default.", panel=WHAT, metavar="IDS"
        ),
    ] = None,
    file: Annotated[
        Path | None,
        path_option(
            "--claims",
            help="A file of claims; bench/study/claims.toml by default.",
            panel=WHAT,
            metavar="FILE",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        option(
            help="Seeds of all claims, as in 0,1,2 or 0-4; those of each claim by default.",
            panel=WHAT,
            metavar="SEEDS",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        option(
            help="The profile of all claims; that of each claim by default.",
            panel=WHAT,
            metavar="NAME",
        ),
    ] = None,
    settings: ProfileSettingsOption = None,
    metrics: MetricsOption = None,
    plugins: PluginOption = None,
    data_root: DataRootOption = None,
    results: Annotated[
        Path,
        path_option(
            "--results",
            help=f"Folder of records, verdicts and leaderboard; {DEFAULT_RESULTS} by default.",
            panel=WHERE,
        ),
    ] = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    jobs: JobsOption = None,
    dry_run: DryRunOption = False,
    judge_only: Annotated[
        bool,
        option(
            "--judge-only",
            help="Judge the records that exist and run nothing; off by default.",
            panel=WHERE,
        ),
    ] = False,
    existing: ExistingOption = Existing.resume,
    ignore_disk: IgnoreDiskOption = False,
    engine: EngineOption = Engine.process,
) -> None:
    """Test the claims of the field: run the cells that they need, and judge each claim."""
    warm_up(engine, dry_run or judge_only)
    from bench.contracts.registry import Registry
    from bench.plan.plan import Request, default_workers, jobs_for
    from bench.records.store import Store
    from bench.runs.execute import execute
    from bench.runs.forecast_table import show_forecast
    from bench.runs.prepare import open_results
    from bench.study.claim_cells import plan_claims, records_of
    from bench.study.claim_report import report
    from bench.study.claims import read_claims
    from bench.study.verdict import judge
    from bench.utils.output.console import console

    check_seeds(seeds)
    if dry_run and judge_only:
        raise UserError("--dry-run and --judge-only: expected one of them, both run nothing")
    for text in settings or ():
        if not text.strip().startswith("profile."):
            raise UserError(
                f"--set '{text}': expected profile.FIELD=VALUE; a claim sets the fields of methods"
            )
    files = tuple(plugins or ())
    chosen = read_claims(
        Registry(files),
        file,
        only=names_in(only),
        seeds=seeds or "",
        profile=profile or "",
        settings=tuple(settings or ()),
    )
    cache = cache_folder(cache_dir)
    store = Store(results_folder(results))
    planned = plan_claims(
        chosen,
        Request(
            metrics=names_in(metrics),
            device=device,
            precision=precision or "",
            plugins=files,
            options=replace(image_options(data_root=data_root), cache=cache),
            dry_run=dry_run or judge_only,
        ),
    )

    def judge_records() -> None:
        found = {row: records_of(cells, store) for row, cells in planned.cells.items()}
        report(console(), judge(chosen, found, planned.plan.registry.infos()), store.root)

    if judge_only:
        store.require_records()
        judge_records()
        return
    wanted = jobs_for(planned.plan, store, cache, existing.value)
    on_gpu = any(job.cell.device == "cuda" for job in wanted)
    jobs = jobs or default_workers("cuda" if on_gpu else "cpu")
    if dry_run:
        show_forecast(console(), wanted, jobs)
        return
    open_results(store, planned.plan, wanted, ignore_disk)

    def run_and_judge() -> int:
        code = execute(console(), planned.plan, wanted, store, engine.value, jobs)
        judge_records()
        return code

    finish(run_and_judge)
