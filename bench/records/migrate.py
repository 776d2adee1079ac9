"""Brings records of older versions of the suite up to the contract of today, one step a version.

Files on disk stay as they are: each is brought up when it is read, and checked afterwards. A step
sees a file that nobody has checked yet, so it takes nothing for granted.

To change the contract: raise `bench.contracts.record.SCHEMA`, add a function to `_STEPS`, and put
a record of the version before into tests/records/data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bench.contracts.record import SCHEMA


def version_error(schema: Any) -> str:
    """Return why a file of this schema cannot be read, or ''."""
    if type(schema) is int and 1 <= schema <= SCHEMA:
        return ""
    return f"of schema {str(schema)[:20]}, this version reads 1 to {SCHEMA}"


def migrated(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record in the contract of today. Its schema must be one that can be read."""
    made = dict(record)
    for step in _STEPS[made["schema"] - 1 :]:
        made = step(made)
    return made | {"schema": SCHEMA}


def settings_of_names(label: Any, identity: Any) -> dict[str, Any]:
    """Return what `--set` changed by the label and the profile of schema 1.

    Those name the fields that were changed. The values are taken from the identity: in the text
    they may be rounded.
    """
    if not isinstance(identity, Mapping):
        return {}
    named = (
        (label, identity.get("method"), identity.get("config")),
        (identity.get("profile"), "profile", identity.get("numbers")),
    )
    return {
        f"{owner}.{field}": value
        for text, owner, values in named
        if isinstance(text, str) and isinstance(values, Mapping)
        for field, value in values.items()
        if _names_field(text, field)
    }


def _add_settings(record: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: what `--set` changed stands in the record as data."""
    return record | {"settings": settings_of_names(record.get("label"), record.get("identity"))}


_STEPS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_add_settings,)


def _names_field(text: str, field: str) -> bool:
    """Return whether a text like ``mine[field=1,other=2]`` says that a field was changed."""
    inside = text.partition("[")[2]
    return re.search(rf"(?:^|,){re.escape(field)}=", inside) is not None
