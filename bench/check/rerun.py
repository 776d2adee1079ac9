"""The plan for running a baseline again, from the identities in its rows.

A row may differ from the current defaults only in the fields that `--set` changed, which are in its
``settings``. If anything else differs, the code has changed. Then the row is not run, and a finding
says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bench.check.baseline import name_of
from bench.check.baseline_schema import Baseline, Row
from bench.check.findings import Finding, Layer, Verdict
from bench.contracts.anchors import ANCHORS, WITHOUT_SEED, configured_as
from bench.contracts.cell import Cell
from bench.contracts.labels import without_brackets
from bench.contracts.protocol import PROTOCOL, protocol_of
from bench.contracts.record import Conditions
from bench.contracts.registry import Registry
from bench.contracts.search import searched_fields
from bench.contracts.task import Options, Task
from bench.plan.fit import check_fit
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, usable_device
from bench.plan.profiles import SETTABLE, Profile, choose_profile
from bench.plan.settings import default_config
from bench.tasks.cache import fingerprint
from bench.tasks.options import check_taken, from_json, task_of, to_json
from bench.utils.errors import UserError


@dataclass
class Again:
    """The rows of a baseline that can be run again, their plan, and findings for the others.

    plan: None if there is nothing to run.
    """

    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    plan: Plan | None = None


def plan_again(baseline: Baseline, plugins: Sequence[Path], said: Options, seeds: int) -> Again:
    """Return the plan of the cells of a baseline.

    Args:
        baseline: The baseline, whose rows are run.
        plugins: The files given with `--plugin`.
        said: The folder of the images, if it is not that of the baseline, and the cache.
        seeds: How many seeds of each row are run, from the first.

    Raises:
        UserError: A method, task, profile or device does not exist here, or images are missing.
    """
    request = Request(plugins=tuple(plugins))
    registry = Registry(request.plugins)
    again = Again()
    tasks: dict[str, Task] = {}
    cells: dict[str, Cell] = {}
    for row in baseline["rows"]:
        name = row["task"]
        if name not in tasks:
            known = row.get("options") or baseline["environment"].get("options", {})
            tasks[name] = _task(registry, name, known, said)
        profile = choose_profile(without_brackets(row["profile"]))
        if reason := _apart(row, profile, tasks[name], registry):
            again.findings.append(
                Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, name_of(row), "identity", said=reason)
            )
            continue
        again.rows.append(row)
        for seed in row["seeds"][:seeds]:
            cell = _cell(row, seed, profile, tasks[name], registry, full_paths(request))
            cells[cell.id] = cell
    check_taken(registry, list(tasks.values()), said)
    if cells:
        versions = chosen_metrics(registry, request)
        again.plan = Plan(tuple(cells.values()), versions, tasks, registry, None)
    return again


def _task(registry: Registry, name: str, known: Mapping[str, Any], said: Options) -> Task:
    """Return a task with the images of the baseline, or with the images that the user gives."""
    options = from_json(dict(known) | to_json(said), said.cache)
    try:
        return task_of(registry, name, options)
    except UserError as error:
        raise UserError(f"{error} (a baseline of {name}: {_WHERE})") from error


_WHERE = "say with --a, --b and --data-root where its images lie on this machine"


def _apart(row: Row, profile: Profile, task: Task, registry: Registry) -> str:
    """Return the changes since a row was made, or ''."""
    identity, settings = row["identity"], row["settings"]
    method = identity["method"]
    if protocol_of(identity) != PROTOCOL:
        return f"protocol {protocol_of(identity)} made it, today's is {PROTOCOL}: nothing was run"
    today = default_config(registry, method, profile, task.name, "published")
    kept = _fields_kept(row, registry)
    found = _changed(identity["config"], today, kept, "config.")
    set_there = _fields_set(settings, "profile")
    found += _changed(identity["numbers"], profile.numbers(), set_there, "profile.")
    if found:
        return f"the code has changed: {'; '.join(found)}"
    sizes = _sized(profile, identity).sizes
    try:
        now = fingerprint(task, sizes)
    except UserError as error:
        raise UserError(f"{error} (a baseline of {row['task']}: {_WHERE})") from error
    if now != identity["fingerprint"]:
        return f"its images have changed ({identity['fingerprint']} -> {now}): nothing was run"
    return ""


def _fields_kept(row: Row, registry: Registry) -> set[str]:
    """Return the fields of a method whose values come from the baseline.

    These are the fields that `--set` changed, and those that studies search: a new winner is no
    change of the code.
    """
    method = configured_as(row["identity"]["method"])
    kept = _fields_set(row["settings"], method)
    if row["identity"]["method"] in WITHOUT_SEED:
        return kept
    return kept | set(searched_fields(registry.find("method", method).load().Config))


def _fields_set(settings: Mapping[str, Any], owner: str) -> set[str]:
    """Return the fields of a method or of the profile that `--set` changed."""
    return {key.removeprefix(f"{owner}.") for key in settings if key.startswith(f"{owner}.")}


def _changed(
    was: Mapping[str, Any], now: Mapping[str, Any], free: set[str], beginning: str
) -> list[str]:
    """Return the differences between two configurations, except in free fields."""
    today = json.loads(json.dumps(now))
    return [
        f"{beginning}{key}: {was.get(key)} -> {today.get(key)}"
        for key in sorted(was.keys() | today.keys())
        if was.get(key) != today.get(key) and not (key in was and key in today and key in free)
    ]


def _sized(profile: Profile, identity: Conditions) -> Profile:
    """Return a copy of a profile with the name and the sizes of an identity."""
    known: Mapping[str, Any] = identity["numbers"]
    numbers = {key: known[key] for key in SETTABLE}
    return replace(profile, name=identity["profile"], **numbers)


def _cell(
    row: Row,
    seed: int,
    profile: Profile,
    task: Task,
    registry: Registry,
    plugins: tuple[str, ...],
) -> Cell:
    """Return the cell of a row and a seed.

    Raises:
        UserError: The method does not fit the task, or the device does not exist here.
    """
    identity = row["identity"]
    today = default_config(registry, identity["method"], profile, task.name, "published")
    chosen = _fields_kept(row, registry)
    config = today | {key: identity["config"][key] for key in today if key in chosen}
    if identity["method"] not in ANCHORS:
        plugin = registry.find("method", identity["method"])
        check_fit(plugin, _sized(profile, identity), task, config)
    usable_device(identity["device"])
    kept = cast("dict[str, Any]", identity) | {"config": config}
    return Cell(label=row["label"], seed=seed, plugins=plugins, settings=row["settings"], **kept)
