"""The verbs on plug-ins and results: `list`, `leaderboard`, `merge` and `clean`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    DEFAULT_RESULTS,
    REPORTS,
    WHAT,
    WHERE,
    CacheOption,
    ChooseMethodsOption,
    ChooseTasksOption,
    DryRunOption,
    PluginOption,
    ResultsOption,
    examples,
    kept_in,
    names_in,
    option,
    path_in,
    path_option,
)
from bench.utils.errors import UserError
from bench.utils.files.paths import cache_folder, full_path, results_folder

app = typer.Typer()
REMOVED = "What is removed"


class Kind(StrEnum):
    """The kinds of things that can be listed."""

    methods = "methods"
    tasks = "tasks"
    metrics = "metrics"
    profiles = "profiles"


@app.command("list", epilog=examples("list methods"))
def list_(
    kind: Annotated[
        Kind, typer.Argument(help="methods, tasks, metrics or profiles.", metavar="KIND")
    ],
    plugins: PluginOption = None,
) -> None:
    """List methods, tasks, metrics or profiles, without running any of their code."""
    from bench.contracts.anchors import ANCHORS
    from bench.contracts.registry import Registry
    from bench.plan.profiles import profiles
    from bench.utils.output.console import console, print_table, say

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if kind is Kind.profiles:
        heads = ("profile", "size", "training TFLOPs a cell", "what it is for")
        rows = [
            (p.name, f"{p.size} px", str(p.budget_tflops), p.description)
            for p in profiles().values()
        ]
    else:
        registry = Registry(plugins or ())
        found = registry.all(kind.value.removesuffix("s"))  # type: ignore[arg-type]
        for line in registry.skipped:
            say(console(), f"left out: {line}")
        if kind is Kind.methods:
            heads = ("method", "paper", "what it is")
            rows = [(p.name, p.facts.get("paper", ""), p.facts.get("summary", "")) for p in found]
            rows += [(name, "", summary) for name, summary in ANCHORS.items()]
        elif kind is Kind.metrics:
            heads = ("metric", "family", "unit", "better", "what it says")
            rows = [
                (info.id, p.name, info.unit, info.better, info.meaning)
                for p in found
                for info in p.facts["numbers"]
            ]
        else:
            heads = ("task", "what it is")
            rows = [(p.name, p.facts.get("summary", "")) for p in found]
    print_table(console(), heads, rows)


@app.command(
    epilog=examples(
        "leaderboard --results results/local",
        "leaderboard --wide --tasks avatars-glasses",
        "leaderboard --metrics transfer,image_quality --sort fd_add",
        "leaderboard --methods press2019,paste --format latex,json",
    )
)
def leaderboard(
    methods: ChooseMethodsOption = None,
    tasks: ChooseTasksOption = None,
    metrics: Annotated[
        list[str] | None,
        option(
            help="Ids or families of metrics to show; those of the main table by default.",
            panel=WHAT,
            metavar="NAMES",
        ),
    ] = None,
    sort: Annotated[
        str,
        option(
            help="Metric that orders the shown rows, and not the ranks; that of the ranks by "
            "default.",
            panel=WHAT,
            metavar="NAME",
        ),
    ] = "",
    wide: Annotated[
        bool,
        option(
            "--wide",
            help="Show all metrics, pairs of methods and notes; the main table by default.",
            panel=WHAT,
        ),
    ] = False,
    formats: Annotated[
        list[str] | None,
        option(
            "--format",
            help="Also write leaderboard.json, .tex or .parquet: json, latex, parquet, separated "
            "by commas; none by default.",
            panel=REPORTS,
            metavar="NAMES",
        ),
    ] = None,
    results: ResultsOption = DEFAULT_RESULTS,
    plugins: PluginOption = None,
) -> None:
    """Write leaderboard.csv and leaderboard.md from the records, and print the main table.

    The options that choose concern what is printed and what --format writes. The other files are
    complete.
    """
    from bench.board.output.formats import FORMATS
    from bench.board.output.view import View
    from bench.board.publish import write_leaderboard
    from bench.contracts.registry import Registry
    from bench.records.store import Store
    from bench.utils.errors import unknown
    from bench.utils.output.console import console

    registry = Registry(plugins or ())
    for name in names_in(formats):
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    families = {p.name: [info.id for info in p.facts["numbers"]] for p in registry.all("metric")}
    view = View(
        wide=wide,
        metrics=names_in(metrics),
        sort=sort,
        methods=names_in(methods),
        tasks=names_in(tasks),
        families=families,
    )
    store = Store(results_folder(results))
    store.require_records()
    if not write_leaderboard(
        console(),
        store,
        must_write=False,
        known=registry.infos(),
        cache=kept_in(),
        view=view,
        formats=names_in(formats),
    ):
        raise UserError(f"no usable record in {results / 'records'}")


def _source(text: str | Path) -> Path:
    return path_in(text, "DIR")


@app.command(
    epilog=examples(
        "merge machine1 machine2",
        "merge shards/* --into results/all --dry-run",
    )
)
def merge(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", help="Results folders, which stay as they are.", parser=_source
        ),
    ],
    into: Annotated[
        Path,
        path_option(
            "--into", help=f"Results folder to write; {DEFAULT_RESULTS} by default.", panel=WHERE
        ),
    ] = DEFAULT_RESULTS,
    dry_run: DryRunOption = False,
    plugins: PluginOption = None,
) -> None:
    """Merge the results folders of several machines, and list where they disagree."""
    from bench.board.publish import write_leaderboard
    from bench.contracts.registry import Registry
    from bench.records.merge import merge as merge_folders
    from bench.records.store import Store
    from bench.utils.output.console import console

    for source in sources:
        full_path(source, "DIR")
    target = full_path(into, "--into")
    infos = Registry(plugins or ()).infos()
    code = merge_folders(console(), sources, target, dry_run, infos)
    if not dry_run:
        write_leaderboard(console(), Store(target), known=infos, cache=kept_in())
    raise typer.Exit(code)


@app.command(epilog=examples("clean", "clean --weights --artefacts --yes"))
def clean(
    weights: Annotated[
        bool,
        option(
            "--weights",
            help="Remove the weights of finished cells too, which scoring does not "
            "need; kept by default.",
            panel=REMOVED,
        ),
    ] = False,
    artefacts: Annotated[
        bool,
        option(
            "--artefacts",
            help="Remove the artefacts too, which new metrics need; kept by default.",
            panel=REMOVED,
        ),
    ] = False,
    unfinished: Annotated[
        bool,
        option(
            "--unfinished",
            help="Remove the run folders of cells without a good record too; kept by default.",
            panel=REMOVED,
        ),
    ] = False,
    cache: Annotated[
        bool,
        option(
            "--cache",
            help="Remove the cached tasks too, which are made again when needed; kept by default.",
            panel=REMOVED,
        ),
    ] = False,
    yes: Annotated[
        bool, option("--yes", help="Remove without asking; it asks by default.", panel=REMOVED)
    ] = False,
    results: ResultsOption = DEFAULT_RESULTS,
    cache_dir: CacheOption = None,
) -> None:
    """Say what takes disk space, and remove leftovers and what the options choose."""
    import time

    from bench.records.clean import clean as tidy
    from bench.utils.output.console import console

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
        results_folder(results),
        cache_folder(cache_dir),
        {option for option, given in options.items() if given},
        time.time,
        agree,
    )
