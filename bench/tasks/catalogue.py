"""The verb `data`: where the images of tasks are, fetching them, showing them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.contracts.task import PARTS, Options, Task
from bench.tasks.options import flag
from bench.utils.errors import UserError
from bench.utils.output.console import print_table, say

if TYPE_CHECKING:
    from bench.contracts.registry import Plugin
    from bench.contracts.task import TaskData

DOMAINS = "ABCDEFGH"


def show_tasks(console: Console, plugins: Iterable[Plugin], options: Options) -> None:
    """Print each task with where its images are, or what to do where they are not."""
    rows = [(plugin.name, _where(plugin.load(), options)) for plugin in plugins]
    print_table(console, ("task", "its images"), rows)


def _where(kind: type[Task], options: Options) -> str:
    """Return where the images of a task are, or what to do where they are not."""
    if asked := [flag(name) for name in kind.needs if getattr(options, name) is None]:
        return f"yours: give {' and '.join(asked)}"
    task = kind(options)
    return task.missing() or ("embedded" if task.home is None else f"found in {task.home}")


def get(console: Console, task: Task) -> None:
    """Fetch the files of a task where they are not there yet.

    Raises:
        UserError: they cannot be fetched; it says what to do by hand.
    """
    if task.home is None:
        say(console, f"{task.name} is embedded: there is nothing to get")
        return
    task.fetch()
    if missing := task.missing():
        raise UserError(f"{task.name}: {missing}")
    say(console, f"{task.name}: complete in {task.home}")


def show(console: Console, data: TaskData, sheet: Path) -> None:
    """Print how many images and values of factors a task has, and draw a sheet of it.

    Raises:
        UserError: the sheet cannot be written.
    """
    from bench.tasks.sheet import draw_sheet

    places = [(part, at) for part in PARTS for at in range(len(data.domains[part]))]
    heads = tuple(f"{part} {DOMAINS[at]}" for part, at in places)
    domains = [data.domains[part][at] for part, at in places]
    rows = [("images", "", *(str(len(domain.images)) for domain in domains))]
    for column, factor in enumerate(data.factors):
        name = f"{factor.name}{' (separate)' if factor.separate else ''}"
        for value, word in ((-1, "not shown"), *enumerate(factor.values)):
            counts = [int((domain.factors[:, column] == value).sum()) for domain in domains]
            if value >= 0 or any(counts):
                rows.append((name, word, *map(str, counts)))
                name = ""
    print_table(console, ("factor", "value", *heads), rows)
    truth = "true results are known" if data.truth is not None else "no true results"
    label = f"; the label is {data.label}" if data.label else ""
    about = f"{data.spec.size} px, fingerprint {data.fingerprint}, {truth}{label}"
    say(console, f"{data.name}: {about}")
    try:
        draw_sheet(sheet, data)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {sheet} ({reason}): name another file with --out") from error
    say(console, f"wrote {sheet}")
