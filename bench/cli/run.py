"""The verbs that make records: `run` and `score`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bench.cli.options import (
    DEFAULT_RESULTS,
    AOption,
    BOption,
    CacheOption,
    DataRootOption,
    Engine,
    EngineOption,
    Existing,
    InceptionOption,
    JobsOption,
    MetricsOption,
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
from bench.contracts.metric import IMAGES
from bench.contracts.task import Options
from bench.utils.errors import UserError

app = typer.Typer()


@app.command(
    epilog="Examples:  python -m bench run --methods all  |  "
    "python -m bench run --methods press2019,ground-truth --profile smoke  |  "
    "python -m bench run --methods press2019 --set press2019.confusion_weight=0 --seeds 0-2  |  "
    "python -m bench run --plugin my_method.py --methods mine,copy-source --dry-run  |  "
    "python -m bench run --methods all --seeds 0-4 --shard 2/4"
)
def run(
    methods: Annotated[
        list[str] | None, typer.Option(help="Names, separated by commas; all = and the anchors.")
    ] = None,
    tasks: TasksOption = None,
    metrics: MetricsOption = None,
    profile: Annotated[str, typer.Option(help="smoke, small, medium or paper.")] = "small",
    seeds: Annotated[
        str | None, typer.Option(help="0,1,2 or 0-4; the profile's own if not given.")
    ] = None,
    jobs: JobsOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32 or bf16; the profile's own if not given.")
    ] = None,
    results: ResultsOption = DEFAULT_RESULTS,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="METHOD.FIELD=VALUE or profile.FIELD=VALUE (repeatable)."),
    ] = None,
    a: AOption = None,
    b: BOption = None,
    data_root: DataRootOption = None,
    split: SplitOption = None,
    resize: ResizeOption = None,
    skip_bad: SkipBadOption = False,
    plugins: PluginOption = None,
    inception: InceptionOption = None,
    cache_dir: CacheOption = None,
    existing: Annotated[
        Existing,
        typer.Option(help="resume: skip what has a record; retry: redo failures; fresh: redo all."),
    ] = Existing.resume,
    engine: EngineOption = Engine.process,
    cells_per_gpu: Annotated[
        int, typer.Option(min=1, help="Cells at a time on each GPU, if --jobs is not given.")
    ] = 1,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds after which a cell is given up.")
    ] = None,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, help="Seconds between checkpoints of a training.")
    ] = 30.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the last checkpoint of a finished cell.")
    ] = False,
    shard: Annotated[
        str | None, typer.Option(help="2/4: the second of four parts, for several machines.")
    ] = None,
    ignore_disk: Annotated[
        bool, typer.Option("--ignore-disk", help="Start even if the disk seems too small.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Train methods, score them, and print the leaderboard."""
    warm_up(engine, dry_run)
    from bench.plan.forecast import needs_of_run
    from bench.plan.plan import Request, default_workers, jobs_for, make_plan
    from bench.plan.shard import Shard, take
    from bench.records.store import Store
    from bench.runs.execute import execute
    from bench.runs.forecast_table import show_forecast
    from bench.utils.files.disk import require_space
    from bench.utils.output.console import console, say

    check_seeds(seeds)
    part = Shard.parse(shard) if shard is not None else None
    cache = cache_folder(cache_dir)
    request = Request(
        methods=names_in(methods) or ("all",),
        tasks=names_in(tasks) or ("avatars-glasses",),
        metrics=names_in(metrics),
        profile=profile,
        seeds=seeds or "",
        device=device,
        precision=precision or "",
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=Options(data_root, a, b, split, resize, skip_bad, cache),
        dry_run=dry_run,
    )
    store = Store(results_folder(results))
    plan = make_plan(request)
    for line in plan.left_out:
        say(console(), f"not in this run: {line}")
    if part is not None:
        whole, plan = plan, take(plan, part)
        say(console(), f"shard {part}: {len(plan.cells)} of {len(whole.cells)} cells")
        if not plan.cells:
            return
    limits: dict[str, Any] = {
        "timeout": timeout,
        "checkpoint_every": checkpoint_every,
        "keep": keep,
        "cells_per_gpu": cells_per_gpu,
    }
    wanted = jobs_for(plan, store, cache, existing.value, **limits)
    jobs = jobs or default_workers(wanted[0].cell.device, cells_per_gpu)
    if dry_run:
        show_forecast(console(), wanted, jobs)
        return
    if not ignore_disk:
        instead = "make room (`python -m bench clean`), name other folders with --results and "
        require_space(needs_of_run(plan, wanted), instead + "--cache-dir, or use --ignore-disk")
    store.open_for_writing()
    finish(lambda: execute(console(), plan, wanted, store, engine.value, jobs))


@app.command(
    epilog="Examples:  python -m bench score --metrics fd_add  |  "
    "python -m bench score --dry-run --task avatars-glasses  |  "
    "python -m bench score --name mine --images add=DIR --images remove=DIR"
)
def score(
    methods: Annotated[
        list[str] | None, typer.Option(help="Labels or methods of the records; all if not given.")
    ] = None,
    tasks: TasksOption = None,
    metrics: MetricsOption = None,
    profile: Annotated[
        str | None, typer.Option(help="That of the records (all if not given), or of the images.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="0,1,2 or 0-4; those of all records if not given.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the method that made the images is called.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=FOLDER of ready-made images, one for each test pair (repeatable); "
            f"KEY is {', '.join(IMAGES)}."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="profile.FIELD=VALUE of the images (repeatable)."),
    ] = None,
    jobs: JobsOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    a: AOption = None,
    b: BOption = None,
    data_root: DataRootOption = None,
    split: SplitOption = None,
    resize: ResizeOption = None,
    skip_bad: SkipBadOption = False,
    plugins: PluginOption = None,
    inception: InceptionOption = None,
    cache_dir: CacheOption = None,
    existing: Annotated[
        Existing,
        typer.Option(
            help="resume: what is missing or outdated; retry: what failed too; fresh: all."
        ),
    ] = Existing.retry,
    engine: EngineOption = Engine.process,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write the test pairs that images follow; score nothing."),
    ] = False,
) -> None:
    """Score finished cells again, or ready-made images; train nothing."""
    check_seeds(seeds)
    imports = bool(images) or dry_run
    if imports and (methods or seeds):
        raise UserError("--methods and --seeds choose records: leave them out with images")
    if images and not dry_run and name is None:
        raise UserError("--images: give what made them a name too, for example --name mine")
    if not imports and (settings or name is not None):
        raise UserError("--name and --set are for images: give --images, or --dry-run")
    warm_up(engine, dry_run)
    from bench.plan.plan import Request
    from bench.records.store import Store
    from bench.runs.execute import Setup
    from bench.runs.rescore import score_records
    from bench.runs.score_images import parse_folders, score_images, show_pairs
    from bench.utils.output.console import console

    cache = cache_folder(cache_dir)
    request = Request(
        methods=names_in(methods),
        tasks=names_in(tasks) or (("avatars-glasses",) if imports else ()),
        metrics=names_in(metrics),
        profile=profile or ("small" if imports else ""),
        seeds=seeds or "",
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=Options(data_root, a, b, split, resize, skip_bad, cache),
    )
    setup = Setup(
        console=console(),
        store=Store(results_folder(results)),
        cache=cache,
        existing=existing.value,
        engine=engine.value,
        workers=jobs,
    )
    folders = parse_folders(images or ())
    if dry_run:
        show_pairs(setup, request, folders)
    elif name is not None:
        finish(lambda: score_images(setup, request, name, folders))
    else:
        finish(lambda: score_records(setup, request))
