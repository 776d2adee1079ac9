"""JSON files with a hash of their content, so that damage is noticed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.utils.files.atomic import written_whole
from bench.utils.hashing import hash_of
from bench.utils.output.terminal import ERRORS


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all, also after a power loss.

    What UTF-8 has no bytes for, as in the name of a file that is not UTF-8, becomes backslashes.
    """
    with written_whole(path) as temporary:
        temporary.write_text(text, "utf-8", ERRORS)


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, keys sorted, with a hash of its content, so that harm is noticed."""
    plain = json.loads(json.dumps(value, allow_nan=False))
    text = json.dumps(plain | {SEAL: hash_of(plain)}, indent=1, sort_keys=True)
    write_atomically(path, text + "\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Return what `write_sealed` has written; an object without a seal passes as it is.

    Raises:
        OSError: there is no such file.
        ValueError: it is no JSON object, or not what was written.
    """
    text = path.read_text("utf-8")
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("lists in lists without end") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    seal = value.pop(SEAL, None)
    if seal is not None and seal != hash_of(value):
        raise ValueError("its content is not what was written")
    return value


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _whole(text: str) -> int:
    number = int(text)
    return number if abs(number) <= sys.float_info.max else int(_refused(f"{text[:20]}..."))


SEAL = "seal"
"""The key of the hash of all the others."""
