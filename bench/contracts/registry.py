"""Finds plug-ins by name: a file in the suite's folders, an installed entry point, or a given file.

The suite finds its own folders by path, so a folder `methods` in the user's working directory does
not shadow them. Names, summaries and the facts of metrics are read from the source text, so that no
plug-in has to run.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import Group, MetricInfo
from bench.contracts.plugins.installed import entries
from bench.contracts.plugins.plugin import BASES, FOLDERS, Kind, Plugin
from bench.contracts.plugins.scan import scan
from bench.utils.errors import UserError, unknown

__all__ = ["NAME", "RESERVED", "Kind", "Plugin", "Registry", "families", "shipped_infos"]

RESERVED = {"all", *ANCHORS}
"""Reserved names that no method may have: the word `all`, and the anchors."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,59}")
"""Matches valid names of plug-ins: words that are easy to type and safe in lists and tables."""


class Registry:
    """All available plug-ins, including those of the given files.

    skipped: one line, with the reason, for each file of the suite's folders and each entry point of
    an installed package that cannot be used. It does not stop the suite. The files of a folder are
    read when their kind is first asked for.

    Raises:
        UserError: a given file does not exist, holds no plug-in or cannot be used, or two plug-ins
            have one name.
    """

    def __init__(self, files: Iterable[Path] = ()) -> None:
        self._found: dict[Kind, dict[str, Plugin]] = {}
        self._reasons: dict[tuple[Kind | None, str], str] = {}
        self.skipped: list[str] = []
        for entry in entries():
            try:
                plugins = [_checked(plugin) for plugin in entry.plugins()]
            except UserError as error:
                self._leave_out(entry.kind, entry.point.name, str(entry), error)
            else:
                self._take(plugins)
        for path in files:
            if not path.is_file():
                raise UserError(f"no plug-in file {path}")
            plugins = scan(path.resolve())
            if not plugins:
                raise UserError(
                    f"{path} holds no plug-in: expected a class with a literal `name` that derives "
                    f"from {' or '.join(BASES.values())}"
                )
            self._take([_checked(plugin) for plugin in plugins])

    def _of(self, kind: Kind) -> dict[str, Plugin]:
        """Return the plug-ins of a kind by name. Those of the suite are read at the first call."""
        if kind not in self._found:
            self._found[kind] = {}
            for path in sorted(FOLDERS[kind].glob("*.py")):
                try:
                    plugins = [_checked(plugin) for plugin in scan(path, kind)]
                except UserError as error:
                    self._leave_out(kind, path.stem, f"{kind} {path.stem}", error)
                else:
                    self._take(plugins)
        return self._found[kind]

    def _leave_out(self, kind: Kind | None, name: str, what: str, error: UserError) -> None:
        self._reasons[kind, name] = str(error)
        self.skipped.append(f"{what}: {error}")

    def _take(self, plugins: list[Plugin]) -> None:
        """Add plug-ins.

        Raises:
            UserError: another one has the name, or gives the number.
        """
        for plugin in plugins:
            known = self._of(plugin.kind).setdefault(plugin.name, plugin)
            if (known.path, known.class_name) != (plugin.path, plugin.class_name):
                raise UserError(
                    f"two plug-ins are named '{plugin.name}': {known.class_name} in {known.path} "
                    f"and {plugin.class_name} in {plugin.path}: rename one of them"
                )
            if plugin.kind == "metric":
                self._check_numbers(plugin)

    def _check_numbers(self, plugin: Plugin) -> None:
        """Reject a metric with a number that another family already has."""
        ids = {info.id for info in plugin.facts["numbers"]}
        for other in self._of("metric").values():
            both = ids & {info.id for info in other.facts["numbers"]}
            if both and other.name != plugin.name:
                raise UserError(f"{plugin.path}: {other.path} gives {min(both)} already")

    def all(self, kind: Kind) -> list[Plugin]:
        """Return the plug-ins of a kind, sorted by name."""
        return [plugin for _, plugin in sorted(self._of(kind).items())]

    def giving(self, ids: Container[str]) -> list[Plugin]:
        """Return the metrics that give at least one of these numbers, sorted by name.

        The others need not be loaded, so one that is broken does no harm.
        """
        return [
            plugin
            for plugin in self.all("metric")
            if any(info.id in ids for info in plugin.facts["numbers"])
        ]

    def infos(self) -> dict[str, MetricInfo]:
        """Return the facts of each metric by id, in the order of the tables."""
        families = sorted(self.all("metric"), key=lambda plugin: plugin.facts.get("position", 100))
        found = {info.id: info for plugin in families for info in plugin.facts["numbers"]}
        groups = get_args(Group)
        return dict(sorted(found.items(), key=lambda item: groups.index(item[1].group)))

    def find(self, kind: Kind, name: str) -> Plugin:
        """Return a plug-in by name. In the name of a task, only the word before the colon counts.

        Raises:
            UserError: there is no such plug-in.
        """
        if kind == "task":
            name = name.partition(":")[0]
        if name not in self._of(kind):
            self.require_usable(kind, name)
            raise unknown(kind, name, self._of(kind))
        return self._of(kind)[name]

    def require_usable(self, kind: Kind, name: str) -> None:
        """Raise an error if a name is that of a plug-in that was left out.

        Raises:
            UserError: it was; the message gives the reason.
        """
        for known in (kind, None):
            if reason := self._reasons.get((known, name)):
                raise UserError(f"{kind} '{name}' is unavailable: {reason}")


def _checked(plugin: Plugin) -> Plugin:
    """Return a plug-in whose name, and whose numbers if it is a metric, can be used.

    Raises:
        UserError: they cannot.
    """
    _check_name(plugin, plugin.kind, plugin.name)
    if plugin.kind == "method" and plugin.name in RESERVED:
        raise UserError(f"{plugin.path}: the name '{plugin.name}' is the suite's own")
    if plugin.kind != "metric":
        return plugin
    numbers = plugin.facts.get("numbers")
    if isinstance(numbers, str):
        raise UserError(f"{plugin.path}: metric '{plugin.name}': {numbers}")
    if not numbers:
        raise UserError(
            f"{plugin.path}: metric '{plugin.name}' has no literal `numbers`: expected a tuple "
            "of calls MetricInfo(id=..., unit=..., better=..., meaning=...)"
        )
    ids = [info.id for info in numbers]
    for name in ids:
        _check_name(plugin, "number", name)
    if len(set(ids)) < len(ids):
        raise UserError(f"{plugin.path}: metric '{plugin.name}' gives a number twice")
    return plugin


def _check_name(plugin: Plugin, what: str, name: Any) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            f"{plugin.path}: a {what} is named {name!r}, expected a word of at most 60 ASCII "
            "letters, digits, '-', '_' or '+' that begins with a letter or digit: rename it"
        )


@cache
def shipped_infos() -> dict[str, MetricInfo]:
    """Return the facts of each metric that comes with the suite or with an installed package."""
    return Registry().infos()


def families(registry: Registry, wanted: Sequence[str]) -> dict[str, int]:
    """Return the version of each wanted metric id."""
    versions: dict[str, int] = {}
    for plugin in registry.giving(wanted):
        ids = [info.id for info in plugin.facts["numbers"] if info.id in wanted]
        versions |= dict.fromkeys(ids, plugin.version())
    return versions
