"""Reads the fields of a method's ``Config`` from its source, so that no method has to run.

A field counts if its type and its default are literals: numbers, texts, tuples of them, and types
of `builtins`, `typing` and `bench.contracts.search`. If a class has any other field, or code that
may change one, nothing is read from it, and the class itself must be imported.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Optional, Union, get_type_hints

from bench.contracts.search import Choice, Range
from bench.contracts.source_files import SHARED, parsed

_TYPES: dict[str, Any] = {
    **{kind.__name__: kind for kind in (bool, int, float, str, tuple, list)},
    "Annotated": Annotated,
    "Literal": Literal,
    "Optional": Optional,
    "Union": Union,
    "Range": Range,
    "Choice": Choice,
    "None": NoneType,
}
_NODES = (
    *(ast.Expression, ast.Name, ast.Load, ast.Subscript, ast.Tuple, ast.Constant, ast.BitOr),
    *(ast.BinOp, ast.Call, ast.keyword, ast.UnaryOp, ast.USub, ast.List),
)
Fields = tuple[dict[str, Any], dict[str, Any]]
"""The type and the default of each field, by name, in the order of the class."""


class NotLiteralError(Exception):
    """A class cannot be read from its source."""


def config_fields(path: Path, class_name: str) -> Fields | None:
    """Return the types and defaults of a method's configuration, as its dataclass has them.

    Returns:
        Both by name, or None if the source does not tell.

    Raises:
        UserError: the file cannot be read, or is not valid Python.
    """
    if path.parent not in SHARED.values() and "__post_init__" in path.read_text("utf-8", "replace"):
        return None  # it may refuse its own defaults
    try:
        return _of_method(class_name, _Source.of(path))
    except NotLiteralError:
        return None


@dataclass(frozen=True)
class _Source:
    """The classes of a file, and the names that it gives to expressions or imports from methods."""

    classes: dict[str, ast.ClassDef]
    names: dict[str, ast.expr]

    @classmethod
    def of(cls, path: Path) -> _Source:
        tree = parsed(path)
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        names = _named(tree)
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_METHODS):
                inside = (node.module or "").removeprefix(_METHODS).replace(".", "/")
                other = SHARED["methods"] / f"{inside}.py"
                theirs = _named(parsed(other)) if other.is_file() else {}
                wanted = {alias.name: alias.asname or alias.name for alias in node.names}
                names |= {wanted[name]: theirs[name] for name in wanted if name in theirs}
        return cls(classes, names)


_METHODS = "bench.methods."


def _named(tree: ast.Module) -> dict[str, ast.expr]:
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    return {ast.unparse(node.targets[0]): node.value for node in assigned}


def _of_method(name: str, source: _Source) -> Fields:
    """Return the fields of the Config of a method, which it may inherit from one in its file."""
    node = source.classes.get(name)
    if node is None:
        raise NotLiteralError
    own = [item for item in node.body if isinstance(item, ast.ClassDef) and item.name == "Config"]
    assigned = [item for item in node.body if isinstance(item, ast.Assign | ast.AnnAssign)]
    named = [at for at in assigned if ast.unparse(at).replace(":", " ").split()[0] == "Config"]
    if len(own) + len(named) > 1:
        raise NotLiteralError
    if own:
        return _of_config(own[0], source)
    if named:
        return _of_name(ast.unparse(named[0]).rpartition("= ")[2], source)
    if len(node.bases) != 1:
        raise NotLiteralError
    return _of_method(ast.unparse(node.bases[0]), source)


def _of_name(name: str, source: _Source) -> Fields:
    """Return the fields of `BaseConfig` or of the Config of another method of the file."""
    owner, _, last = name.rpartition(".")
    if last == "BaseConfig":
        return _of_base()
    if last == "Config" and owner:
        return _of_method(owner, source)
    raise NotLiteralError


def _of_config(node: ast.ClassDef, source: _Source) -> Fields:
    if len(node.bases) != 1 or node.keywords or not _is_plain(node):
        raise NotLiteralError
    types, defaults = _of_name(ast.unparse(node.bases[0]), source)
    for item in node.body:
        if isinstance(item, ast.AnnAssign):
            if not isinstance(item.target, ast.Name) or item.value is None:
                raise NotLiteralError
            field = item.target.id
            annotation = source.names.get(ast.unparse(item.annotation), item.annotation)
            types[field], defaults[field] = _type(annotation), _value(item.value)
        elif isinstance(item, ast.Assign | ast.ClassDef):
            raise NotLiteralError
    return types, defaults


def _is_plain(node: ast.ClassDef) -> bool:
    """Return whether a Config is a frozen dataclass whose code cannot change a default."""
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    names = {found.attr for found in ast.walk(node) if isinstance(found, ast.Attribute)}
    names |= {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    return (
        marks == ["dataclass(frozen=True)"]
        and not names & {"setattr", "__setattr__", "__dict__", "object_setattr"}
        and not methods & {"__init__", "__new__", "__setattr__", "__getattribute__"}
    )


def _of_base() -> Fields:
    """Return the fields that all methods share, from the source of their contract."""
    path = Path(__file__).with_name("method.py")
    node = next(
        item
        for item in parsed(path).body
        if isinstance(item, ast.ClassDef) and item.name == "BaseConfig"
    )
    types, defaults = {}, {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value:
            types[item.target.id] = _type(item.annotation)
            defaults[item.target.id] = _value(item.value)
    return types, defaults


def _value(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except ValueError as error:
        raise NotLiteralError from error
    if not _is_simple(value):
        raise NotLiteralError
    return value


def _is_simple(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_simple, value))
    return value is None or isinstance(value, bool | int | float | str)


def _type(node: ast.expr) -> Any:
    """Return the type that an annotation names, without the marks of a search."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        raise NotLiteralError
    for part in ast.walk(node):
        if not isinstance(part, _NODES):
            raise NotLiteralError
        if isinstance(part, ast.Name) and part.id not in _TYPES:
            raise NotLiteralError
        if isinstance(part, ast.Call) and ast.unparse(part.func) not in ("Range", "Choice"):
            raise NotLiteralError

    def holder() -> None: ...

    try:
        code = compile(ast.Expression(node), "annotation", "eval")
        found = eval(code, {"__builtins__": {}}, _TYPES)  # only names of _TYPES, checked above
        holder.__annotations__ = {"field": found}
        return get_type_hints(holder)["field"]  # as the dataclass gives it: without Annotated
    except (TypeError, ValueError, SyntaxError) as error:
        raise NotLiteralError from error
