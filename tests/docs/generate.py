"""Parts of pages that come from the code. A page has `<!--generate: NAME-->` where one belongs."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

import bench
from bench.contracts.metric import MetricInfo
from bench.contracts.registry import Plugin, Registry
from tests.cli.surface import VERBS, flags_of
from tests.helpers import ROOT

RETURNED = ("bench.models.load.Model", "bench.html.page.Report")
"""Classes that public functions return, and that have no public name."""
MARK = re.compile(r"<!--generate: (\w+)-->")


def completed(text: str) -> str:
    """Return a page with all parts that come from the code."""
    return MARK.sub(lambda found: PARTS[found[1]](), text)


def metrics() -> str:
    """Return a table of all numbers for each group, from their `MetricInfo`."""
    registry = Registry()
    sources = {
        info.id: plugin for plugin in registry.all("metric") for info in plugin.facts["numbers"]
    }
    parts: list[str] = []
    for group, infos in groupby(registry.infos().values(), key=lambda info: info.group):
        head = ["| id | unit | better | meaning | needs | computed in |", "|---" * 6 + "|"]
        rows = [_metric_row(info, sources[info.id]) for info in infos]
        parts += [f"## {group}", "", *head, *rows, ""]
    return "\n".join(parts)


def _metric_row(info: MetricInfo, plugin: Plugin) -> str:
    needs = [f"`{need}`" for need in info.needs] + ["the truth"] * info.needs_truth
    path = plugin.path.resolve().relative_to(ROOT.resolve())
    cells = [
        f"`{info.id}`", info.unit or "-", info.better, _cell(info.meaning),
        ", ".join(needs) or "-", f"[{plugin.name}](../../{path.as_posix()})",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def commands() -> str:
    """Return each verb with what it does, its options and its examples."""
    return "\n".join(line for name, command in VERBS.items() for line in _verb(name, command))


def _verb(name: str, command: Any) -> list[str]:
    help_text, _, rest = _plain(command.help).partition("\n\n")
    lines = [f"## {name}", "", " ".join(help_text.split()), "", rest, ""]
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    words = [one for one in shown if not flags_of(one).startswith("-")]
    usage = " ".join([name, *map(flags_of, words), "[OPTIONS]"])
    lines += ["```text", f"python -m bench {usage}", "```", ""]
    panels: dict[str, list[str]] = {}  # in the order of the help
    for one in shown:
        panel = getattr(one, "rich_help_panel", None)
        title = panel or ("Arguments" if one in words else "Options")
        panels.setdefault(title, []).append(_option_row(one))
    for title, rows in panels.items():
        lines += [f"| {title} | what it is |", "|---|---|", *rows, ""]
    examples = re.findall(r"python -m bench .+", _plain(command.epilog or ""))
    return [*lines, "```bash", *examples, "```", ""]


def _option_row(option: Any) -> str:
    flags = flags_of(option)
    if option.metavar and flags.startswith("-"):
        flags += f" {option.metavar}"
    return f"| `{_cell(flags)}` | {_cell(_plain(option.help or 'Show the options.'))} |"


def _plain(text: str) -> str:
    """Return a help text without the marks of the terminal."""
    return re.sub(r"(?<!\\)\[/?[a-z ]*\]", "", text).replace("\\[", "[").replace("\b", "")


def _cell(text: str) -> str:
    """Return a text that is safe in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def python() -> str:
    """Return what mkdocstrings replaces by the docstring of each public name."""
    names = [name for name in bench.__all__ if not name.startswith("_")]
    functions = [name for name in names if name[0].islower()]
    classes = [name for name in names if not name[0].islower()]
    returned = [name for name in RETURNED if name.rpartition(".")[2] not in names]
    parts = (("Functions", [f"bench.{name}" for name in functions]), ("What they return", returned),
             ("Contracts", [f"bench.{name}" for name in classes]))  # fmt: skip
    return "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(f"::: {name}" for name in of) for title, of in parts
    )


PARTS: dict[str, Callable[[], str]] = {"metrics": metrics, "commands": commands, "python": python}
