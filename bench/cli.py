"""The command line: one function a verb. torch is imported only by a verb that needs it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from bench import __version__
from bench.contracts import IMAGES, Options, Resize, Split
from bench.errors import Exit, UserError

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="The benchmark for content transfer and feature disentanglement.",
    epilog="Exit codes: 0 fine, 1 regression found, 2 wrong use, 3 a cell failed, "
    "4 cannot compare, 130 interrupted.",
)

DEFAULT_RESULTS = Path("results/local")
DEFAULT_BASELINE = Path("results/baselines/smoke.json")


class Kind(StrEnum):
    """What can be listed."""

    methods = "methods"
    tasks = "tasks"
    metrics = "metrics"
    profiles = "profiles"


class Existing(StrEnum):
    """What to do with cells that have a record."""

    resume = "resume"
    retry = "retry"
    fresh = "fresh"


class Engine(StrEnum):
    """How cells are run."""

    process = "process"
    inline = "inline"
    ray = "ray"


ResultsOption = Annotated[
    Path, typer.Option("--results", help="Folder of records, grids and leaderboard.")
]
TasksOption = Annotated[
    list[str] | None, typer.Option("--tasks", "--task", help="Names, separated by commas.")
]
MetricsOption = Annotated[
    list[str] | None, typer.Option(help="Ids or families, separated by commas; all.")
]
JobsOption = Annotated[
    int | None, typer.Option(min=1, help="Cells at a time; the number of cores if not given.")
]
InceptionOption = Annotated[
    Path | None, typer.Option(help="Weights of Inception, for fid_add and fid_remove.")
]
CacheOption = Annotated[
    Path | None, typer.Option(help="Where tasks are kept (or CONTENTBENCH_CACHE).")
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        help="process: one process a cell; inline: in this process; ray: on the Ray cluster of "
        "RAY_ADDRESS, or here."
    ),
]
AOption = Annotated[
    Path | None, typer.Option("--a", help="Images without the extra content (--task folder).")
]
BOption = Annotated[
    Path | None, typer.Option("--b", help="Images with the extra content (--task folder).")
]
DataRootOption = Annotated[
    Path | None, typer.Option(help="The folder that holds data sets (CelebA, digits).")
]
SplitOption = Annotated[
    Split | None,
    typer.Option(help="folder: hash of the content, or sub-folder; celeba: official or identity."),
]
ResizeOption = Annotated[
    Resize | None, typer.Option(help="How an image of --task folder becomes square; crop.")
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without images that cannot be used.")
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="File with a method, metric or task of your own (repeatable)."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"contentbench {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


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
    _warm_up(engine, dry_run)
    from bench.display import console
    from bench.execute import execute, show_forecast
    from bench.plan import Request, default_workers, jobs_for, make_plan
    from bench.shard import Shard, take
    from bench.space import default_cache, needs_of_run, require_space
    from bench.store import Store

    _check_seeds(seeds)
    part = Shard.parse(shard) if shard is not None else None
    cache = (cache_dir or default_cache()).resolve()
    request = Request(
        methods=_names(methods) or ("all",),
        tasks=_names(tasks) or ("avatars-glasses",),
        metrics=_names(metrics),
        profile=profile,
        seeds=seeds or "",
        device=device,
        precision=precision or "",
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=Options(data_root, a, b, split, resize, skip_bad, cache),
    )
    store = Store(results.resolve())
    plan = make_plan(request)
    for line in plan.left_out:
        console().print(f"not in this run: {line}")
    if part is not None:
        whole, plan = plan, take(plan, part)
        console().print(f"shard {part}: {len(plan.cells)} of {len(whole.cells)} cells")
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
    _finish(lambda: execute(console(), plan, wanted, store, engine.value, jobs))


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
    _check_seeds(seeds)
    imports = bool(images) or dry_run
    if imports and (methods or seeds):
        raise UserError("--methods and --seeds choose records: leave them out with images")
    if images and not dry_run and name is None:
        raise UserError("--images: give what made them a name too, for example --name mine")
    if not imports and (settings or name is not None):
        raise UserError("--name and --set are for images: give --images, or --dry-run")
    _warm_up(engine, dry_run)
    from bench.display import console
    from bench.execute import Setup
    from bench.imported import parse_folders, score_images, show_pairs
    from bench.plan import Request
    from bench.rescore import score_records
    from bench.space import default_cache
    from bench.store import Store

    cache = (cache_dir or default_cache()).resolve()
    request = Request(
        methods=_names(methods),
        tasks=_names(tasks) or (("avatars-glasses",) if imports else ()),
        metrics=_names(metrics),
        profile=profile or ("small" if imports else ""),
        seeds=seeds or "",
        settings=tuple(settings or ()),
        plugins=tuple(plugins or ()),
        inception=inception.resolve() if inception else None,
        options=Options(data_root, a, b, split, resize, skip_bad, cache),
    )
    setup = Setup(
        console=console(),
        store=Store(results.resolve()),
        cache=cache,
        existing=existing.value,
        engine=engine.value,
        workers=jobs,
    )
    folders = parse_folders(images or ())
    if dry_run:
        show_pairs(setup, request, folders)
    elif name is not None:
        _finish(lambda: score_images(setup, request, name, folders))
    else:
        _finish(lambda: score_records(setup, request))


def _check_seeds(seeds: str | None) -> None:
    if seeds is not None and not seeds.strip():
        raise UserError("--seeds '': expected whole numbers such as 0,1,2 or 0-4")


def _warm_up(engine: Engine, dry_run: bool) -> None:
    """Let workers begin to import torch while this process still plans.

    Raises:
        UserError: what the engine needs is not installed.
    """
    if engine is Engine.ray:
        from bench.engines import require_ray

        require_ray()
    if engine is Engine.process and not dry_run:
        from bench.engines import warm_up

        warm_up()


def _finish(work: Callable[[], int]) -> NoReturn:
    """Do the work of a verb and end with its exit code."""
    try:
        code = work()
    except KeyboardInterrupt:  # here, because typer would end without a word
        message = "interrupted: the same command keeps what is finished and does the rest"
        print(message, file=sys.stderr)
        code = Exit.INTERRUPTED
    raise typer.Exit(code)


@app.command("list", epilog="Example:  python -m bench list methods")
def list_(
    kind: Annotated[Kind, typer.Argument(help="methods, tasks, metrics or profiles.")],
    plugins: PluginOption = None,
) -> None:
    """List what there is, without running any of it."""
    from bench.anchors import SUMMARIES
    from bench.config import profiles
    from bench.display import console, print_table
    from bench.registry import Registry

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if kind is Kind.profiles:
        heads = ("profile", "size", "training TFLOPs a cell", "what it is for")
        rows = [
            (p.name, f"{p.size} px", str(p.budget_tflops), p.description)
            for p in profiles().values()
        ]
    else:
        found = Registry(plugins or ()).all(kind.value.removesuffix("s"))  # type: ignore[arg-type]
        if kind is Kind.methods:
            heads = ("method", "paper", "what it is")
            rows = [(p.name, p.facts.get("paper", ""), p.facts.get("summary", "")) for p in found]
            rows += [(name, "", summary) for name, summary in SUMMARIES.items()]
        elif kind is Kind.metrics:
            heads = ("metric", "family", "unit", "better", "what it says")
            rows = [
                (name, p.name, info["unit"], info["better"], info["meaning"])
                for p in found
                for name, info in p.facts["numbers"].items()
            ]
        else:
            heads = ("task", "what it is")
            rows = [(p.name, p.facts.get("summary", "")) for p in found]
    print_table(console(), heads, rows)


@app.command(epilog="Example:  python -m bench leaderboard --results results/local")
def leaderboard(results: ResultsOption = DEFAULT_RESULTS) -> None:
    """Write leaderboard.csv and leaderboard.md from the records, and print the main table."""
    from bench.display import console
    from bench.publish import write_leaderboard
    from bench.store import Store

    store = Store(results.resolve())
    store.require_records()
    store.open_for_writing()
    if not write_leaderboard(console(), store):
        raise UserError(f"no usable record in {results / 'records'}")


@app.command(
    epilog="Examples:  python -m bench merge machine1 machine2  |  "
    "python -m bench merge shards/* --into results/all --dry-run"
)
def merge(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Results folders; nothing in them changes."),
    ],
    into: Annotated[
        Path, typer.Option("--into", help="The results folder that they become.")
    ] = DEFAULT_RESULTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Unite results folders of several machines, and list where they disagree."""
    from bench.display import console
    from bench.merge import merge as unite

    raise typer.Exit(unite(console(), sources, into.resolve(), dry_run))


@app.command(
    epilog="Examples:  python -m bench clean  |  python -m bench clean --weights --artefacts --yes"
)
def clean(
    results: ResultsOption = DEFAULT_RESULTS,
    weights: Annotated[
        bool, typer.Option("--weights", help="Weights of finished cells too: scoring needs none.")
    ] = False,
    artefacts: Annotated[
        bool,
        typer.Option("--artefacts", help="What new metrics are computed from, too."),
    ] = False,
    unfinished: Annotated[
        bool,
        typer.Option("--unfinished", help="Run folders without a good record, too."),
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache", help="The cache too: tasks are drawn again when needed.")
    ] = False,
    cache_dir: CacheOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without a question.")] = False,
) -> None:
    """Say what takes disk space and can go; remove what was left over, and what is chosen."""
    import time

    from bench.clean import clean as tidy
    from bench.display import console
    from bench.space import default_cache

    options = {
        "--weights": weights,
        "--artefacts": artefacts,
        "--unfinished": unfinished,
        "--cache": cache,
    }

    def agree(question: str) -> bool:
        if yes or not sys.stdin.isatty():
            return yes
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False

    tidy(
        console(),
        results.resolve(),
        (cache_dir or default_cache()).resolve(),
        {option for option, given in options.items() if given},
        time.time,
        agree,
    )


data = typer.Typer(no_args_is_help=True, help="The images of tasks: list, get, show.")
app.add_typer(data, name="data")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The task.")]


@data.command("list", epilog="Example:  python -m bench data list --data-root ~/data")
def data_list(data_root: DataRootOption = None, plugins: PluginOption = None) -> None:
    """List tasks with where their images are, or how to get them."""
    from bench.contracts import Options
    from bench.datasets import show_tasks
    from bench.display import console
    from bench.registry import Registry

    show_tasks(console(), Registry(plugins or ()).all("task"), Options(data_root=data_root))


@data.command("get", epilog="Example:  python -m bench data get usps-mnist --data-root ~/data")
def data_get(
    name: NameArgument, data_root: DataRootOption = None, plugins: PluginOption = None
) -> None:
    """Fetch the files of a task, with their checksums; a run never does."""
    from bench.contracts import Options
    from bench.datasets import get
    from bench.display import console
    from bench.options import task_of
    from bench.registry import Registry

    get(console(), task_of(Registry(plugins or ()), name, Options(data_root=data_root)))


@data.command("show", epilog="Example:  python -m bench data show digits --profile smoke")
def data_show(
    name: NameArgument,
    profile: Annotated[str, typer.Option(help="smoke, small, medium or paper.")] = "small",
    out: Annotated[
        Path | None, typer.Option(help="The picture; sheet-NAME.png in results/local.")
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
    """Count the images of a task and the values of its factors, and draw a sheet of them."""
    from bench.config import choose_profile, safe
    from bench.contracts import Options
    from bench.datasets import show
    from bench.display import console
    from bench.execute import make_ready
    from bench.options import tasks_of
    from bench.registry import Registry
    from bench.space import default_cache

    cache = (cache_dir or default_cache()).resolve()
    options = Options(data_root, a, b, split, resize, skip_bad, cache)
    (task,) = tasks_of(Registry(plugins or ()), [name], options).values()
    images = make_ready(console(), task, choose_profile(profile, []).sizes, cache)
    show(console(), images, out or DEFAULT_RESULTS / f"sheet-{safe(task.name)}.png")


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
    plugins: PluginOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Compare records and code with a baseline: has anything become worse?"""
    if run_first:
        _warm_up(Engine.process, dry_run=False)
    from bench.check import LAYERS, Options, Reports, check_speed
    from bench.check import check as compare
    from bench.display import console
    from bench.space import default_cache

    options = Options(
        console=console(),
        path=baseline or DEFAULT_BASELINE,
        results=(results or DEFAULT_RESULTS / ("check" if run_first else "")).resolve(),
        cache=(cache_dir or default_cache()).resolve(),
        plugins=tuple(plugins or ()),
    )
    reports = Reports(json_file, junit, markdown)
    if ab is not None:
        _finish(lambda: check_speed(options, ab, lenient, reports))
    wanted = _names(layers) or LAYERS
    _finish(lambda: compare(options, wanted, lenient, reports, run_first, jobs))


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
    seeds: Annotated[str | None, typer.Option(help="0,1,2 or 0-4; all if not given.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is written; the baseline keeps it.")] = "",
    golden: Annotated[bool, typer.Option(help="Make golden numbers of the code as it is.")] = True,
    plugins: PluginOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Write down what records say, for `check` to compare with."""
    # golden numbers are also made with two threads: on a busy machine these would spin for minutes
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _check_seeds(seeds)
    from bench.check import Options, write_baseline
    from bench.display import console
    from bench.space import default_cache

    chosen: tuple[int, ...] = ()
    if seeds:
        from bench.plan import parse_seeds  # here: it brings torch along

        chosen = parse_seeds(seeds)
    options = Options(
        console=console(),
        path=file or DEFAULT_BASELINE.with_name(f"{profile}.json"),
        results=results.resolve(),
        cache=(cache_dir or default_cache()).resolve(),
        plugins=tuple(plugins or ()),
    )
    _finish(lambda: write_baseline(options, profile, _names(methods), chosen, reason, golden))


def _names(given: list[str] | None) -> tuple[str, ...]:
    """Return the names of an option that may be repeated and may hold commas or spaces.

    In the brackets of a label, a comma parts nothing.
    """
    texts = [re.split(r"[,\s]+(?![^\[]*\])", text) for text in given or ()]
    return tuple(name for names in texts for name in names if name)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # typer brings a copy of click along, or uses the installed one: its error is found by descent
    names = {parent.__name__: parent for parent in typer.BadParameter.__mro__}
    click_error: type[Exception] = names["ClickException"]
    try:
        code = app(args=arguments, prog_name="python -m bench", standalone_mode=False)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(Exit.WRONG_USE)
    except click_error as error:
        message = error.format_message()  # type: ignore[attr-defined]
        if message:
            print(f"error: {message} (see --help)", file=sys.stderr)
        sys.exit(Exit.WRONG_USE)
    sys.exit(code or 0)
