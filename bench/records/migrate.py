"""Migrates records of older versions of the suite to the current schema, one step per version.

Files on disk do not change: a record is migrated when it is read, and then checked. A step runs
before this check, so it must not assume that the record is valid.

To change the schema, raise `bench.contracts.record.SCHEMA`, add a function to `_STEPS`, and put a
record of the previous version into tests/records/data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bench.contracts.cell import IMAGES_HASH
from bench.contracts.record import SCHEMA


def version_error(schema: Any) -> str:
    """Return why a file of this schema cannot be read, or ''."""
    if type(schema) is int and 1 <= schema <= SCHEMA:
        return ""
    return f"of schema {str(schema)[:20]}, this version reads 1 to {SCHEMA}"


def migrated(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record in the current schema. Its own schema must be one that can be read."""
    made = dict(record)
    for step in _STEPS[made["schema"] - 1 :]:
        made = step(made)
    return made | {"schema": SCHEMA}


def settings_of_names(label: Any, identity: Any) -> dict[str, Any]:
    """Return what `--set` changed, according to the label and the profile of a schema 1 record.

    The label and the profile name the changed fields. The values come from the identity, because
    those in the text may be rounded.
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
    """Migrate from 1 to 2: the key ``settings`` stores what `--set` changed."""
    return record | {"settings": settings_of_names(record.get("label"), record.get("identity"))}


def _keep_identity(record: dict[str, Any]) -> dict[str, Any]:
    """Migrate from 2 to 3: an identity without ``protocol`` is of the first version.

    The identity stays as it is, so the record keeps its id.
    """
    return record


def _add_configuration(record: dict[str, Any]) -> dict[str, Any]:
    """Migrate from 3 to 4: each profile had hand-set configurations, and nothing had a curve."""
    identity = record.get("identity")
    config = identity.get("config") if isinstance(identity, Mapping) else None
    has_config = isinstance(config, Mapping) and bool(config) and IMAGES_HASH not in config
    configuration = "hand-set" if has_config else ""
    return record | {"configuration": configuration, "study": "", "curve": []}


_STEPS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
    _add_settings,
    _keep_identity,
    _add_configuration,
)


def _names_field(text: str, field: str) -> bool:
    """Return whether a text like ``mine[field=1,other=2]`` says that a field was changed."""
    inside = text.partition("[")[2]
    return re.search(rf"(?:^|,){re.escape(field)}=", inside) is not None
