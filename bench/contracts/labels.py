"""How labels are written: ``mine[layers="32,64",learning_rate=0.5]``.

A label is the name of a method, followed by what `--set` changed. The names of profiles are written
the same way. Labels are for people, and no code reads values back from them: the identity and the
settings of a cell hold the values (see `bench.contracts.record`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"""[^\s\x00-\x1f,=\[\]{}"'`\\]+""")
"""A text that needs no quotes in brackets."""
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

    Different values of a field give different texts if the values have the same type.
    """
    inside = ",".join(f"{key}={value_text(value)}" for key, value in sorted(changes.items()))
    return f"[{inside}]" if inside else ""


def value_text(value: Any) -> str:
    """Return a value as labels write it: a text or a tuple in quotes where it needs them."""
    text = setting_text(value)
    return quoted(text) if isinstance(value, str | tuple | list) else text


def setting_text(value: Any) -> str:
    """Return a value as `--set` reads it: a number in full, numbers of a tuple with commas."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple | list):
        is_plain = value and all(isinstance(item, int | float) for item in value)
        return ",".join(map(setting_text, value)) if is_plain else json.dumps(value)
    return str(value)


def quoted(text: str) -> str:
    """Return a text, in quotes if a label would be ambiguous without them."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def without_brackets(name: str) -> str:
    """Return a label or the name of a profile without what `--set` changed."""
    return name.partition("[")[0]


def split_names(text: str) -> list[str]:
    """Return the names in a text, separated by commas or blanks outside of brackets."""
    names = [""]
    for found in _PART.finditer(text):
        if found["between"]:
            names.append("")
        else:
            names[-1] += found[0]
    return [name for name in names if name]
