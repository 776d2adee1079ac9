"""Which `--set` options make the cell that a record describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.contracts.anchors import ANCHORS
from bench.contracts.labels import setting_text
from bench.contracts.registry import Registry
from bench.plan.profiles import SETTABLE, Profile, choose_profile, configure, profiles


def settings_of(identity: Mapping[str, Any], registry: Registry) -> list[str]:
    """Return what `--set` must be given for today's code to make a cell of an identity.

    Nothing is said of what `--set` does not reach, or of a method or profile that is gone.
    """
    name = _profile_name(identity)
    if name not in profiles():
        return []
    profile = choose_profile(name)
    pairs = {
        f"profile.{field}": (identity["numbers"].get(field), getattr(profile, field))
        for field in SETTABLE
    }
    method = identity["method"]
    if method in {plugin.name for plugin in registry.all("method")}:
        today = _configuration(registry, method, profile)
        pairs |= {
            f"{method}.{field}": (identity["config"].get(field), value)
            for field, value in today.items()
        }
    return [
        f"{what}={setting_text(was)}"
        for what, (was, now) in pairs.items()
        if was is not None and was != json.loads(json.dumps(now))  # JSON has no tuples
    ]


def _profile_name(identity: Mapping[str, Any]) -> str:
    """Return the name of the profile in the suite, without what was changed of it."""
    name: str = identity["profile"].partition("[")[0]
    return name


def _configuration(registry: Registry, method: str, profile: Profile) -> dict[str, Any]:
    """Return what a method is configured with when nothing is set; {} for an anchor."""
    if method in ANCHORS:
        return {}
    return configure(registry.find("method", method), profile, [])[1]
