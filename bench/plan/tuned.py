"""Where the configuration of a method comes from: its paper, or the winner of a tuning study.

A study is named after its task and its profile. Its winners are in ``tuned/NAME.toml``, one table
for each method: ``trial``, the number of the winning trial, and ``config``, the fields that differ
from the published values. The table `TERMS` says how the study was made. If a task and profile have
no study, or the study lacks the method, the winner of `DEFAULT_STUDY` counts. If that lacks the
method, too, a variant of another method uses the winner of that one. All others run as published.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bench.contracts.labels import study_label, without_brackets
from bench.contracts.registry import Plugin
from bench.contracts.task import without_test_seed
from bench.plan.profiles import Profile
from bench.utils.errors import UserError, unknown
from bench.utils.hashing import safe

TUNED = Path(__file__).with_name("tuned")
DEFAULT_TASK = "avatars-glasses"
DEFAULT_STUDY = f"{DEFAULT_TASK}-small"
TERMS = "_study"
"""The table of what all trials of a study share. No method can have this name."""
Kind = Literal["tuned", "published"]
Wanted = Literal["", "tuned", "published", "both"]
"""What a run can ask for; "" for what the profile says."""


@dataclass(frozen=True)
class Origin:
    """Where a configuration comes from.

    Attributes:
        configuration: "tuned" for the winner of a study, else "published".
        study: the label of the study (see `bench.contracts.labels.study_label`), '' for a published
            configuration.
        changes: the fields that differ from the published values.
    """

    configuration: Kind = "published"
    study: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


def study_name(task: str, profile: str) -> str:
    """Return the name of the study of a task in a profile, which is a safe file name."""
    return safe(f"{task}-{without_brackets(profile)}")


def kinds_of(wanted: str, profile: Profile) -> tuple[Kind, ...]:
    """Return the kinds of configuration that a run has.

    Args:
        wanted: see `Wanted`.
        profile: the profile of the run.

    Raises:
        UserError: there is no such kind, or the profile does not have it.
    """
    if wanted not in get_args(Wanted):
        raise unknown("configuration", wanted, [kind for kind in get_args(Wanted) if kind])
    if profile.configuration == "published" and wanted in ("tuned", "both"):
        raise UserError(
            f"--configuration {wanted}: profile {without_brackets(profile.name)} has published "
            "configurations only; leave the option out"
        )
    if wanted == "both":
        return ("tuned", "published")
    return (profile.configuration,) if wanted in ("", "tuned") else ("published",)


def origin_of(plugin: Plugin, kind: Kind, profile: Profile, task: str = DEFAULT_TASK) -> Origin:
    """Return where the configuration of a method comes from.

    Args:
        plugin: the method.
        kind: "tuned" for the winner of a study if there is one.
        profile: the profile of the run; what `--set` changed in it does not matter.
        task: the name of the task.

    Raises:
        UserError: the file of a study, or that of the method, cannot be used.
    """
    if kind == "published":
        return Origin()
    task = without_test_seed(task)
    for method in filter(None, (plugin.name, plugin.variant_of)):
        for study in (study_name(task, profile.name), DEFAULT_STUDY):
            table = winners(TUNED / f"{study}.toml").get(method)
            if table is not None:
                label = study_label(study, "" if method == plugin.name else method)
                return Origin("tuned", label, table["config"])
    return Origin()


def winners(path: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of the methods in the file of a study; {} if there is no such file.

    Raises:
        UserError: it is not TOML, or a table lacks ``config``.
    """
    tables = _tables(path)
    tables.pop(TERMS, None)
    for method, table in tables.items():
        if not isinstance(table, dict) or not isinstance(table.get("config"), dict):
            raise UserError(
                f"{path}: [{method}] lacks the table `config`: run `python -m bench tune` again"
            )
    return tables


def terms_in(path: Path) -> dict[str, Any]:
    """Return what the file of a study says of how it was made; {} if it says nothing.

    Raises:
        UserError: it is not TOML.
    """
    terms = _tables(path).get(TERMS)
    return terms if isinstance(terms, dict) else {}


def _tables(path: Path) -> dict[str, Any]:
    """Return the content of the file of a study; {} if there is no such file."""
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): expected what `tune` writes") from error
