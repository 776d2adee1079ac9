"""Short hashes of JSON values, and file names that every file system accepts."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def safe(name: str) -> str:
    """Return a name that every file system accepts: at most 100 ASCII letters, digits and `-_.=`.

    All other characters become `_`.
    """
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.=") else "_" for c in name)[:100]


def hash_of(value: Any) -> str:
    """Return a hash of a JSON value as 16 hex digits; the order of keys does not matter."""
    return hash_of_text(json.dumps(value, sort_keys=True, separators=(",", ":")))


def hash_of_text(text: str) -> str:
    """Return a hash of a text as 16 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
