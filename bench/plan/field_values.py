"""Reads the value of a `--set` option as the type of the field that it sets."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal

LARGEST_INTEGER = 2**63 - 1
"""The largest integer that `--set` takes."""
_FORMS = {bool: re.compile("true|false", re.IGNORECASE), int: re.compile("[+-]?[0-9_]+")}
"""Texts that count as a value of a type. Pydantic takes more: `1` for a bool, `2.0` for an int."""


def parse_value(text: str, hint: Any) -> Any:
    """Return the value that a text stands for, as the first type of a hint that takes it.

    Items of a tuple are separated by commas; a text in square brackets is read as JSON.

    Args:
        text: what the user typed.
        hint: the type of the field: a type, a Literal, a tuple, or a union of these.

    Raises:
        ValueError: no type of the hint takes the text; the message is the expected type.
    """
    options = _options_of(hint)
    for option in options:
        if typing.get_origin(option) is Literal:
            for choice in typing.get_args(option):
                if text == str(choice):
                    return choice
        elif option is types.NoneType:
            if text == "None":
                return None
        elif option in _FORMS and not _FORMS[option].fullmatch(text):
            continue
        else:
            try:
                return _validated(text, option)
            except (ValueError, TypeError, RecursionError):  # ValidationError is a ValueError
                continue
    raise ValueError(" or ".join(map(_name_of_type, options)))


def _options_of(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _validated(text: str, option: Any) -> Any:
    """Return a text as a value of one type.

    Raises:
        ValueError, TypeError: the type does not take it, or JSON or a record cannot hold it.
    """
    from pydantic import ConfigDict, TypeAdapter  # only a run with `--set` needs it
    from pydantic.errors import PydanticUserError

    if option in (Any, object):
        raise TypeError("a field of any type")
    given: Any = text
    if typing.get_origin(option) in (tuple, list):
        is_json = text.startswith("[")
        given = json.loads(text) if is_json else [item.strip() for item in text.split(",")]
    try:
        value = TypeAdapter(option, config=ConfigDict(allow_inf_nan=False)).validate_python(given)
    except PydanticUserError as error:
        raise TypeError(str(error)) from error
    json.dumps(value, allow_nan=False)
    if any(abs(number) > LARGEST_INTEGER for number in _integers(value)):
        raise ValueError("too large")
    return value


def _integers(value: Any) -> Iterable[int]:
    """Yield all integers in a value, also those in nested tuples and lists."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _integers(item)


def _name_of_type(option: Any) -> str:
    """Return a type as messages write it: `int`, `plain | adversarial`, `tuple[int, ...]`."""
    if typing.get_origin(option) is Literal:
        return " | ".join(map(str, typing.get_args(option)))
    if option is types.NoneType:
        return "None"
    is_class = isinstance(option, type) and typing.get_origin(option) is None
    return option.__name__ if is_class else str(option).replace("typing.", "")
