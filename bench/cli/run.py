"""The verb `run`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from bench.cli.image_options import NO_OPTIONS, with_image_options
from bench.cli.options import (
    DEFAULT_PROFILE,
    DEFAULT_RESULTS,
    DEFAULT_TASK,
    LIMITS,
    SCALE,
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
    InceptionOption,
    JobsOption,
    MethodsOption,
    MetricsOption,
    PluginOption,
    PrecisionOption,
    ProfileOption,
    ResultsOption,
    TasksOption,
    TimeoutOption,
    check_seeds,
    examples,
    names_in,
    option,
)
from bench.cli.verbs import check_engine, finish, warm_up
from bench.contracts.task import Options
from bench.utils.files.paths import cache_folder, results_folder

app = typer.Typer()


@app.command(
    epilog=examples(
        "run --methods all",
        "run --methods press2019,ground-truth --profile smoke",
        "run --methods press2019 --set press2019.confusion_weight=0 --seeds 0-2",
        "run --plugin my_method.py --methods mine,copy-source --dry-run",
        "run --methods all --seeds 0-4 --shard 2/4",
    )
)
@with_image_options
def run(
    methods: MethodsOption = None,
    tasks: TasksOption = None,
    metrics: MetricsOption = None,
    profile: ProfileOption = DEFAULT_PROFILE,
    seeds: Annotated[
        str | None,
        option(
            help="Seeds, as in 0,1,2 or 0-4; those of the profile by default.",
            panel=WHAT,
            metavar="SEEDS",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        option(
            "--set",
            help="METHOD.FIELD=VALUE or profile.FIELD=VALUE (repeatable); nothing is changed by "
            "default.",
            panel=WHAT,
            metavar="SETTING",
        ),
    ] = None,
    configuration: Annotated[
        str | None,
        option(
            help="tuned: the winners of tuning studies; published: the values of the papers; both. "
            "By default tuned, in profile paper published.",
            panel=WHAT,
            metavar="KIND",
        ),
    ] = None,
    plugins: PluginOption = None,
    inception: InceptionOption = None,
    options: Options = NO_OPTIONS,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = None,
    jobs: JobsOption = None,
    dry_run: DryRunOption = False,
    existing: ExistingOption = Existing.resume,
    timeout: TimeoutOption = None,
    checkpoint_every: Annotated[
        float,
        option(
            min=0,
            help="Seconds between the checkpoints of a training; 30 by default.",
            panel=LIMITS,
            metavar="SECONDS",
        ),
    ] = 30.0,
    keep: Annotated[
        bool,
        option(
            "--keep",
            help="Keep the last checkpoint of a finished cell; removed by default.",
            panel=LIMITS,
        ),
    ] = False,
    tensorboard: Annotated[
        bool,
        option(
            "--tensorboard",
            help="Write the losses of trainings to the folder tensorboard of the results folder; "
            "off by default.",
            panel=WHERE,
        ),
    ] = False,
    ignore_disk: IgnoreDiskOption = False,
    shard: Annotated[
        str | None,
        option(
            help="Run one part of the cells: 2/4 is the second of four; all by default.",
            panel=SCALE,
            metavar="I/N",
        ),
    ] = None,
    engine: EngineOption = Engine.process,
    cells_per_gpu: Annotated[
        int,
        option(
            min=1,
            help="Cells at a time on each GPU, unless --jobs is given; 1 by default.",
            panel=SCALE,
            metavar="N",
        ),
    ] = 1,
) -> None:
    """Train methods, score them, and print the leaderboard."""
    check_engine(engine)
    something_is_new = existing is Existing.fresh or not os.path.isdir(results / "records")
    if something_is_new:
        warm_up(engine, dry_run)
    from bench.plan.plan import Request
    from bench.plan.shard import Shard
    from bench.records.store import Store
    from bench.runs.forecast_table import show_forecast
    from bench.runs.prepare import open_results, prepare_run
    from bench.runs.tensorboard import require_tensorboard
    from bench.utils.output.console import console

    check_seeds(seeds)
    if tensorboard:
        require_tensorboard()
    part = Shard.parse(shard) if shard is not None else None
    cache = cache_folder(cache_dir)
    request = Request(
        methods=names_in(methods) or ("all",),
        tasks=names_in(tasks) or (DEFAULT_TASK,),
        metrics=names_in(metrics),
        profile=profile,
        seeds=seeds or "",
        device=device,
        precision=precision or "",
        settings=tuple(settings or ()),
        configuration="" if configuration is None else configuration,
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=replace(options, cache=cache),
        dry_run=dry_run,
    )
    prepared = prepare_run(
        console(),
        request,
        Store(results_folder(results)),
        cache,
        existing=existing.value,
        engine=engine.value,
        workers=jobs,
        shard=part,
        cells_per_gpu=cells_per_gpu,
        timeout=timeout,
        checkpoint_every=checkpoint_every,
        keep=keep,
    )
    if not prepared.jobs:
        return
    if prepared.has_work:
        warm_up(engine, dry_run)
    if dry_run:
        show_forecast(console(), prepared.jobs, prepared.workers)
        return
    open_results(prepared.store, prepared.plan, prepared.jobs, ignore_disk)
    finish(lambda: prepared.execute(console(), tensorboard))
