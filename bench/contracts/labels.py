"""Writes labels such as ``mine[layers="32,64",learning_rate=0.5]``.

A label is the name of a method, followed by the fields that `--set` changed. The names of profiles
have the same form. Labels are for people. Code takes the values from the identity and the settings
of a cell (see `bench.contracts.record`), never from a label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"""[^\s\x00-\x1f,=\[\]{}"'`\\]+""")
"""Matches a text that needs no quotes within brackets."""
_PART = re.compile(
    r"""
      (?P<between>[,\s]+)
    | \[ (?: "(?:[^"\\]|\\.)*" | [^\]"] )* \]     # brackets; in quotes, they do not end
    | [^,\s]
    """,
    re.VERBOSE | re.DOTALL,
)


def brackets(changes: Mapping[str, Any]) -> str:
    """Return changes as ``[field=value,...]``, or '' for none.

    Different values of the same type give different texts.
    """
    inside = ",".join(f"{key}={value_text(value)}" for key, value in sorted(changes.items()))
    return f"[{inside}]" if inside else ""


def value_text(value: Any) -> str:
    """Return a value as labels write it, with quotes around a text or a tuple that needs them."""
    text = setting_text(value)
    return quoted(text) if isinstance(value, str | tuple | list) else text


def setting_text(value: Any) -> str:
    """Return a value as `--set` reads it: numbers in full precision, tuples with commas."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple | list):
        is_plain = value and all(isinstance(item, int | float) for item in value)
        return ",".join(map(setting_text, value)) if is_plain else json.dumps(value)
    return str(value)


def quoted(text: str) -> str:
    """Return a text, with quotes if a label would be ambiguous without them."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def without_brackets(name: str) -> str:
    """Return a label or the name of a profile without the brackets that list changes."""
    return name.partition("[")[0]


def split_names(text: str) -> list[str]:
    """Split a text into names at commas and blanks, except within brackets."""
    names = [""]
    for found in _PART.finditer(text):
        if found["between"]:
            names.append("")
        else:
            names[-1] += found[0]
    return [name for name in names if name]


def study_label(study: str, method: str = "") -> str:
    """Return the label of a study: its name, and a slash and the method if another one won it."""
    return f"{study}/{method}" if method else study


def study_parts(label: str) -> tuple[str, str]:
    """Return the name of a study, which has no slash, and the method that won it or ''."""
    study, _, method = label.partition("/")
    return study, method


def study_text(label: str) -> str:
    """Return the label of a study in words."""
    study, method = study_parts(label)
    return f"{study} of {method}" if method else study
