"""The verbs on the images of tasks: `data list`, `data get` and `data show`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.image_options import NO_OPTIONS, DataRootOption, image_options, with_image_options
from bench.cli.options import (
    DEFAULT_PROFILE,
    DEFAULT_RESULTS,
    WHERE,
    CacheOption,
    PluginOption,
    ProfileOption,
    examples,
    path_option,
)
from bench.contracts.task import HIDDEN, LETTERS, PARTS, Options
from bench.utils.errors import UserError

if TYPE_CHECKING:
    from bench.contracts.task import Task, TaskData

from bench.utils.files.paths import cache_folder

app = typer.Typer(no_args_is_help=True, help="List, get or show the images of tasks.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the task.")]


@app.command("list", epilog=examples("data list", "data list --data-root ~/data"))
def data_list(plugins: PluginOption = None, data_root: DataRootOption = None) -> None:
    """List tasks with the place of their images, or how to get them."""
    from bench.contracts.registry import Registry
    from bench.utils.output.console import console, print_table

    options = image_options(data_root=data_root)
    found = Registry(plugins or ()).all("task")
    rows = [
        (plugin.name, plugin.why_broken() or _place_of_images(plugin.load(), options))
        for plugin in found
    ]
    print_table(console(), ("task", "its images"), rows)


def _place_of_images(kind: type[Task], options: Options) -> str:
    """Return where the images of a task are, or how to get them."""
    from bench.tasks.options import flag

    if needed := [flag(name) for name in kind.needs if getattr(options, name) is None]:
        return f"yours: give {' and '.join(needed)}"
    task = kind(options)
    return task.missing() or ("embedded" if task.home is None else f"found in {task.home}")


@app.command("get", epilog=examples("data get usps-mnist --data-root ~/data"))
def data_get(
    name: NameArgument, plugins: PluginOption = None, data_root: DataRootOption = None
) -> None:
    """Download the files of a task and check them. A run never downloads."""
    from bench.contracts.registry import Registry
    from bench.tasks.options import task_of
    from bench.utils.output.console import console, say

    options = image_options(data_root=data_root)
    task = task_of(Registry(plugins or ()), name, options)
    if task.home is None:
        say(console(), f"{task.name} is embedded: there is nothing to get")
        return
    task.fetch()
    if missing := task.missing():
        raise UserError(f"{task.name}: {missing}")
    say(console(), f"{task.name}: complete in {task.home}")


@app.command(
    "show",
    epilog=examples("data show digits --profile smoke", "data show avatars-hat --out hats.png"),
)
@with_image_options
def data_show(
    name: NameArgument,
    profile: ProfileOption = DEFAULT_PROFILE,
    plugins: PluginOption = None,
    options: Options = NO_OPTIONS,
    cache_dir: CacheOption = None,
    out: Annotated[
        Path | None,
        path_option(
            "--out",
            help="File for the picture; sheet-NAME.png in results/local by default.",
            panel=WHERE,
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Count the images of a task and the values of its factors, and draw a sheet of images."""
    from bench.contracts.registry import Registry
    from bench.plan.profiles import choose_profile
    from bench.runs.execute import make_ready
    from bench.tasks.options import tasks_of
    from bench.tasks.sheet import draw_sheet
    from bench.utils.hashing import safe
    from bench.utils.output.console import console, print_table, say

    cache = cache_folder(cache_dir)
    options = replace(options, cache=cache)
    (task,) = tasks_of(Registry(plugins or ()), [name], options).values()
    images = make_ready(console(), task, choose_profile(profile, []).sizes, cache)
    print_table(console(), *_counts(images))
    say(console(), _facts(images))
    sheet = out or DEFAULT_RESULTS / f"sheet-{safe(task.name)}.png"
    try:
        draw_sheet(sheet, images)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {sheet} ({reason}): name another file with --out") from error
    say(console(), f"wrote {sheet}")


def _counts(images: TaskData) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a table of the images and the factor values in each domain of each part."""
    places = [(part, at) for part in PARTS for at in range(len(images.domains[part]))]
    domains = [images.domains[part][at] for part, at in places]
    heads = ("factor", "value", *(f"{part} {LETTERS[at]}" for part, at in places))
    rows = [("images", "", *(str(len(domain.images)) for domain in domains))]
    for column, factor in enumerate(images.factors):
        name = f"{factor.name}{' (separate)' if factor.separate else ''}"
        for value, word in ((HIDDEN, "not visible"), *enumerate(factor.values)):
            counts = [int((domain.factors[:, column] == value).sum()) for domain in domains]
            if value != HIDDEN or any(counts):
                rows.append((name, word, *map(str, counts)))
                name = ""
    return heads, rows


def _facts(images: TaskData) -> str:
    truth = "true results are known" if images.truth is not None else "no true results"
    label = f"; the label is {images.label}" if images.label else ""
    size = f"{images.spec.size} px"
    return f"{images.name}: {size}, fingerprint {images.fingerprint}, {truth}{label}"
