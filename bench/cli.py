"""The command line: one function a verb. torch is imported only by a verb that needs it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench import __version__
from bench.errors import Exit, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.board import Board
    from bench.plan import Plan
    from bench.store import Store

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


ResultsOption = Annotated[
    Path, typer.Option("--results", help="Folder of records, grids and leaderboard.")
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="File with a method, metric or task of your own (repeatable)."),
]


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"contentbench {__version__}")
        raise typer.Exit


@app.command(
    epilog="Examples:  python -m bench run --methods all  |  "
    "python -m bench run --methods press2019,ground-truth --profile smoke  |  "
    "python -m bench run --methods press2019 --set press2019.confusion_weight=0 --seeds 0-2  |  "
    "python -m bench run --plugin my_method.py --methods mine,copy-source --dry-run"
)
def run(
    methods: Annotated[
        list[str] | None, typer.Option(help="Names, separated by commas; all = and the anchors.")
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--tasks", "--task", help="Names, separated by commas.")
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(help="Ids or families, separated by commas; all.")
    ] = None,
    profile: Annotated[str, typer.Option(help="smoke, small, medium or paper.")] = "small",
    seeds: Annotated[
        str | None, typer.Option(help="0,1,2 or 0-4; the profile's own if not given.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Cells at a time; the number of cores if not given.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32 or bf16; the profile's own if not given.")
    ] = None,
    results: ResultsOption = DEFAULT_RESULTS,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="METHOD.FIELD=VALUE or profile.FIELD=VALUE (repeatable)."),
    ] = None,
    plugins: PluginOption = None,
    inception: Annotated[
        Path | None, typer.Option(help="Weights of Inception, for fid_add and fid_remove.")
    ] = None,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Where tasks are kept (or CONTENTBENCH_CACHE).")
    ] = None,
    existing: Annotated[
        Existing,
        typer.Option(help="resume: skip what has a record; retry: redo failures; fresh: redo all."),
    ] = Existing.resume,
    engine: Annotated[
        Engine, typer.Option(help="process: one process a cell; inline: in this process.")
    ] = Engine.process,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Train methods, score them, and print the leaderboard."""
    from bench.plan import Request, make_plan
    from bench.store import Store

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
    )
    if seeds is not None and not seeds.strip():
        raise UserError("--seeds '': expected whole numbers such as 0,1,2 or 0-4")
    store = Store(results.resolve())
    plan = make_plan(request)
    console = _console()
    if dry_run:
        _show_forecast(console, plan, store, existing, jobs, request.inception)
        return
    store.open_for_writing()
    raise typer.Exit(
        _run(console, plan, store, existing, engine, jobs, request.inception, cache_dir)
    )


@app.command("list", epilog="Example:  python -m bench list methods")
def list_(
    kind: Annotated[Kind, typer.Argument(help="methods, tasks, metrics or profiles.")],
    plugins: PluginOption = None,
) -> None:
    """List what there is, without running any of it."""
    from bench.anchors import SUMMARIES
    from bench.config import profiles
    from bench.registry import Registry

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
            heads = ("task", "", "what it is")
            rows = [(p.name, "", p.facts.get("summary", "")) for p in found]
    _print_table(_console(), heads, rows)


@app.command(epilog="Example:  python -m bench leaderboard --results results/local")
def leaderboard(results: ResultsOption = DEFAULT_RESULTS) -> None:
    """Write leaderboard.csv and leaderboard.md from the records, and print the main table."""
    from bench.store import Store

    store = Store(results.resolve())
    if not (store.root / "records").is_dir():
        raise UserError(f"no records in {results}: run `python -m bench run` first, or --results")
    store.open_for_writing()
    if not _write_leaderboard(_console(), store):
        raise UserError(f"no usable record in {results / 'records'}")


def _run(
    console: Console,
    plan: Plan,
    store: Store,
    existing: Existing,
    engine: Engine,
    workers: int | None,
    inception: Path | None,
    cache_dir: Path | None,
) -> int:
    """Do what is left of a plan and print the leaderboard; return the exit code."""
    from rich.progress import Progress

    from bench.data import default_cache, prepare
    from bench.display import display
    from bench.engines import ENGINES
    from bench.plan import default_workers, jobs_for, stale

    cache = (cache_dir or default_cache()).resolve()
    jobs = jobs_for(plan, store, cache, existing.value, inception)
    open_jobs = [job for job in jobs if job.todo != "nothing"]
    finished = len(jobs) - len(open_jobs)
    if finished:
        console.print(f"{finished} of {len(jobs)} cells have their record already")
    for label in stale(plan, store):
        console.print(
            f"stale: the source of {label} has changed since its record was made "
            "(--existing fresh runs it again)",
            markup=False,
        )
    for name in dict.fromkeys(job.cell.task for job in open_jobs):
        with Progress(console=console, transient=True) as bar:
            at = bar.add_task(f"preparing {name}", total=None)
            prepare(
                plan.tasks[name],
                plan.profile.sizes,
                cache,
                say=lambda line: console.print(line, markup=False, soft_wrap=True),
                progress=lambda done, of: bar.update(at, completed=done, total=of),
            )
    for job in open_jobs:
        if existing is Existing.fresh:
            store.forget(job.cell)
    if open_jobs:
        workers = workers or default_workers(open_jobs[0].cell.device)
        with display(console, len(open_jobs)) as shown:
            ENGINES[engine.value](open_jobs, workers, shown)
    if open_jobs:
        _write_overviews(plan, store, cache)
    _write_leaderboard(console, store, plan)
    return _exit_code(console, plan, store)


def _exit_code(console: Console, plan: Plan, store: Store) -> int:
    """Return 3 when any cell of the plan has no good record, and say which."""
    from bench.store import Damaged, read_record

    failed = 0
    for cell in plan.cells:
        record = read_record(store.record_path(cell))
        if isinstance(record, Damaged) or record["status"] != "ok":
            failed += 1
            reason = str(record) if isinstance(record, Damaged) else record["reason"]
            console.print(
                f"failed: {cell.label} seed {cell.seed}: {reason}", markup=False, soft_wrap=True
            )
    if failed:
        console.print(f"{failed} of {len(plan.cells)} cells failed; --existing retry tries again")
    return int(Exit.CELL_FAILED if failed else Exit.FINE)


def _show_forecast(
    console: Console,
    plan: Plan,
    store: Store,
    existing: Existing,
    workers: int | None,
    inception: Path | None,
) -> None:
    from bench.data import default_cache
    from bench.plan import COMMITTED, default_workers, forecast, jobs_for
    from bench.store import Store

    records = store.records()[0] + Store(COMMITTED).records()[0]
    jobs = jobs_for(plan, store, default_cache(), existing.value, inception)
    said = {"nothing": "has its record", "score": "score only", "run": "train and score"}
    rows, seconds, megabytes, unknown = [], 0.0, 0.0, 0
    for job in jobs:
        guess = forecast(job, records)
        unknown += guess.seconds is None
        seconds += guess.seconds or 0
        megabytes += guess.megabytes or 0
        rows.append(
            (
                job.cell.label,
                job.cell.task,
                str(job.cell.seed),
                said[job.todo],
                "?" if guess.seconds is None else f"{guess.seconds:.0f} s",
                "?" if guess.megabytes is None else f"{guess.megabytes:.0f} MB",
            )
        )
    _print_table(console, ("method", "task", "seed", "to do", "time", "disk"), rows)
    at_a_time = workers or default_workers(plan.cells[0].device)
    known = f"about {seconds / at_a_time / 60:.1f} minutes with {at_a_time} cells at a time"
    line = f"{len(jobs)} cells, {known}, {megabytes:.0f} MB"
    if unknown:
        line += f"; no earlier record tells of {unknown} of them"
    console.print(line)


def _write_leaderboard(console: Console, store: Store, plan: Plan | None = None) -> list[Board]:
    """Write the leaderboard of a results folder, and print what belongs to the plan."""
    from bench.board import boards, frame, markdown
    from bench.store import write_atomically

    records, damaged = store.records()
    for record in damaged:
        console.print(str(record), markup=False, soft_wrap=True)
    made = boards(records)
    if not made:
        return []
    write_atomically(store.root / "leaderboard.csv", frame(records).to_csv(index=False))
    write_atomically(
        store.root / "leaderboard.md", markdown(made, notes=[str(d) for d in damaged])
    )
    wanted = plan and {(cell.profile, cell.task) for cell in plan.cells}
    for board in made:
        if wanted is None or (board.profile, board.task) in wanted:
            _print_board(console, board)
    console.print(f"wrote {store.root}/leaderboard.csv and .md", soft_wrap=True)
    return made


def _write_overviews(plan: Plan, store: Store, cache: Path) -> None:
    """Put the results of all methods of a plan side by side, a picture for each task."""
    from bench.anchors import ANCHORS
    from bench.data import read
    from bench.grid import draw_overview

    for name, task in plan.tasks.items():
        data = read(task, plan.profile.sizes, cache)
        made = {}
        for cell in plan.cells:
            if cell.task == name and cell.method not in ANCHORS and cell.label not in made:
                artefacts = store.folder(cell).artefacts()
                if artefacts is not None:
                    made[cell.label] = artefacts
        title = f"{name}, profile {plan.profile.name}: adding above, removing below"
        draw_overview(store.root / f"overview-{name}-{plan.profile.name}.png", title, made, data)


def _print_board(console: Console, board: Board) -> None:
    from bench.board import ARROWS, MAIN, text

    metrics = [metric for metric in MAIN if board.has(metric)]
    heads = ["method", *(f"{m}\n({ARROWS.get(board.better(m), '')})" for m in metrics)]
    rows = [
        (method, *(text(board.cell(method, m), interval=False) for m in metrics))
        for method in board.order
    ]
    _print_table(console, heads, rows, title=f"{board.task}, profile {board.profile}")


def _print_table(console: Console, heads: Any, rows: Any, title: str = "") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title or None, show_edge=False, title_justify="left")
    for at, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=at == 0)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _console() -> Console:
    from rich.console import Console

    console = Console()
    if not console.is_terminal and "COLUMNS" not in __import__("os").environ:
        console = Console(width=160)
    return console


def _names(given: list[str] | None) -> tuple[str, ...]:
    """Return the names of an option that may be repeated and may hold commas or spaces."""
    return tuple(n for text in given or () for n in text.replace(",", " ").split())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # typer brings a copy of click along, or uses the installed one: its error is found by descent
    click_error = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
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
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)
    sys.exit(code or 0)
