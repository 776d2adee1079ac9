"""The facts and the class attributes of a plug-in, whatever its kind."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from bench.conformance.check import FailedCheck, check
from bench.contracts.plugins.plugin import BASES, Plugin
from bench.contracts.source_files import files_of, parsed

NEAR = 0.8
"""How alike two names are, of 1, if one may be a slip for the other."""


class Subject(Protocol):
    """What a check looks at: at least a plug-in."""

    @property
    def plugin(self) -> Plugin:
        """The plug-in."""


@check(
    "attributes",
    "correct the spelling, or remove it; an underscore marks an attribute of your own",
)
def attributes(subject: Subject) -> None:
    """Each public attribute and function of the class is one of the contract's, or is used."""
    plugin = subject.plugin
    known, used = _names_of(plugin), _used_names(plugin)
    for class_name, name, is_data in _public_names(plugin):
        if name in known or name in used:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
        if near:
            raise FailedCheck(f"{class_name}.{name} is unknown: did you mean '{near[0]}'?")
        if is_data:
            raise FailedCheck(f"{class_name}.{name} is unknown: nothing reads it")


def require_text(plugin: Plugin, *names: str) -> None:
    """Check that class attributes are texts that are not empty.

    Raises:
        FailedCheck: one is not.
    """
    kind = plugin.load()
    for name in names:
        value = getattr(kind, name, None)
        if not isinstance(value, str) or not value.strip():
            raise FailedCheck(f"{name} is {value!r}, expected a text")


def _names_of(plugin: Plugin) -> list[str]:
    """Return the names that the contract of a plug-in has."""
    bases: Iterable[Any] = plugin.load().__mro__
    names: set[str] = set()
    for base in bases:
        if base.__name__ == BASES[plugin.kind] and base.__module__.startswith("bench."):
            names |= {*vars(base), *getattr(base, "__annotations__", ())}
    return sorted(name for name in names if not name.startswith("_"))


def _used_names(plugin: Plugin) -> set[str]:
    """Return the names that follow a dot in its files, and those that a base of it declares."""
    nodes = (node for path in files_of(plugin.path, plugin.module) if path.suffix == ".py"
             for node in ast.walk(parsed(path)))  # fmt: skip
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for base in plugin.load().__mro__[1:]:
        used |= {*vars(base), *getattr(base, "__annotations__", ())}
    return used


def _public_names(plugin: Plugin) -> Iterator[tuple[str, str, bool]]:
    """Yield the class, the name and whether it holds a value, for each public name of the body.

    The body of a base in the same file counts as well.
    """
    classes = {
        node.name: node for node in parsed(plugin.path).body if isinstance(node, ast.ClassDef)
    }
    for base in plugin.load().__mro__:
        node = classes.get(base.__name__)
        for item in node.body if node is not None else ():
            if isinstance(item, ast.FunctionDef):
                names, is_data = [item.name], False
            elif isinstance(item, ast.Assign):
                names, is_data = [ast.unparse(target) for target in item.targets], True
            elif isinstance(item, ast.AnnAssign) and item.value is not None:
                names, is_data = [ast.unparse(item.target)], True
            else:
                continue
            yield from (
                (base.__name__, name, is_data) for name in names if not name.startswith("_")
            )
