"""What was run is asked for again: from identities in records and baselines to cells and commands.

The identity of a cell decides, and not its label. Of a row of a baseline only what its label says
was set may differ from what a method and a profile say today: a default that is another now is a
change of the code, and the row is not run but told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.check.baseline import Row, name_of
from bench.check.findings import Finding, Layer, Verdict
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell
from bench.contracts.labels import is_named
from bench.contracts.registry import Registry
from bench.contracts.task import Options, Task
from bench.plan.fit import check_fit
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, usable_device
from bench.plan.profiles import SETTABLE, Profile, choose_profile
from bench.plan.settings import _configuration, _profile_name
from bench.tasks.cache import fingerprint
from bench.tasks.options import OPTIONS, check_taken, from_json, task_of, to_json
from bench.utils.errors import UserError


@dataclass
class Again:
    """The rows of a baseline that can be run as they were, their plan, and why others cannot.

    plan: None where there is nothing to run.
    """

    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    plan: Plan | None = None


def plan_again(
    baseline: Mapping[str, Any], plugins: Sequence[Path], said: Options, seeds: int
) -> Again:
    """Return the plan of the cells of a baseline: of each row the first so many seeds.

    said: of the task's images, where it is not what the baseline says; and the cache.

    Raises:
        UserError: a method, a task, a profile or a device is not here, or images cannot be had.
    """
    request = Request(plugins=tuple(plugins))
    registry = Registry(request.plugins)
    again = Again()
    tasks: dict[str, Task] = {}
    cells: dict[str, Cell] = {}
    for row in baseline["rows"]:
        name = row["task"]
        if name not in tasks:
            known = row.get(OPTIONS) or baseline["environment"].get(OPTIONS, {})
            tasks[name] = _task(registry, name, known, said)
        profile = choose_profile(_profile_name(row["identity"]))
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
    """Return a task of the images that a baseline knows, or that are named instead."""
    options = from_json(dict(known) | to_json(said), said.cache)
    try:
        return task_of(registry, name, options)
    except UserError as error:
        raise UserError(f"{error} (a baseline of {name}: {_WHERE})") from error


_WHERE = "where its images lie on this machine is said with --a, --b and --data-root"


def _apart(row: Row, profile: Profile, task: Task, registry: Registry) -> str:
    """Return what of a row is no longer what it was, or ''."""
    identity = row["identity"]
    today = _configuration(registry, identity["method"], profile)
    changed = _changed(identity["config"], today, row["label"], "config.")
    changed += _changed(identity["numbers"], profile.numbers(), identity["profile"], "profile.")
    if changed:
        return f"the code says something else now: {'; '.join(changed)}"
    sizes = _sized(profile, identity).sizes
    try:
        now = fingerprint(task, sizes)
    except UserError as error:
        raise UserError(f"{error} (a baseline of {row['task']}: {_WHERE})") from error
    if now != identity["fingerprint"]:
        return f"its images are others ({identity['fingerprint']} -> {now}): nothing was run"
    return ""


def _changed(
    was: Mapping[str, Any], now: Mapping[str, Any], label: str, beginning: str
) -> list[str]:
    """Return what differs, but for what a label says was set."""
    today = json.loads(json.dumps(now))
    return [
        f"{beginning}{key}: {was.get(key)} -> {today.get(key)}"
        for key in sorted(was.keys() | today.keys())
        if was.get(key) != today.get(key)
        and not (key in was and key in today and is_named(key, label))
    ]


def _sized(profile: Profile, identity: Mapping[str, Any]) -> Profile:
    """Return a profile with the name and the numbers of an identity."""
    numbers = {key: identity["numbers"][key] for key in SETTABLE}
    return replace(profile, name=identity["profile"], **numbers)


def _cell(
    row: Row,
    seed: int,
    profile: Profile,
    task: Task,
    registry: Registry,
    plugins: tuple[str, ...],
) -> Cell:
    """Return a cell of the identity of a row.

    Raises:
        UserError: its method does not fit, or its device is not here.
    """
    identity = row["identity"]
    today = _configuration(registry, identity["method"], profile)
    set_to = {key: identity["config"][key] for key in today if is_named(key, row["label"])}
    config = today | set_to
    if identity["method"] not in ANCHORS:
        plugin = registry.find("method", identity["method"])
        check_fit(plugin, _sized(profile, identity), task, config)
    usable_device(identity["device"])
    return Cell(
        label=row["label"], seed=seed, plugins=plugins, **(dict(identity) | {"config": config})
    )
