"""JSON files that hold a hash of their own content, the seal, so that damage is noticed."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.utils.files.atomic import written_whole
from bench.utils.hashing import hash_of, hash_of_text
from bench.utils.output.terminal import ERRORS


def write_atomically(path: Path, text: str) -> None:
    """Write a text file, whole or not at all, even if the power fails.

    Characters that UTF-8 cannot hold become backslash escapes. They occur in the names of files
    that are not UTF-8.
    """
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8", ERRORS)


_NUMBERS = re.compile(r'\[\n[^][{}"]*\]')
"""A list of numbers as JSON with indents. No string holds a line break, so none can match."""


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object with sorted keys and a seal. Each list of numbers takes one line."""
    plain = json.loads(json.dumps(value, allow_nan=False))
    text = json.dumps(plain | {SEAL: hash_of(plain)}, indent=1, sort_keys=True)
    write_atomically(path, _NUMBERS.sub(lambda found: "".join(found[0].split()), text) + "\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Return the object that `write_sealed` wrote. One without a seal is not checked.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no JSON object, or the seal does not fit.
    """
    text = path.read_text("utf-8")
    intact = _is_as_written(text)
    finite = None if intact else _finite  # what was written is finite, and a hook is slow
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=finite, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("lists or objects are nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    seal = value.pop(SEAL, None)
    if seal is not None and not intact and seal != hash_of(value):
        raise ValueError("its content is not what was written")
    return value


def _is_as_written(text: str) -> bool:
    """Return whether a text is certainly what `write_sealed` wrote, by its seal.

    Without its indents such a text is the one that was hashed, unless a string holds `": `. So an
    intact file may be told apart only by `hash_of` its value, which takes longer.
    """
    found = _SEAL_LINE.search(text)
    if found is None:
        return False
    plain = _INDENT.sub("", text[: found.start()] + text[found.end() :]).replace('": ', '":')
    return hash_of_text(plain) == found[1]


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _whole(text: str) -> int:
    number = int(text)
    return number if abs(number) <= sys.float_info.max else int(_refused(f"{text[:20]}..."))


SEAL = "seal"
"""The key that holds the hash of all other keys."""
_SEAL_LINE = re.compile(rf'\n "{SEAL}": "([0-9a-f]+)",')
_INDENT = re.compile(r"\n *")
