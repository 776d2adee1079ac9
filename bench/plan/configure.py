"""The configuration of a method in a run, and the label that names what `--set` changed."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from bench.contracts.labels import brackets
from bench.contracts.registry import Plugin
from bench.contracts.search import start_values
from bench.plan.profiles import Setting, value_of
from bench.plan.tuned import Origin
from bench.utils.errors import UserError, unknown


def configure(
    plugin: Plugin, origin: Origin, settings: Iterable[Setting] = ()
) -> tuple[str, dict[str, Any]]:
    """Return the label and the full configuration of a method.

    A value of `--set` replaces that of the study, which replaces the published value. The label is
    the name of the method, with the values of `--set` in brackets.

    Raises:
        UserError: a setting or the study has an unknown field or a wrong value.
    """
    hints, defaults = _fields(plugin)
    base = defaults | _checked(plugin, origin, hints)
    changes = {}
    for setting in settings:
        if setting.owner != plugin.name:
            continue
        if setting.field not in hints:
            raise unknown(f"field of {plugin.name}", setting.field, hints)
        value = value_of(setting, hints[setting.field])
        if value != base[setting.field]:
            changes[setting.field] = value
    return plugin.name + brackets(changes), _with_floats(base | changes, hints)


def fixed_config(plugin: Plugin) -> dict[str, Any]:
    """Return a configuration that no study changes: start values, and else published ones.

    Checks of the code use it, whose numbers must not depend on a study.
    """
    changes = start_values(plugin.load().Config)
    return configure(plugin, Origin(changes=changes))[1]


def _checked(plugin: Plugin, origin: Origin, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an origin, with tuples in the place of lists.

    Raises:
        UserError: the method does not have one of the fields.
    """
    for name in origin.changes:
        if name not in hints:
            raise UserError(
                f"study {origin.study} sets {plugin.name}.{name}, which the method does not have: "
                "run `python -m bench tune` again"
            )
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in origin.changes.items()
    }


def _with_floats(config: dict[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration whose whole numbers in fields of type float are floats."""
    return {name: float(v) if hints[name] is float else v for name, v in config.items()}


def _fields(plugin: Plugin) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the type and the default of each field of a method's configuration, by field name.

    They are read from its source if they are literals there.

    Raises:
        UserError: it is not a dataclass, or a field has no default or one that JSON cannot hold.
    """
    if (found := plugin.config_fields()) is not None:
        return found
    config_class = plugin.load().Config
    try:
        hints = typing.get_type_hints(config_class)
        defaults = dataclasses.asdict(config_class())
        json.dumps(defaults, allow_nan=False)
    except (NameError, TypeError, ValueError) as error:
        raise UserError(
            f"{plugin.path}: Config of method '{plugin.name}' cannot be used ({error}): expected a "
            "dataclass whose fields are numbers, texts or tuples of them, each with a default"
        ) from error
    return hints, defaults
