"""Finds what `--set` changed in a cell, and the `--set` options that reproduce an identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.contracts.anchors import WITHOUT_SEED, configured_as
from bench.contracts.labels import setting_text, without_brackets
from bench.contracts.record import Identity
from bench.contracts.registry import Plugin, Registry
from bench.plan.configure import configure
from bench.plan.profiles import SETTABLE, Profile, choose_profile, profiles
from bench.plan.tuned import Kind, Origin, origin_of


def profile_settings(profile: Profile) -> dict[str, Any]:
    """Return what `--set` changed in a profile, as ``{"profile.FIELD": value}``."""
    plain = choose_profile(without_brackets(profile.name))
    return {
        f"profile.{field}": getattr(profile, field)
        for field in SETTABLE
        if getattr(profile, field) != getattr(plain, field)
    }


def method_settings(plugin: Plugin, origin: Origin, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `--set` changed in a method's configuration, as ``{"METHOD.FIELD": value}``."""
    plain = configure(plugin, origin)[1]
    return {
        f"{plugin.name}.{field}": value for field, value in config.items() if value != plain[field]
    }


def default_config(
    registry: Registry, method: str, profile: Profile, task: str, kind: Kind
) -> dict[str, Any]:
    """Return the configuration of a method if nothing is set; {} for an anchor without weights."""
    if method in WITHOUT_SEED:
        return {}
    plugin = registry.find("method", configured_as(method))
    return configure(plugin, origin_of(plugin, kind, profile, task))[1]


def set_options(identity: Identity, registry: Registry, kind: Kind = "tuned") -> list[str]:
    """Return the `--set` options with which today's code makes a cell of an identity.

    kind: the kind of configuration that the run asks for (see `bench.plan.tuned`).

    They give every value that differs from today's default, in full precision. Fields that `--set`
    cannot change are left out, and so are methods and profiles that no longer exist.
    """
    name = without_brackets(identity["profile"])
    if name not in profiles():
        return []
    profile = choose_profile(name)
    numbers: Mapping[str, Any] = identity["numbers"]
    pairs = {
        f"profile.{field}": (numbers.get(field), getattr(profile, field)) for field in SETTABLE
    }
    method = configured_as(identity["method"])
    if method in {plugin.name for plugin in registry.all("method")}:
        today = default_config(registry, method, profile, identity["task"], kind)
        pairs |= {
            f"{method}.{field}": (identity["config"].get(field), value)
            for field, value in today.items()
        }
    return [
        f"{what}={setting_text(was)}"
        for what, (was, now) in pairs.items()
        if was is not None and was != json.loads(json.dumps(now))  # JSON has no tuples
    ]
