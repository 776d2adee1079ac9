"""Short hashes of JSON values, and names that every file system takes."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def safe(name: str) -> str:
    """Return a name as a part of a file's name: at most 100 ASCII letters, digits and a few signs.

    Every system takes such a name, whatever folders a task is called after.
    """
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.=") else "_" for c in name)[:100]


def hash_of(value: Any) -> str:
    """Return 16 hex digits of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
