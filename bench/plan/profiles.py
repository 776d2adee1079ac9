"""Profiles, and the changes that `--set` makes to them."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.contracts.labels import brackets
from bench.contracts.task import DataSizes
from bench.plan.field_values import parse_value
from bench.utils.errors import UserError, unknown

PROFILES = Path(__file__).with_name("profiles.toml")


@dataclass(frozen=True)
class Profile:
    """The size of a run.

    Attributes:
        name: its name, with the fields that `--set` changed in brackets.
        description: one sentence for `list profiles`.
        size: height and width of an image in pixels.
        train_images, probe_images, test_images: number of images per domain.
        seeds: the seeds of each method if `--seeds` is not given.
        precision: fp32, bf16, or auto for bf16 where the hardware has it.
        budget_tflops: the training FLOPs of every cell in units of 1e12, or "published" for the
            iteration count of each method's paper.
        probes: the classifiers that measure the domain accuracy.
        eval_batch: images in a forward pass after training.
        configuration: "tuned" if methods run with the winners of studies by default (see
            `bench.plan.tuned`); "published" if they always run as published.
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
    configuration: Literal["tuned", "published"] = "tuned"

    @property
    def sizes(self) -> DataSizes:
        """The image size and the number of images that it takes of a task."""
        return DataSizes(self.size, self.train_images, self.probe_images, self.test_images)

    def numbers(self) -> dict[str, Any]:
        """Return the fields that are part of a cell's identity."""
        left_out = {"name", "description", "seeds", "precision", "configuration"}
        fields = (field.name for field in dataclasses.fields(self))
        found = {name: getattr(self, name) for name in fields if name not in left_out}
        return found | {"probes": list(self.probes)}  # a list, as JSON has it


SETTABLE = ("size", "train_images", "probe_images", "test_images", "budget_tflops")
"""The fields of a profile that `--set profile.FIELD=VALUE` can change."""


def profiles() -> dict[str, Profile]:
    """Return the profiles of the suite by name."""
    found = {}
    for name, table in tomllib.loads(PROFILES.read_text("utf-8")).items():
        lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        found[name] = Profile(name=name, **(table | lists))
    return found


@dataclass(frozen=True)
class Setting:
    """One `--set OWNER.FIELD=VALUE`; the owner is the name of a method, or `profile`."""

    owner: str
    field: str
    text: str

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Read `press2019.sep=25`.

        Raises:
            UserError: the text has another form.
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
    """Return a profile with the settings of `profile` applied; its name shows the changes.

    Raises:
        UserError: there is no such profile, or a setting has an unknown field or a wrong value.
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
            value = value_of(setting, typing.get_type_hints(Profile)[setting.field])
            _check_profile_value(setting, value)
            changes[setting.field] = value
    changes = {k: v for k, v in changes.items() if getattr(profile, k) != v}
    return dataclasses.replace(profile, name=name + brackets(changes), **changes)


def _check_profile_value(setting: Setting, value: Any) -> None:
    """Check that a number of a profile is positive, and the number of test images even.

    Raises:
        UserError: it is not.
    """
    wanted = ""
    if not isinstance(value, str) and value <= 0:
        wanted = "a positive number"
    elif setting.field == "test_images" and value % 2:
        wanted = "an even number"
    if wanted:
        raise UserError(f"--set profile.{setting.field}={setting.text}: expected {wanted}")


def value_of(setting: Setting, hint: Any) -> Any:
    """Return the setting's value as the type of its field.

    Raises:
        UserError: the type does not take it.
    """
    try:
        return parse_value(setting.text, hint)
    except ValueError as error:
        raise UserError(
            f"--set {setting.owner}.{setting.field}={setting.text}: expected {error}, "
            f"got '{setting.text}'"
        ) from None
