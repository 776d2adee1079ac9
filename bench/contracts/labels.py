"""How labels are written: ``mine[layers="32,64",learning_rate=0.5]``. Nothing reads values back.

A label names a method and what `--set` changed of it, and the name of a profile does the same; what
decides what is run is the identity of a cell and never its label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"""[^\s\x00-\x1f,=\[\]{}"'`\\]+""")
"""Text that can stand in brackets as it is."""
_PART = re.compile(
    r"""
      (?P<between>[,\s]+)
    | \[ (?: "(?:[^"\\]|\\.)*" | [^\]"] )* \]     # brackets; in quotes, they do not end
    | [^,\s]
    """,
    re.VERBOSE | re.DOTALL,
)


def brackets(changes: Mapping[str, Any]) -> str:
    """Return what was changed as ``[field=value,...]``, '' where nothing was.

    Of one field, whose values are of one type, other values give other texts.
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
    """Return a text, in quotes where it could be taken for more than one thing."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def split_names(text: str) -> list[str]:
    """Return names that commas or blanks part; in the brackets of a label, they part nothing."""
    names = [""]
    for found in _PART.finditer(text):
        if found["between"]:
            names.append("")
        else:
            names[-1] += found[0]
    return [name for name in names if name]


def is_named(field: str, label: str) -> bool:
    """Return whether a label, or a profile's name, says that a field was changed."""
    inside = label.partition("[")[2]
    return re.search(rf"(?:^|,){re.escape(field)}=", inside) is not None
