"""Checks values against the types of `bench.contracts.record`, and reports errors in one line.

The check uses pydantic, which is imported at the first check. So commands that read no records
start without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.contracts.record import MetricEntry, Record

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_EXPECTED = {
    "string_type": "a text",
    "float_type": "a number",
    "less_than_equal": "a number",  # the only upper bound in use is the largest float
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
}
_BOUNDS = {"greater_than": "above {gt:g}", "greater_than_equal": "of at least {ge:g}"}
_LOWEST = -1e300
"""A lower bound below this is the smallest float, so the message only asks for a number."""
_LONGEST = 40


def error_in_record(value: Any) -> str:
    """Return the first error in a record, in one line, or ''."""
    said = error_in(Record, value)
    if said:
        return said
    found = (_error_in_value(entry, f"metrics.{name}") for name, entry in value["metrics"].items())
    return next(filter(None, found), "")


def error_in_metric(value: Any, name: str) -> str:
    """Return the first error in the entry of a metric, in one line, or ''."""
    return error_in(MetricEntry, value, name) or _error_in_value(value, name)


def error_in(form: Any, value: Any, where: str = "") -> str:
    """Return in one line where a value differs from a form, or ''.

    Args:
        form: a type with annotations, such as a TypedDict. Additional keys are allowed.
        value: a value that was read from JSON.
        where: the place of the value, for the message.
    """
    from pydantic import ValidationError

    try:
        _adapter(form).validate_python(value, strict=True)
    except ValidationError as error:
        return _line(error.errors(include_url=False, include_input=False), value, where)
    return ""


def mismatch(where: str, expected: str, value: Any) -> str:
    """Return the message for a value that differs from what is expected at a place."""
    text = type(value).__name__ if isinstance(value, list | dict) else json.dumps(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"{where or 'it'}: expected {expected}, got {text}"


def _error_in_value(entry: Mapping[str, Any], where: str) -> str:
    """Return the message for a metric with status "ok" but without a value, or ''."""
    if entry["status"] == "ok" and entry["value"] is None:
        return mismatch(f"{where}.value", "a number", None)
    return ""


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(form)


def _line(errors: Sequence[Any], value: Any, where: str) -> str:
    """Return the message for the first place where pydantic found an error."""
    first = errors[0]
    if first["type"] == "missing":
        parent = first["loc"][:-1]
        missing = sorted(
            str(one["loc"][-1])
            for one in errors
            if one["type"] == "missing" and one["loc"][:-1] == parent
        )
        place, _ = _follow(parent, value, where)
        return f"{place or 'it'} is without {', '.join(missing)}"
    place, found = _follow(first["loc"], value, where)
    here = [one for one in errors if _follow(one["loc"], value, where)[0] == place]
    expected = dict.fromkeys(_expected(one) for one in here)  # a union gives one error per member
    return mismatch(place, " or ".join(expected), found)


def _follow(path: Sequence[int | str], value: Any, where: str) -> tuple[str, Any]:
    """Return the place that a path leads to, as text, and the value at that place.

    For a union, pydantic appends the name of a type to the path. That part is ignored.
    """
    for key in path:
        if isinstance(value, dict) and key in value:
            where, value = f"{where}.{key}" if where else str(key), value[key]
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            where, value = f"{where}[{key}]", value[key]
    return where, value


def _expected(error: Mapping[str, Any]) -> str:
    """Return what pydantic expected at an error, in JSON terms."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind in _BOUNDS and min(context.values()) > _LOWEST:
        return f"a number {_BOUNDS[kind].format(**context)}"
    return _EXPECTED.get(kind, "a number" if kind in _BOUNDS else str(error["msg"]))
