"""From what the user asks for to cells: profiles, `--set`, and the identity of a run."""

from __future__ import annotations

import dataclasses
import json
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.contracts.labels import brackets
from bench.contracts.registry import Plugin
from bench.contracts.task import DataSizes
from bench.utils.errors import UserError, unknown

PROFILES = Path(__file__).with_name("profiles.toml")


@dataclass(frozen=True)
class Profile:
    """The size of a run.

    size: side in pixels. train_images, probe_images, test_images: per domain. budget_tflops: the
    training FLOPs of every cell in units of 1e12, or "published" for each method's own iteration
    count. probes: the battery of the domain accuracy. eval_batch: images in a forward pass.
    methods: what the profile changes of a method's configuration.
    """

    name: str
    description: str
    size: int
    train_images: int
    probe_images: int
    test_images: int
    seeds: tuple[int, ...]
    precision: Literal["auto", "fp32", "bf16"]
    budget_tflops: float | Literal["published"]
    probes: tuple[str, ...]
    eval_batch: int = 64
    methods: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def sizes(self) -> DataSizes:
        """How much of a task it takes."""
        return DataSizes(self.size, self.train_images, self.probe_images, self.test_images)

    def numbers(self) -> dict[str, Any]:
        """Return what is part of a cell's identity."""
        left_out = {"name", "description", "seeds", "precision", "methods"}
        fields = (field.name for field in dataclasses.fields(self))
        found = {name: getattr(self, name) for name in fields if name not in left_out}
        return found | {"probes": list(self.probes)}  # as JSON gives it back


LARGEST = {int: 2**63 - 1, float: sys.float_info.max}
"""The largest numbers that `--set` takes."""
SETTABLE = ("size", "train_images", "probe_images", "test_images", "budget_tflops")
"""The fields of a profile that `--set profile.FIELD=VALUE` reaches."""


def profiles() -> dict[str, Profile]:
    """Return the profiles by name."""
    found = {}
    for name, table in tomllib.loads(PROFILES.read_text("utf-8")).items():
        lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        found[name] = Profile(name=name, **(table | lists))
    return found


@dataclass(frozen=True)
class Setting:
    """One `--set OWNER.FIELD=VALUE`, where the owner is a method or the word profile."""

    owner: str
    field: str
    text: str

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Read `press2019.sep=25`.

        Raises:
            UserError: it has another form.
        """
        name, equals, value = text.partition("=")
        owner, dot, field = name.strip().partition(".")
        if not (equals and dot and owner and field and value.strip()):
            raise UserError(
                f"--set '{text}': expected METHOD.FIELD=VALUE or profile.FIELD=VALUE, "
                "for example press2019.sep=25"
            )
        return cls(owner, field, value.strip())


def choose_profile(name: str, settings: Iterable[Setting] = ()) -> Profile:
    """Return a profile, changed by the settings that are its own; its name says what changed.

    Raises:
        UserError: no such profile, or a setting has an unknown field or a wrong value.
    """
    known = profiles()
    if name not in known:
        raise unknown("profile", name, known)
    profile = known[name]
    changes = {}
    for setting in settings:
        if setting.owner == "profile":
            if setting.field not in SETTABLE:
                raise unknown("field of a profile", setting.field, SETTABLE)
            changes[setting.field] = _typed(setting, _hints(Profile)[setting.field])
    if changes.get("test_images", 2) % 2 or min([1, *_numbers(changes.values())]) <= 0:
        raise UserError("profile fields must be positive, and test_images even")
    changes = {k: v for k, v in changes.items() if getattr(profile, k) != v}
    return dataclasses.replace(profile, name=name + brackets(changes), **changes)


def configure(
    plugin: Plugin, profile: Profile, settings: Iterable[Setting]
) -> tuple[str, dict[str, Any]]:
    """Return the label and the full configuration of a method in a profile.

    The published values are the defaults, the profile beats them, `--set` beats the profile. The
    label is the method's name, with what `--set` changed in brackets.

    Raises:
        UserError: an unknown field or a wrong value.
    """
    hints, defaults = _fields(plugin)
    base = defaults | dict(profile.methods.get(plugin.name, {}))
    changes = {}
    for setting in settings:
        if setting.owner != plugin.name:
            continue
        if setting.field not in hints:
            raise unknown(f"field of {plugin.name}", setting.field, hints)
        value = _typed(setting, hints[setting.field])
        if value != base[setting.field]:
            changes[setting.field] = value
    config = base | changes
    for field, value in config.items():
        if hints[field] is float:
            config[field] = float(value)
    return plugin.name + brackets(changes), config


def _numbers(values: Iterable[Any]) -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


def _hints(config_class: type) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def _fields(plugin: Plugin) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the types and the defaults of the fields of a method's configuration.

    Raises:
        UserError: it is no dataclass whose fields all have a default, of a value that JSON has.
    """
    config_class = plugin.load().Config
    try:
        hints = _hints(config_class)
        defaults = dataclasses.asdict(config_class())
        json.dumps(defaults, allow_nan=False)
    except (NameError, TypeError, ValueError) as error:
        raise UserError(
            f"{plugin.path}: Config of method '{plugin.name}' cannot be used ({error}): expected a "
            "dataclass whose fields are numbers and texts, each with a default"
        ) from error
    return hints, defaults


def _typed(setting: Setting, hint: Any) -> Any:
    """Return the setting's value as its field's type."""
    options = (
        typing.get_args(hint)
        if typing.get_origin(hint) in (typing.Union, types.UnionType)
        else (hint,)
    )
    for option in options:
        if typing.get_origin(option) is Literal:
            for choice in typing.get_args(option):
                if setting.text == str(choice):
                    return choice
        elif option is bool:
            if setting.text.lower() in ("true", "false"):
                return setting.text.lower() == "true"
        elif option in (int, float, str):
            try:
                value = option(setting.text)
            except ValueError:
                continue
            if option is str or abs(value) <= LARGEST[option]:  # false for what is no number
                return value
    wanted = " or ".join(
        " | ".join(map(str, typing.get_args(option)))
        if typing.get_origin(option) is Literal
        else getattr(option, "__name__", str(option))
        for option in options
    )
    raise UserError(
        f"--set {setting.owner}.{setting.field}={setting.text}: expected {wanted}, "
        f"got '{setting.text}'"
    )
