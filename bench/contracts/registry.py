"""Finds plug-ins by name: a file in the suite's folders, an installed entry point, or a given file.

The suite finds its own folders by path, so a folder `methods` in the user's working directory does
not shadow them. Names, summaries and the facts of metrics are read from the source text, so that no
plug-in has to run.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, get_args

from bench.contracts.anchors import ANCHORS
from bench.contracts.metric import Group, MetricInfo, Settings
from bench.contracts.source_config import Fields, config_fields
from bench.contracts.source_facts import gaps_in, has_own_config, literals
from bench.contracts.source_files import WEIGHTS, files_beside, parsed, source_hash
from bench.utils.errors import UserError, unknown


def families(registry: Registry, wanted: Sequence[str]) -> dict[str, int]:
    """Return the version of each wanted metric id."""
    versions: dict[str, int] = {}
    for plugin in registry.all("metric"):
        version, ids = plugin.version(), [info.id for info in plugin.facts["numbers"]]
        versions |= {name: version for name in ids if name in wanted}
    return versions


Kind = Literal["method", "metric", "task"]
T = TypeVar("T")
_BENCH = Path(__file__).resolve().parents[1]
FOLDERS: dict[Kind, Path] = {
    "method": (_BENCH / "methods").resolve(),
    "metric": (_BENCH / "metrics").resolve(),
    "task": _BENCH / "tasks",
}
RESERVED = {"all", *ANCHORS}
"""Reserved names that no method may have: the word `all`, and the anchors."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,59}")
"""Matches valid names of plug-ins: words that are easy to type and safe in lists and tables."""
BASES: dict[Kind, str] = {"method": "Method", "metric": "Metric", "task": "Task"}


@dataclass(frozen=True)
class Plugin:
    """A plug-in class in a file, with its literal class attributes.

    gaps: what `unavailable` of a metric says of a setting that is None, by the setting's name; None
    if its source does not tell. asks: whether `unavailable` looks at more than that. variant_of:
    the method of the same file that this one derives from and shares the `Config` of; '' if there
    is none.
    """

    kind: Kind
    name: str
    class_name: str
    path: Path
    facts: dict[str, Any]
    gaps: dict[str, str] | None = None
    asks: bool = True
    variant_of: str = ""

    def load(self) -> Any:
        """Return the class.

        Raises:
            UserError: its file cannot be imported.
        """
        found = getattr(_module(self.kind, self.path), self.class_name)
        if self.kind == "method" and not (found.__abstractmethods__ or hasattr(found, "Config")):
            raise UserError(f"{self.path}: method '{self.name}' has no Config")
        if found.__abstractmethods__:
            missing = ", ".join(sorted(found.__abstractmethods__))
            raise UserError(f"{self.path}: {self.kind} '{self.name}' does not define {missing}")
        return found

    @property
    def shipped(self) -> bool:
        """Whether it comes with the suite, whose tests load every plug-in."""
        return self.path.parent == FOLDERS[self.kind]

    def version(self) -> int:
        """Return the version of a metric. One that comes with the suite is read from its source."""
        known = self.facts.get("version")
        return known if self.shipped and isinstance(known, int) else int(self.load().version)

    def unavailable(self, settings: Settings) -> str:
        """Return why a metric cannot be computed with these settings, or ''.

        Raises:
            UserError: a setting that concerns it is wrong.
        """
        if not self.shipped or self.gaps is None:
            return str(self.load()().unavailable(settings))
        for name, reason in self.gaps.items():
            if getattr(settings, name) is None:
                return reason
        return str(self.load()().unavailable(settings)) if self.asks else ""

    def config_fields(self) -> Fields | None:
        """Return the types and defaults of a method's Config, or None if it must be loaded."""
        return config_fields(self.path, self.class_name)

    def source_hash(self) -> str:
        """Return the hash of its code and weights (see `bench.contracts.source_files`)."""
        return source_hash(self.path)


class Registry:
    """All available plug-ins, including those of the given files.

    skipped: one line, with the reason, for each unusable entry point of an installed package. A
    broken package does not stop the suite.

    Raises:
        UserError: a given file does not exist, holds no plug-in, or takes a name that is in use.
    """

    def __init__(self, files: Iterable[Path] = ()) -> None:
        self._found: dict[Kind, dict[str, Plugin]] = {}
        self.skipped: list[str] = []
        for entry in entry_points(group="contentbench"):
            try:
                self._take(_scan(_module_file(entry.module)))
            except UserError as error:
                package = f" of package {entry.dist.name}" if entry.dist else ""
                self.skipped.append(f"entry point {entry.name}{package}: {error}")
        for path in files:
            if not path.is_file():
                raise UserError(f"no plug-in file {path}")
            plugins = _scan(path.resolve())
            if not plugins:
                raise UserError(
                    f"{path} holds no plug-in: expected a class with a literal `name` that derives "
                    f"from {' or '.join(BASES.values())}"
                )
            self._take(plugins)

    def _of(self, kind: Kind) -> dict[str, Plugin]:
        """Return the plug-ins of a kind by name. Those of the suite are read at the first call."""
        if kind not in self._found:
            self._found[kind] = {}
            for path in sorted(FOLDERS[kind].glob("*.py")):
                self._take(_scan(path, kind))
        return self._found[kind]

    def _take(self, plugins: list[Plugin]) -> None:
        for plugin in plugins:
            _check_name(plugin, plugin.kind, plugin.name)
            if plugin.kind == "method" and plugin.name in RESERVED:
                raise UserError(f"{plugin.path}: the name '{plugin.name}' is the suite's own")
            if plugin.kind == "metric":
                self._check_metric(plugin)
            known = self._of(plugin.kind).setdefault(plugin.name, plugin)
            if known.path != plugin.path:
                raise UserError(
                    f"two plug-ins are named '{plugin.name}': {known.path} and {plugin.path}"
                )

    def _check_metric(self, plugin: Plugin) -> None:
        """Reject a metric that has no numbers, or a number that another family already has."""
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
        for other in self._of("metric").values():
            both = set(ids) & {info.id for info in other.facts["numbers"]}
            if both and other.path != plugin.path:
                raise UserError(f"{plugin.path}: {other.path} gives {min(both)} already")

    def all(self, kind: Kind) -> list[Plugin]:
        """Return the plug-ins of a kind, sorted by name."""
        return [plugin for _, plugin in sorted(self._of(kind).items())]

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
            raise unknown(kind, name, self._of(kind))
        return self._of(kind)[name]


def _check_name(plugin: Plugin, what: str, name: Any) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(
            f"{plugin.path}: a {what} is named {name!r}, expected a word of at most 60 ASCII "
            "letters, digits, '-', '_' or '+' that begins with a letter or digit: rename it"
        )


def _module_file(name: str) -> Path:
    """Return the file of an installed module without importing it.

    Raises:
        UserError: there is no such module.
    """
    try:
        spec = importlib.util.find_spec(name)
    except Exception as error:  # `find_spec` imports parent packages, which may raise anything
        raise UserError(f"cannot find module {name}: {error}") from error
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise UserError(f"there is no module {name}")
    return Path(spec.origin)


def _scan(path: Path, only: Kind | None = None) -> list[Plugin]:
    """Return the plug-ins of a file: the subclasses of a contract that have a literal name.

    A class may also derive from another class of the file.
    """
    tree = parsed(path)
    kinds: dict[str, Kind] = {base: kind for kind, base in BASES.items()}
    facts_of: dict[str, dict[str, Any]] = {}
    gaps_of: dict[str, tuple[dict[str, str] | None, bool]] = {}
    owners: dict[str, str] = {}  # by class, the plug-in whose Config it has
    plugins = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base).rsplit(".", 1)[-1] for base in node.bases]
        base = next((base for base in bases if base in kinds), None)
        if base is None:
            continue
        kind = kinds[node.name] = kinds[base]
        facts = facts_of[node.name] = facts_of.get(base, {}) | literals(node)
        known = all(base in BASES.values() or base in gaps_of for base in bases)
        gaps = gaps_of[node.name] = gaps_in(node, gaps_of.get(base, ({}, False)) if known else None)
        owner = "" if has_own_config(node) else owners.get(base, "")
        if "name" in literals(node) and only in (None, kind):
            plugins.append(Plugin(kind, facts["name"], node.name, path, facts, *gaps, owner))
        owners[node.name] = owner or str(facts.get("name", ""))
    return plugins


@cache
def shipped_infos() -> dict[str, MetricInfo]:
    """Return the facts of each metric that comes with the suite or with an installed package."""
    return Registry().infos()


@cache
def _module(kind: Kind, path: Path) -> ModuleType:
    if path.parent == FOLDERS[kind]:
        name = f"bench.{kind}s.{path.stem}"
        return _guarded(path, lambda: importlib.import_module(name))
    digest = hashlib.blake2b(os.fsencode(path), digest_size=4).hexdigest()
    name = f"_contentbench_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(
            str(path.parent)
        )  # for its helpers; at the end, so that they shadow no other module
    _check_helpers(path)
    return _execute(name, path)


def _check_helpers(path: Path) -> None:
    """Check that each helper that a plug-in imports is really the module beside its file.

    Raises:
        UserError: another module of the same name would be imported instead.
    """
    names = {helper.relative_to(path.parent).parts[0] for helper in files_beside(path)[1:]}
    for name in sorted(names - {WEIGHTS}):
        own = path.parent / name
        for place in _places_of(name.removesuffix(".py")):
            if own not in (place, *place.parents):
                raise UserError(
                    f"{path} imports '{own.stem}', and there are two: {own} and {place}; "
                    "rename one of them"
                )


def _places_of(name: str) -> list[Path]:
    """Return the paths of the module that a name imports. Some packages have several paths."""
    module = sys.modules.get(name)
    spec = module.__spec__ if module else importlib.machinery.PathFinder.find_spec(name)
    if spec is None:
        return []
    places = spec.submodule_search_locations or [spec.origin or name]
    return [Path(place).resolve() for place in places]


def _execute(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"cannot import plug-in {path}: not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    run = spec.loader.exec_module
    try:
        _guarded(path, lambda: run(module))
    except UserError:
        del sys.modules[name]
        raise
    return module


def _guarded(path: Path, run: Callable[[], T]) -> T:
    """Call a function that runs the file of a plug-in, and return its result.

    Raises:
        UserError: the file raises an error or exits.
    """
    try:
        return run()
    except (Exception, SystemExit) as error:
        raise UserError(f"cannot import plug-in {path}: {type(error).__name__}: {error}") from error
