"""The verbs on plug-ins of one's own: `new` and `verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.image_options import NO_OPTIONS, with_image_options
from bench.cli.options import WHAT, CacheOption, PluginOption, examples, kept_in, option
from bench.cli.verbs import finish
from bench.contracts.task import Options
from bench.utils.errors import Exit

if TYPE_CHECKING:
    from rich.console import Console

    from bench.contracts.registry import Plugin, Registry

app = typer.Typer()


class Kind(StrEnum):
    """The kinds of plug-ins."""

    method = "method"
    metric = "metric"
    task = "task"


@app.command(
    epilog=examples(
        "new method mine",
        "verify mine.py",
        "run --plugin mine.py --methods mine,copy-source --profile smoke",
    )
)
def new(
    kind: Annotated[Kind, typer.Argument(help="method, metric or task.", metavar="KIND")],
    name: Annotated[str, typer.Argument(help="Its name.", metavar="NAME")],
) -> None:
    """Write NAME.py: a complete method, metric or task to start from, with its test."""
    from bench.conformance.scaffold import write_new
    from bench.utils.output.console import console, say

    path = write_new(kind.value, name, Path())
    out = console()
    what = {
        Kind.method: f"--methods {name},copy-source",
        Kind.metric: f"--methods copy-source,mean-image --metrics {name}",
        Kind.task: f"--task {name} --methods copy-source,mean-image",
    }[kind]
    say(out, f"wrote {path}: an example that runs. Change it step by step, and after each step:")
    say(out, f"    python -m bench verify {path}")
    say(out, f"    python -m bench run --plugin {path} {what} --profile smoke")


@app.command(
    epilog=examples(
        "verify mine.py",
        "verify press2019 --check state --check guide",
        "verify all",
        note="The exit code is 1 if a check failed.",
    )
)
@with_image_options
def verify(
    what: Annotated[
        list[str],
        typer.Argument(
            help="Names of methods, metrics or tasks, or files; `all` for all.", metavar="NAME..."
        ),
    ],
    plugins: PluginOption = None,
    checks: Annotated[
        list[str] | None,
        option(
            "--check",
            help="Name of a check to run (repeatable); all by default.",
            panel=WHAT,
            metavar="NAME",
        ),
    ] = None,
    options: Options = NO_OPTIONS,
    cache_dir: CacheOption = None,
) -> None:
    """Check that a method, metric or task keeps its contract: batch mates, state, ranges, ..."""
    from bench.contracts.registry import Registry
    from bench.utils.files.paths import cache_folder
    from bench.utils.output.console import console

    given = [Path(name) for name in what if _is_file(name)]
    registry = Registry([*(plugins or ()), *given])
    chosen = _chosen(registry, what)
    cache = cache_folder(cache_dir) if cache_dir or kept_in() else None

    def work() -> int:
        out = console()
        counts = Counter[str]()
        for plugin in chosen:
            counts += _verify(out, plugin, checks or (), options, cache, whole=len(chosen) == 1)
        if len(chosen) > 1:
            _say_counts(out, f"all {len(chosen)}", counts)
        return Exit.REGRESSION if counts["failed"] else Exit.FINE

    finish(work)


def _is_file(name: str) -> bool:
    return name.endswith(".py") or "/" in name


def _chosen(registry: Registry, what: Sequence[str]) -> list[Plugin]:
    """Return the plug-ins of some names and files, each once, in this order.

    Raises:
        UserError: there is none of a name.
    """
    from bench.conformance.verify import named, of_file

    found = [
        plugin
        for name in what
        for plugin in (of_file(registry, Path(name)) if _is_file(name) else named(registry, name))
    ]
    return [plugin for at, plugin in enumerate(found) if plugin not in found[:at]]


def _verify(
    out: Console,
    plugin: Plugin,
    only: Sequence[str],
    options: Options,
    cache: Path | None,
    whole: bool,
) -> Counter[str]:
    """Run the checks of a plug-in, print them, and return how often each outcome came.

    whole: whether to print checks that passed, too.
    """
    import tempfile
    import time
    from contextlib import nullcontext

    from bench.conformance.verify import verdicts
    from bench.utils.output.console import say

    start, counts = time.process_time(), Counter[str]()
    skipped: dict[str, list[str]] = {}  # by reason, which is often the same

    def show(outcome: str, check: str, said: str) -> None:
        line = f"{outcome:<16} {check:<14} {said}"
        say(out, f"  {line}" if whole else f"{plugin.name}: {' '.join(line.split())}")

    with tempfile.TemporaryDirectory() if cache is None else nullcontext(cache) as place:
        for verdict in verdicts(plugin, Path(place), only, options):
            outcome = verdict.outcome.value
            counts[outcome] += 1
            if outcome == "skipped":
                skipped.setdefault(verdict.reason, []).append(verdict.check)
            elif whole or outcome != "passed":
                show(outcome, verdict.check, verdict.reason or verdict.asks)
                if verdict.hint:
                    say(out, f"  {'':<16} {'':<14} hint: {verdict.hint}")
    for reason, names in skipped.items():
        show("skipped", f"{', '.join(names)}:", reason)
    seconds = time.process_time() - start
    _say_counts(out, f"{plugin.kind} {plugin.name}", counts, f" in {seconds:.0f} s of CPU time")
    return counts


def _say_counts(out: Console, what: str, counts: Counter[str], after: str = "") -> None:
    from bench.conformance.check import Outcome
    from bench.utils.output.console import say

    said = [f"{counts[one.value]} {one.value}" for one in Outcome if counts[one.value]]
    say(out, f"{what}: {', '.join(said)}{after}")
