"""The listing of verbs and options that `surface.txt` keeps.

Renew it after a change that is meant: `python -m tests.cli.surface`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from bench.cli.main import app

FILE = Path(__file__).with_name("surface.txt")


def verbs(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each verb by the words that call it, as in `data get`."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


VERBS = dict(verbs())
"""All verbs by the words that call them."""


def verb_of(words: list[str]) -> tuple[str, list[str]]:
    """Return the verb that begins a command, and the words after it."""
    for count in (2, 1):
        if (verb := " ".join(words[:count])) in VERBS:
            return verb, words[count:]
    raise AssertionError(f"no verb: {words}")


def listing() -> str:
    """Return all verbs with their arguments and options, each with its default."""
    lines: list[str] = []
    for name, command in verbs():
        lines += ["", name, *(f"    {_line(parameter)}" for parameter in command.params)]
    return "\n".join(lines[1:]) + "\n"


def flags_of(parameter: Any) -> str:
    """Return the flags of an option, as in `--golden/--no-golden`, or the name of an argument."""
    flags = "/".join([*parameter.opts, *parameter.secondary_opts])
    return flags if flags.startswith("-") else parameter.metavar or parameter.name.upper()


def _line(parameter: Any) -> str:
    words = [flags_of(parameter)]
    if parameter.required:
        words.append("(required)")
    elif parameter.default not in (None, False, (), ""):
        words.append(f"= {getattr(parameter.default, 'value', parameter.default)}")
    if parameter.multiple if hasattr(parameter, "multiple") else parameter.nargs == -1:
        words.append("(repeatable)")
    if getattr(parameter, "hidden", False):
        words.append("(hidden: an old form)")
    return " ".join(words)


if __name__ == "__main__":
    FILE.write_text(listing(), "utf-8")
    print(f"wrote {FILE}")
