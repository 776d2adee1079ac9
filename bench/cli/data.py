"""The verbs on the images of tasks: `data list`, `data get`, `data show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    DEFAULT_RESULTS,
    AOption,
    BOption,
    CacheOption,
    DataRootOption,
    PluginOption,
    ResizeOption,
    SkipBadOption,
    SplitOption,
    cache_folder,
)

data = typer.Typer(no_args_is_help=True, help="The images of tasks: list, get, show.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The task.")]


@data.command("list", epilog="Example:  python -m bench data list --data-root ~/data")
def data_list(data_root: DataRootOption = None, plugins: PluginOption = None) -> None:
    """List tasks with where their images are, or how to get them."""
    from bench.contracts.registry import Registry
    from bench.contracts.task import Options
    from bench.tasks.catalogue import show_tasks
    from bench.utils.output.console import console

    show_tasks(console(), Registry(plugins or ()).all("task"), Options(data_root=data_root))


@data.command("get", epilog="Example:  python -m bench data get usps-mnist --data-root ~/data")
def data_get(
    name: NameArgument, data_root: DataRootOption = None, plugins: PluginOption = None
) -> None:
    """Fetch the files of a task, with their checksums; a run never does."""
    from bench.contracts.registry import Registry
    from bench.contracts.task import Options
    from bench.tasks.catalogue import get
    from bench.tasks.options import task_of
    from bench.utils.output.console import console

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
    from bench.contracts.registry import Registry
    from bench.contracts.task import Options
    from bench.plan.profiles import choose_profile
    from bench.runs.execute import make_ready
    from bench.tasks.catalogue import show
    from bench.tasks.options import tasks_of
    from bench.utils.hashing import safe
    from bench.utils.output.console import console

    cache = cache_folder(cache_dir)
    options = Options(data_root, a, b, split, resize, skip_bad, cache)
    (task,) = tasks_of(Registry(plugins or ()), [name], options).values()
    images = make_ready(console(), task, choose_profile(profile, []).sizes, cache)
    show(console(), images, out or DEFAULT_RESULTS / f"sheet-{safe(task.name)}.png")
