"""A plug-in: a class in a file, known from its source text and loaded at its first use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.contracts.metric import Settings
from bench.contracts.plugins.load import module_of
from bench.contracts.source_config import Fields, config_fields
from bench.contracts.source_files import source_hash
from bench.utils.errors import UserError

Kind = Literal["method", "metric", "task"]
_BENCH = Path(__file__).resolve().parents[2]
FOLDERS: dict[Kind, Path] = {
    "method": (_BENCH / "methods").resolve(),
    "metric": (_BENCH / "metrics").resolve(),
    "task": _BENCH / "tasks",
}
BASES: dict[Kind, str] = {"method": "Method", "metric": "Metric", "task": "Task"}


@dataclass(frozen=True)
class Plugin:
    """A plug-in class in a file, with its literal class attributes.

    gaps: what `unavailable` of a metric says of a setting that is None, by the setting's name; None
    if its source does not tell. asks: whether `unavailable` looks at more than that. variant_of:
    the method of the same file that this one derives from and shares the `Config` of; '' if there
    is none. module: the import name of a module of an installed package; '' for other files.
    package: the name and the version of that package; None for other files.
    """

    kind: Kind
    name: str
    class_name: str
    path: Path
    facts: dict[str, Any]
    gaps: dict[str, str] | None = None
    asks: bool = True
    variant_of: str = ""
    module: str = ""
    package: tuple[str, str] | None = None

    def load(self) -> Any:
        """Return the class.

        Raises:
            UserError: its file cannot be imported.
        """
        module = self.module
        if self.shipped:
            module = f"bench.{self.kind}s.{self.path.stem}"
        found = getattr(module_of(self.path, module), self.class_name, None)
        if not isinstance(found, type):
            raise UserError(f"{self.path} defines no class {self.class_name} when it is imported")
        missing: frozenset[str] = getattr(found, "__abstractmethods__", frozenset())
        if self.kind == "method" and not (missing or hasattr(found, "Config")):
            raise UserError(f"{self.path}: method '{self.name}' has no Config")
        if missing:
            names = ", ".join(sorted(missing))
            raise UserError(f"{self.path}: {self.kind} '{self.name}' does not define {names}")
        return found

    @property
    def shipped(self) -> bool:
        """Whether it comes with the suite, whose tests load every plug-in."""
        return self.path.parent == FOLDERS[self.kind]

    @property
    def installed(self) -> bool:
        """Whether an installed package offers it. The user may not know of it."""
        return bool(self.module)

    def version(self) -> int:
        """Return the version of a metric. That of a file that the user names is asked of it."""
        known = self.facts.get("version")
        if (self.shipped or self.installed) and isinstance(known, int):
            return known
        return int(self.load().version)

    def unavailable(self, settings: Settings) -> str:
        """Return why a metric cannot be computed with these settings, or ''.

        Raises:
            UserError: a setting that concerns it is wrong.
        """
        if self.installed and (reason := self.why_broken()):
            return reason
        if not self.shipped or self.gaps is None:
            return str(self.load()().unavailable(settings))
        for name, reason in self.gaps.items():
            if getattr(settings, name) is None:
                return reason
        return str(self.load()().unavailable(settings)) if self.asks else ""

    def why_broken(self) -> str:
        """Return why it cannot be loaded, or ''."""
        try:
            self.load()
        except UserError as error:
            return str(error)
        return ""

    def config_fields(self) -> Fields | None:
        """Return the types and defaults of a method's Config, or None if it must be loaded."""
        return config_fields(self.path, self.class_name)

    def source_hash(self) -> str:
        """Return the hash of its code and weights (see `bench.contracts.source_files`)."""
        return source_hash(self.path, self.module)
