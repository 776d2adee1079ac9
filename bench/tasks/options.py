"""What a user says of a task's images: checked against what the task takes, and told in words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bench.contracts.registry import Registry
from bench.contracts.task import Options, Task
from bench.utils.errors import UserError, unknown

OWN = tuple(field.name for field in fields(Options) if field.name != "cache")
"""The options that say something of images."""
WHY = {
    "a": "the folder of images without the extra content",
    "b": "the folder of images with it",
    "data_root": "the folder that holds the data set",
}


def tasks_of(registry: Registry, names: Sequence[str], options: Options) -> dict[str, Task]:
    """Return tasks by their own names; each gets the options that it takes.

    Raises:
        UserError: a task does not exist or lacks an option, or none takes one that is given.
    """
    tasks = [task_of(registry, name, options) for name in dict.fromkeys(names)]
    check_taken(registry, tasks, options)
    return {task.name: task for task in tasks}


def check_taken(registry: Registry, tasks: Sequence[Task], options: Options) -> None:
    """Make sure that each option that is given is taken by a task.

    Raises:
        UserError: one is taken by none.
    """
    for option in given(options):
        if not any(option in task.takes for task in tasks):
            takers = [p.name for p in registry.all("task") if option in p.facts.get("takes", ())]
            raise UserError(
                f"{flag(option)}: task {', '.join(task.name for task in tasks)} takes no such "
                f"option; it is for --task {', '.join(takers)}"
            )


def task_of(registry: Registry, name: str, options: Options) -> Task:
    """Return a task with those of the options that it takes.

    Raises:
        UserError: there is no such task, or an option is missing or is not what it must be.
    """
    plugin = registry.find("task", name)
    kind: type[Task] = plugin.load()
    for option in kind.needs:
        if getattr(options, option) is None:
            raise UserError(f"--task {plugin.name} needs {flag(option)} DIR: {WHY[option]}")
    if "split" in kind.takes and options.split not in (None, *kind.splits):
        raise unknown(f"--split of task {plugin.name}", str(options.split), kind.splits)
    left = [option for option in OWN if option not in kind.takes]
    plain = Options()
    task = kind(replace(options, **{option: getattr(plain, option) for option in left}))
    if name not in (plugin.name, task.name):
        raise UserError(f"--task {name}: the given folders make it {task.name}")
    return task


def flag(option: str) -> str:
    """Return how an option is written."""
    return "--" + option.replace("_", "-")


def given(options: Options) -> dict[str, Any]:
    """Return the options that differ from their defaults, as JSON; paths in full."""
    plain = Options()
    chosen = {name: getattr(options, name) for name in OWN}
    return {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in chosen.items()
        if value != getattr(plain, name)
    }


def from_json(said: Mapping[str, Any], cache: Path | None) -> Options:
    """Return the options that `given` has said."""
    typed: dict[str, Any] = {
        name: Path(value) if name in WHY else value for name, value in said.items() if name in OWN
    }
    return Options(**typed, cache=cache)


def words(said: Mapping[str, Any]) -> list[str]:
    """Return the options that `given` has said as they are typed."""
    return [
        flag(name) if value is True else f"{flag(name)} {shlex.quote(value)}"
        for name, value in said.items()
    ]
