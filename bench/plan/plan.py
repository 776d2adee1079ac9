"""From names to jobs: what a run consists of, what is left of it, and what it will take."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.cell.job import Job
from bench.contracts.anchors import ANCHORS
from bench.contracts.cell import Cell
from bench.contracts.metric import Settings
from bench.contracts.registry import Registry, families
from bench.contracts.task import Options, Task
from bench.plan.fit import DomainsError, check_fit
from bench.plan.profiles import Setting, choose_profile, configure
from bench.plan.settings import method_settings, profile_settings
from bench.records.environment import native_bf16
from bench.records.read import Damaged
from bench.records.select import ALL
from bench.records.store import Existing, Store
from bench.tasks.cache import fingerprint
from bench.tasks.options import given, tasks_of
from bench.utils.errors import UserError, unknown
from bench.utils.seeds import parse_seeds


@dataclass(frozen=True)
class Request:
    """What the user asks for, not yet checked."""

    methods: tuple[str, ...] = (ALL,)
    tasks: tuple[str, ...] = ("avatars-glasses",)
    metrics: tuple[str, ...] = ()
    profile: str = "small"
    seeds: str = ""
    device: str = "auto"
    precision: str = ""
    settings: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    inception: Path | None = None
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Plan:
    """The cells of a run, and the plug-ins that they name.

    tasks: by name; one is missing where all that is needed of it is in the cache. left_out: why
    methods that `all` meant are not among the cells, and which installed plug-ins cannot be used, a
    line each.
    """

    cells: tuple[Cell, ...]
    versions: dict[str, int]
    tasks: dict[str, Task]
    registry: Registry
    inception: Path | None
    left_out: tuple[str, ...] = ()


def make_plan(request: Request) -> Plan:
    """Check a request whole and resolve it.

    Raises:
        UserError: anything in it does not exist, does not fit, or cannot be had here.
    """
    registry = Registry(request.plugins)
    settings = [Setting.parse(text) for text in request.settings]
    methods = _chosen_methods(registry, request.methods)
    for setting in settings:
        known = {plugin.name for plugin in registry.all("method")} | {"profile"}
        if setting.owner not in known:
            raise unknown("owner of a setting", setting.owner, known)
        if setting.owner not in {*methods, "profile"}:
            raise UserError(
                f"--set {setting.owner}.{setting.field}={setting.text}: "
                f"{setting.owner} is not among the methods of this run"
            )
    profile = choose_profile(request.profile, settings)
    seeds = parse_seeds(request.seeds) if request.seeds else profile.seeds
    versions = chosen_metrics(registry, request)
    device, precision = usable_device(request.device), request.precision or profile.precision
    if precision not in ("auto", "fp32", "bf16"):
        raise unknown("precision", precision, ("auto", "fp32", "bf16"))
    if precision == "auto":
        precision = "bf16" if native_bf16(device) else "fp32"
    tasks = tasks_of(registry, request.tasks, request.options)
    plugins = full_paths(request)

    set_in_profile = profile_settings(profile)
    cells: list[Cell] = []
    left_out: list[str] = list(registry.skipped)
    for task_name, task in tasks.items():
        named = fingerprint(task, profile.sizes)
        for name in methods:
            cell = Cell(
                label=name,
                method=name,
                config={},
                task=task_name,
                fingerprint=named,
                profile=profile.name,
                numbers=profile.numbers(),
                seed=0,
                device="cpu",
                precision="fp32",
                plugins=plugins,
                settings=set_in_profile,
            )
            if name in ANCHORS:
                cells.append(cell)  # nothing random, nothing trained: one cell serves all seeds
                continue
            plugin = registry.find("method", name)
            label, config = configure(plugin, profile, settings)
            try:
                check_fit(plugin, profile, task, config)
            except DomainsError as error:
                if name in request.methods:
                    raise
                left_out.append(str(error))
                continue
            chosen: dict[str, Any] = {
                "label": label,
                "config": config,
                "settings": cell.settings | method_settings(plugin, profile, config),
                "device": device,
                "precision": precision,
            }
            cells += [replace(cell, seed=seed, **chosen) for seed in seeds]
    return Plan(tuple(cells), versions, tasks, registry, request.inception, tuple(left_out))


def jobs_for(
    plan: Plan,
    store: Store,
    cache: Path,
    existing: Existing,
    may_train: bool = True,
    **limits: Any,
) -> list[Job]:
    """Return a job for every cell, with what is left to do for it.

    limits: timeout, checkpoint_every, keep and cells_per_gpu (see `Job`).

    Where nothing may be trained, a cell that would be run is scored, and scored again if fresh.
    """
    command = "python -m bench " + shlex.join(sys.argv[1:])
    jobs = []
    for cell in plan.cells:
        seen = store.state(cell)  # before `todo` looks: what changes in between is seen as changed
        todo = store.todo(cell, plan.versions, existing)
        if todo == "run" and not may_train:
            todo = "score"
        job = Job(
            cell=cell,
            todo=todo,
            results=store.root,
            cache=cache,
            metrics=tuple(plan.versions),
            inception=plan.inception,
            command=command,
            options=given(plan.tasks[cell.task].options) if cell.task in plan.tasks else {},
            may_train=may_train,
            again=existing == "fresh",
            seen=seen,
            **limits,
        )
        jobs.append(job)
    return jobs


def stale(plan: Plan, store: Store) -> list[str]:
    """Return the labels of finished cells whose method's source has changed since."""
    now = {
        plugin.name: plugin.source_hash()
        for plugin in plan.registry.all("method")
        if plugin.name in {cell.method for cell in plan.cells}
    }
    labels = []
    for cell in plan.cells:
        record = store.record(store.record_path(cell))
        if not isinstance(record, Damaged) and record["id"] == cell.id:
            then = record["sources"].get(cell.method)
            if then is not None and then != now.get(cell.method, then):
                labels.append(cell.label)
    return list(dict.fromkeys(labels))


def default_workers(device: str, cells_per_gpu: int = 1) -> int:
    """Return how many cells run at a time: one a core, or so many on each GPU."""
    if device == "cuda":
        import torch

        return cells_per_gpu * max(1, torch.cuda.device_count())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chosen_methods(registry: Registry, names: Sequence[str]) -> list[str]:
    plugins = registry.all("method")
    methods = [plugin.name for plugin in plugins]
    alike = [p.name for p in plugins if p.facts.get("supervision", "domain") == "domain"]
    chosen: list[str] = []
    for name in names:
        if name == ALL:
            chosen += [*alike, *ANCHORS]
        elif name in methods or name in ANCHORS:
            chosen.append(name)
        else:
            raise unknown("method", name, [ALL, *methods, *ANCHORS])
    return list(dict.fromkeys(chosen))


def full_paths(request: Request) -> tuple[str, ...]:
    """Return the files of a request's plug-ins so that a worker finds them."""
    return tuple(str(path.resolve()) for path in request.plugins)


def chosen_metrics(registry: Registry, request: Request) -> dict[str, int]:
    """Return the wanted metric ids with their versions; a family's name stands for all its ids.

    All that can be computed with the given settings, or what is named; that must be computable.
    """
    settings = Settings(inception=request.inception)
    by_family = {plugin.name: list(plugin.facts["numbers"]) for plugin in registry.all("metric")}
    family_of = {name: family for family, ids in by_family.items() for name in ids}
    gaps = {p.name: p.load()().unavailable(settings) for p in registry.all("metric")}
    wanted: list[str] = []
    for name in request.metrics or (ALL,):
        if name == ALL:
            wanted += [i for i, family in family_of.items() if not gaps[family]]
            continue
        if name not in by_family and name not in family_of:
            raise unknown("metric", name, [ALL, *by_family, *family_of])
        if reason := gaps[family_of.get(name, name)]:
            raise UserError(f"metric {name}: {reason}")
        wanted += by_family.get(name, [name])
    return families(registry, wanted)


def usable_device(name: str) -> str:
    """Return a device by its name, for auto the best that is here.

    Raises:
        UserError: there is no such device.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no GPU here; use --device cpu")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
