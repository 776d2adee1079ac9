"""Is a value that a file held of the form that is needed? A small language for JSON.

A shape is a function that returns what is wrong with a value, as ``rows[0].seeds: expected ...``,
or '' where nothing is. Shapes of lists and objects are made of others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

Shape = Callable[[Any, str], str]
"""Called with a value and where it stands; returns what is wrong, or ''."""


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a number, and one that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # false for what is no number


def wrong(value: Any, where: str, expected: str) -> str:
    """Return the text for a value that is not what is expected."""
    shown = json.dumps(value) if not isinstance(value, list | dict) else type(value).__name__
    shown = shown if len(shown) <= 40 else f"{shown[:40]}..."
    return f"{where or 'it'}: expected {expected}, got {shown}"


def simple(expected: str, fits: Callable[[Any], bool]) -> Shape:
    """Return the shape of a value that a test tells."""
    return lambda value, where: "" if fits(value) else wrong(value, where, expected)


text = simple("a text", lambda value: isinstance(value, str))
number = simple("a number", is_number)
amount = simple("a number of at least 0", lambda value: is_number(value) and value >= 0)
positive = simple("a number above 0", lambda value: is_number(value) and value > 0)
whole = simple("a whole number", lambda value: is_number(value) and isinstance(value, int))
count = simple(
    "a whole number of at least 0",
    lambda value: is_number(value) and isinstance(value, int) and value >= 0,
)
ordinal = simple(
    "a whole number above 0",
    lambda value: is_number(value) and isinstance(value, int) and value > 0,
)
anything: Shape = simple("anything", lambda _: True)
an_object = simple("an object", lambda value: isinstance(value, dict))


def one_of(*values: Any) -> Shape:
    """Return the shape of what is one of a few values."""
    expected = " or ".join(map(json.dumps, values))
    return simple(expected, lambda value: value in values)


def either(*shapes: Shape) -> Shape:
    """Return the shape of what fits one of several; what is wrong is told by the first."""

    def check(value: Any, where: str) -> str:
        found = [shape(value, where) for shape in shapes]
        return "" if "" in found else found[0]

    return check


def maybe(shape: Shape) -> Shape:
    """Return the shape of what may be null."""
    return lambda value, where: "" if value is None else shape(value, where)


def items(shape: Shape) -> Shape:
    """Return the shape of a list whose items are alike."""

    def check(value: Any, where: str) -> str:
        if not isinstance(value, list):
            return wrong(value, where, "a list")
        found = (shape(item, f"{where}[{at}]") for at, item in enumerate(value))
        return next(filter(None, found), "")

    return check


def values(shape: Shape) -> Shape:
    """Return the shape of an object with any keys, whose values are alike."""

    def check(value: Any, where: str) -> str:
        if not isinstance(value, dict):
            return wrong(value, where, "an object")
        found = (shape(item, _below(where, key)) for key, item in value.items())
        return next(filter(None, found), "")

    return check


def fields(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """Return the shape of an object with these keys; what other keys it has is its own affair."""
    known = {**required, **(optional or {})}

    def check(value: Any, where: str) -> str:
        if not isinstance(value, dict):
            return wrong(value, where, "an object")
        if missing := sorted(required.keys() - value.keys()):
            return f"{where or 'it'} is without {', '.join(missing)}"
        found = (shape(value[key], _below(where, key)) for key, shape in known.items()
                 if key in value)  # fmt: skip
        return next(filter(None, found), "")

    return check


def _below(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
