"""The verbs on what is there: `list`, `leaderboard`, `merge`, `clean`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    DEFAULT_RESULTS,
    CacheOption,
    PluginOption,
    ResultsOption,
    allowed,
    cache_folder,
    results_folder,
)
from bench.utils.errors import UserError

app = typer.Typer()


class Kind(StrEnum):
    """What can be listed."""

    methods = "methods"
    tasks = "tasks"
    metrics = "metrics"
    profiles = "profiles"


@app.command("list", epilog="Example:  python -m bench list methods")
def list_(
    kind: Annotated[Kind, typer.Argument(help="methods, tasks, metrics or profiles.")],
    plugins: PluginOption = None,
) -> None:
    """List what there is, without running any of it."""
    from bench.contracts.anchors import SUMMARIES
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
        for line in registry.skipped:
            say(console(), f"left out: {line}")
        found = registry.all(kind.value.removesuffix("s"))  # type: ignore[arg-type]
        if kind is Kind.methods:
            heads = ("method", "paper", "what it is")
            rows = [(p.name, p.facts.get("paper", ""), p.facts.get("summary", "")) for p in found]
            rows += [(name, "", summary) for name, summary in SUMMARIES.items()]
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


@app.command(epilog="Example:  python -m bench leaderboard --results results/local")
def leaderboard(results: ResultsOption = DEFAULT_RESULTS, plugins: PluginOption = None) -> None:
    """Write leaderboard.csv and leaderboard.md from the records, and print the main table."""
    from bench.board.publish import write_leaderboard
    from bench.contracts.registry import Registry
    from bench.records.store import Store
    from bench.utils.output.console import console

    infos = Registry(plugins or ()).infos()
    store = Store(results_folder(results))
    store.require_records()
    if not write_leaderboard(console(), store, must_write=False, known=infos):
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
    plugins: PluginOption = None,
) -> None:
    """Unite results folders of several machines, and list where they disagree."""
    from bench.board.publish import write_leaderboard
    from bench.contracts.registry import Registry
    from bench.records.merge import merge as unite
    from bench.records.store import Store
    from bench.utils.output.console import console

    for source in sources:
        allowed(source, "DIR")
    target = allowed(into, "--into")
    infos = Registry(plugins or ()).infos()
    code = unite(console(), sources, target, dry_run, infos)
    if not dry_run:
        write_leaderboard(console(), Store(target), known=infos)
    raise typer.Exit(code)


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
