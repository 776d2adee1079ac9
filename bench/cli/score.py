"""The verbs that score without training: `score`, `score-images` and `pairs`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from bench.cli.image_options import NO_OPTIONS, with_image_options
from bench.cli.options import (
    DEFAULT_PROFILE,
    DEFAULT_RESULTS,
    DEFAULT_TASK,
    WHAT,
    WHERE,
    AgainOption,
    CacheOption,
    ChooseMethodsOption,
    ChooseSeedsOption,
    ChooseTasksOption,
    Engine,
    EngineOption,
    Existing,
    InceptionOption,
    JobsOption,
    MetricsOption,
    PluginOption,
    ProfileOption,
    ProfileSettingsOption,
    ResultsOption,
    TaskOption,
    check_seeds,
    examples,
    names_in,
    option,
)
from bench.cli.verbs import finish, warm_up
from bench.contracts.metric import IMAGES
from bench.contracts.task import Options
from bench.utils.errors import UserError
from bench.utils.files.paths import cache_folder, results_folder

app = typer.Typer()
MOVED = "This option is now that of another verb."


@app.command(
    epilog=examples(
        "score",
        "score --metrics fd_add",
        "score --methods press2019 --existing fresh",
        "score --test-seed 7",
    )
)
@with_image_options
def score(
    methods: ChooseMethodsOption = None,
    tasks: ChooseTasksOption = None,
    metrics: MetricsOption = None,
    profile: Annotated[
        str | None,
        option(help="Profile of the records; all by default.", panel=WHAT, metavar="NAME"),
    ] = None,
    seeds: ChooseSeedsOption = None,
    plugins: PluginOption = None,
    inception: InceptionOption = None,
    options: Options = NO_OPTIONS,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
    jobs: JobsOption = None,
    existing: AgainOption = Existing.retry,
    engine: EngineOption = Engine.process,
    name: Annotated[str | None, typer.Option(hidden=True, help=MOVED)] = None,
    images: Annotated[list[str] | None, typer.Option(hidden=True, help=MOVED)] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", hidden=True, help=MOVED)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", hidden=True, help=MOVED)] = False,
) -> None:
    """Score finished cells again, from what they left on disk. Nothing is trained."""
    if dry_run:
        raise UserError("`python -m bench pairs` writes the test pairs: `score` has no --dry-run")
    if name is not None or images or settings:
        raise UserError(
            "`python -m bench score-images --name NAME --images KEY=DIR` scores images: `score` "
            "has no --name, --images and --set"
        )
    check_seeds(seeds)
    warm_up(engine, dry_run=False)
    from bench.plan.plan import Request
    from bench.records.store import Store
    from bench.runs.execute import Setup
    from bench.runs.fresh_test import score_fresh_test
    from bench.runs.rescore import score_records
    from bench.utils.output.console import console

    cache = cache_folder(cache_dir)
    request = Request(
        methods=names_in(methods),
        tasks=names_in(tasks),
        metrics=names_in(metrics),
        profile=profile or "",
        seeds=seeds or "",
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=replace(options, cache=cache),
    )
    setup = Setup(
        console=console(),
        store=Store(results_folder(results)),
        cache=cache,
        existing=existing.value,
        engine=engine.value,
        workers=jobs,
    )
    score_them = score_records if options.test_seed is None else score_fresh_test
    finish(lambda: score_them(setup, request))


@app.command(
    "score-images",
    epilog=examples(
        "pairs --task avatars-glasses",
        "score-images --name mine --images add=DIR --images remove=DIR --dry-run",
        "score-images --name mine --images add=DIR --images remove=DIR",
    ),
)
@with_image_options
def score_images(
    name: Annotated[
        str,
        option(help="Name of the method that made the images; needed.", panel=WHAT, metavar="NAME"),
    ],
    images: Annotated[
        list[str],
        option(
            help="KEY=DIR (repeatable), a folder with one image for each test pair; KEY is "
            f"{', '.join(IMAGES)}; at least one is needed.",
            panel=WHAT,
            metavar="KEY=DIR",
        ),
    ],
    task: TaskOption = DEFAULT_TASK,
    metrics: MetricsOption = None,
    profile: ProfileOption = DEFAULT_PROFILE,
    settings: ProfileSettingsOption = None,
    plugins: PluginOption = None,
    inception: InceptionOption = None,
    options: Options = NO_OPTIONS,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
    dry_run: Annotated[
        bool,
        option(
            "--dry-run",
            help="Only check that the images fit the pairs; off by default.",
            panel=WHERE,
        ),
    ] = False,
    existing: AgainOption = Existing.retry,
    engine: EngineOption = Engine.process,
) -> None:
    """Score images that a method made elsewhere, one for each test pair (see `pairs`)."""
    warm_up(engine, dry_run)
    from bench.plan.plan import Request
    from bench.records.store import Store
    from bench.runs.execute import Setup
    from bench.runs.score_images import check_images, parse_folders
    from bench.runs.score_images import score_images as score_them
    from bench.utils.output.console import console

    cache = cache_folder(cache_dir)
    request = Request(
        tasks=(task,),
        metrics=names_in(metrics),
        profile=profile,
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=replace(options, cache=cache),
        dry_run=dry_run,
    )
    setup = Setup(
        console=console(),
        store=Store(results_folder(results)),
        cache=cache,
        existing=existing.value,
        engine=engine.value,
        workers=1,
    )
    folders = parse_folders(images)
    if dry_run:
        check_images(setup, request, name, folders)
    else:
        finish(lambda: score_them(setup, request, name, folders))


@app.command(
    epilog=examples(
        "pairs --task avatars-glasses",
        "pairs --task avatars-hat --profile smoke --results results/local",
    )
)
@with_image_options
def pairs(
    task: TaskOption = DEFAULT_TASK,
    profile: ProfileOption = DEFAULT_PROFILE,
    settings: ProfileSettingsOption = None,
    plugins: PluginOption = None,
    options: Options = NO_OPTIONS,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
) -> None:
    """Write the test pairs of a task as PNG files, for a method that is trained elsewhere."""
    from bench.plan.plan import Request
    from bench.records.store import Store
    from bench.runs.score_images import write_test_pairs
    from bench.utils.output.console import console

    cache = cache_folder(cache_dir)
    request = Request(
        tasks=(task,),
        profile=profile,
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        options=replace(options, cache=cache),
    )
    write_test_pairs(console(), request, Store(results_folder(results)), cache)
