"""The options on the images of a task: checked against the task, and as JSON or command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bench.contracts.registry import Registry
from bench.contracts.task import Options, Task
from bench.utils.errors import UserError, unknown

IMAGE_OPTIONS = tuple(field.name for field in fields(Options) if field.name != "cache")
"""The options that determine images: all but the cache."""
PATHS = {
    "a": "the folder of images without the separate content",
    "b": "the folder of images with it",
    "data_root": "the folder that holds the data set",
    "attributes": "the table of attributes of the images",
}
"""The options that are paths, and what is there."""
FOR_ALL = ("test_seed",)
"""Options that would be misleading if some tasks of a run ignored them."""


def tasks_of(registry: Registry, names: Sequence[str], options: Options) -> dict[str, Task]:
    """Return tasks by their full names, each made with the options that it takes.

    Raises:
        UserError: a task does not exist or lacks an option, or an option fits none of the tasks.
    """
    tasks = [task_of(registry, name, options) for name in dict.fromkeys(names)]
    check_taken(registry, tasks, options)
    return {task.name: task for task in tasks}


def check_taken(registry: Registry, tasks: Sequence[Task], options: Options) -> None:
    """Make sure that at least one task takes each option that differs from its default.

    Options in `FOR_ALL` must be taken by every task.

    Raises:
        UserError: no task takes it, or one that must does not.
    """
    for option in to_json(options):
        taken = [option in task.takes for task in tasks]
        if not (all(taken) if option in FOR_ALL else any(taken)):
            takers = [p.name for p in registry.all("task") if option in p.facts.get("takes", ())]
            raise UserError(
                f"{flag(option)}: task {', '.join(task.name for task in tasks)} does not "
                f"take this option; it is for --task {', '.join(takers)}"
            )


def task_of(registry: Registry, name: str, options: Options) -> Task:
    """Return a task, made with the options that it takes.

    Raises:
        UserError: there is no such task, or an option is missing or wrong.
    """
    plugin = registry.find("task", name)
    kind: type[Task] = plugin.load()
    for option in kind.needs:
        if getattr(options, option) is None:
            raise UserError(f"--task {plugin.name} needs {flag(option)} DIR: {PATHS[option]}")
    if "split" in kind.takes and options.split not in (None, *kind.splits):
        raise unknown(f"--split of task {plugin.name}", str(options.split), kind.splits)
    left = [option for option in IMAGE_OPTIONS if option not in kind.takes]
    plain = Options()
    task = kind(replace(options, **{option: getattr(plain, option) for option in left}))
    if name not in (plugin.name, task.name):
        raise UserError(f"--task {name}: with these folders the task is {task.name}")
    return task


def flag(option: str) -> str:
    """Return an option as it is typed, as in ``--data-root``."""
    return "--" + option.replace("_", "-")


def to_json(options: Options) -> dict[str, Any]:
    """Return the options that differ from their defaults, as JSON; paths are absolute."""
    plain = Options()
    chosen = {name: getattr(options, name) for name in IMAGE_OPTIONS}
    return {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in chosen.items()
        if value != getattr(plain, name)
    }


def from_json(chosen: Mapping[str, Any], cache: Path | None) -> Options:
    """Return the options of a result of `to_json`."""
    typed: dict[str, Any] = {
        name: Path(value) if name in PATHS else value
        for name, value in chosen.items()
        if name in IMAGE_OPTIONS
    }
    return Options(**typed, cache=cache)


def as_typed(chosen: Mapping[str, Any]) -> list[str]:
    """Return the options of a result of `to_json` as words of a command line."""
    return [
        flag(name) if value is True else f"{flag(name)} {shlex.quote(str(value))}"
        for name, value in chosen.items()
    ]
