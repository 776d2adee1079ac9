"""Finds the plug-ins that installed packages offer, without importing the packages.

A package offers plug-ins through entry points of the groups below. The value of an entry point is a
module or a class of one, `package.module` or `package.module:Class`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from bench.contracts.plugins.plugin import Kind, Plugin
from bench.contracts.plugins.scan import scan
from bench.utils.errors import UserError

GROUPS: dict[str, Kind | None] = {
    "contentbench.methods": "method",
    "contentbench.metrics": "metric",
    "contentbench.tasks": "task",
    "contentbench": None,
}
"""The kind of plug-in that each group of entry points names; None for all kinds."""


@dataclass(frozen=True)
class Entry:
    """An entry point of an installed package."""

    point: EntryPoint
    kind: Kind | None

    def __str__(self) -> str:
        package = f" of package {self.point.dist.name}" if self.point.dist else ""
        return f"entry point {self.point.name}{package}"

    def plugins(self) -> list[Plugin]:
        """Return the plug-ins that it names.

        Raises:
            UserError: its module does not exist, cannot be read, or holds no such plug-in.
        """
        path = module_file(self.point.module)
        found = scan(path, self.kind, self.point.module)
        if self.point.attr:
            found = [plugin for plugin in found if plugin.class_name == self.point.attr]
        if not found:
            what = f"class {self.point.attr} that is a" if self.point.attr else "class that is a"
            raise UserError(
                f"{path} holds no {what} {self.kind or 'plug-in'} with a literal `name`"
            )
        if self.point.dist is None:
            return found
        package = self.point.dist.name, self.point.dist.version
        return [replace(plugin, package=package) for plugin in found]


def entries() -> Iterator[Entry]:
    """Yield the entry points of all installed packages that offer plug-ins."""
    for group, kind in GROUPS.items():
        for point in entry_points(group=group):
            yield Entry(point, kind)


def module_file(name: str) -> Path:
    """Return the file of an installed module. Neither it nor its packages are imported.

    Raises:
        UserError: there is no such module.
    """
    top, *rest = name.split(".")
    try:
        spec: ModuleSpec | None = find_spec(top)  # finders of editable installs know only this name
        for at in range(len(rest)):
            places = spec.submodule_search_locations if spec else None
            whole = ".".join([top, *rest[: at + 1]])
            spec = PathFinder.find_spec(whole, places) if places is not None else None
    except (ImportError, ValueError) as error:
        raise UserError(f"cannot find module {name}: {error}") from error
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise UserError(f"there is no module {name}")
    return Path(spec.origin).resolve()
