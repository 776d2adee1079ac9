"""What the verbs share: options, and the ways in which a verb begins and ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from bench.contracts.labels import split_names
from bench.contracts.task import Resize, Split
from bench.utils.errors import UserError
from bench.utils.interrupts import came, interrupted, noted

DEFAULT_RESULTS = Path("results/local")


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


def names_in(given: list[str] | None) -> tuple[str, ...]:
    """Return the names of an option that may be repeated and may hold commas or spaces.

    In the brackets of a label, a comma parts nothing.

    Raises:
        UserError: it is given and holds none, as an unset variable of a script does.
    """
    names = tuple(name for text in given or () for name in split_names(text))
    if given and not names:
        raise UserError(
            f"an option that takes names got '{given[0]}': name some, or leave the option out"
        )
    return names


def check_seeds(seeds: str | None) -> None:
    """Make sure that seeds which are given are not empty.

    Raises:
        UserError: they are.
    """
    if seeds is not None and not seeds.strip():
        raise UserError("--seeds '': expected whole numbers such as 0,1,2 or 0-4")


def results_folder(given: Path) -> Path:
    """Return the absolute path of a results folder.

    Raises:
        UserError: this user may not look into it.
    """
    return allowed(given, "--results")


def cache_folder(given: Path | None) -> Path:
    """Return the absolute path of the cache folder.

    Raises:
        UserError: this user may not look into it, or has none.
    """
    from bench.utils.files.paths import default_cache

    return allowed(given or default_cache(), "--cache-dir or CONTENTBENCH_CACHE")


def allowed(folder: Path, option: str) -> Path:
    """Return the absolute path of a folder; the option is what names another.

    Raises:
        UserError: this user may not look into it.
    """
    try:
        whole = folder.resolve()
        with suppress(FileNotFoundError, NotADirectoryError):  # it may be made later
            os.stat(f"{whole}/.")
    except OSError as error:
        raise UserError(
            f"cannot look into the folder {folder} ({error.strerror}): name another with {option}"
        ) from error
    return whole


def warm_up(engine: Engine, dry_run: bool) -> None:
    """Let workers begin to import torch while this process still plans.

    Raises:
        UserError: what the engine needs is not installed.
    """
    if engine is Engine.ray:
        from bench.runs.engines.choose import require_ray

        require_ray()
    if engine is Engine.process and not dry_run:
        from bench.runs.engines.process import warm_up

        warm_up()


def finish(work: Callable[[], int]) -> NoReturn:
    """Do the work of a verb and end with its exit code."""
    if came():  # while modules were imported, one of which went on
        raise KeyboardInterrupt
    raise typer.Exit(work())


class Verbs(TyperGroup):
    """All verbs: whatever one of them is doing, Ctrl-C ends it with one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        with noted():
            try:
                return super().invoke(ctx)
            except typer.Exit:
                raise
            except BaseException as error:
                if came() or isinstance(error, KeyboardInterrupt):
                    raise typer.Exit(interrupted()) from None  # typer ends without a word
                raise
