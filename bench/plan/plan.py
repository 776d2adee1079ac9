"""Turns a request into a plan of cells, and a plan into jobs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.cell.job import Job
from bench.contracts.anchors import WITHOUT_SEED, configured_as
from bench.contracts.cell import PUBLISHED, Cell, Configuration
from bench.contracts.metric import Settings
from bench.contracts.registry import Plugin, Registry, families
from bench.contracts.task import Options, Task
from bench.plan.configure import configure
from bench.plan.fit import DomainsError, check_fit
from bench.plan.method_sets import chosen_methods
from bench.plan.profiles import Profile, Setting, choose_profile
from bench.plan.settings import method_settings, profile_settings
from bench.plan.tuned import Kind, Origin, kinds_of, origin_of
from bench.records.read import Damaged
from bench.records.select import ALL
from bench.records.store import Existing, Store
from bench.tasks.cache import fingerprint
from bench.tasks.options import tasks_of, to_json
from bench.utils.errors import UserError, unknown
from bench.utils.files.atomic import read_only
from bench.utils.gpu import gpu_count, native_bf16
from bench.utils.seeds import parse_seeds
from bench.utils.threads import available_cores


@dataclass(frozen=True)
class Request:
    """What the user asks for, not yet checked.

    Attributes:
        methods, tasks, metrics: names; `all` stands for all that need no extra input.
        profile: the name of a profile.
        seeds: as typed, for example `0,1` or `0-4`; empty for the seeds of the profile.
        device: auto, cpu or cuda.
        precision: auto, fp32 or bf16; empty for the precision of the profile.
        settings: the `--set` options, as typed.
        configuration: tuned, published or both; empty for that of the profile.
        plugins: files with the user's own methods, metrics and tasks.
        inception: the file with the weights of Inception, if there is one.
        options: the images that the user names.
        dry_run: whether planning must not write, not even to the cache.
    """

    methods: tuple[str, ...] = (ALL,)
    tasks: tuple[str, ...] = ("avatars-glasses",)
    metrics: tuple[str, ...] = ()
    profile: str = "small"
    seeds: str = ""
    device: str = "auto"
    precision: str = ""
    settings: tuple[str, ...] = ()
    configuration: str = ""
    plugins: tuple[Path, ...] = ()
    inception: Path | None = None
    options: Options = field(default_factory=Options)
    dry_run: bool = False


@dataclass(frozen=True)
class Plan:
    """The cells of a run, and the plug-ins that they name.

    Attributes:
        cells: the cells, in the order of the tasks, methods and seeds.
        versions: the version of each metric to compute, by metric id.
        tasks: the tasks by name. A task is missing if the cache holds all that is needed of it.
        registry: the plug-ins.
        inception: the file with the weights of Inception, if there is one.
        left_out: one line for each method of `all` that does not fit a task, and for each
            installed plug-in that cannot be used.
    """

    cells: tuple[Cell, ...]
    versions: dict[str, int]
    tasks: dict[str, Task]
    registry: Registry
    inception: Path | None
    left_out: tuple[str, ...] = ()


def make_plan(request: Request) -> Plan:
    """Check a request completely and return its cells.

    Raises:
        UserError: a name does not exist, a value does not fit, or this machine lacks something.
    """
    with read_only() if request.dry_run else nullcontext():
        return _make_plan(request)


def _make_plan(request: Request) -> Plan:
    registry = Registry(request.plugins)
    settings = [Setting.parse(text) for text in request.settings]
    methods = chosen_methods(registry, request.methods)
    for setting in settings:
        known = {plugin.name for plugin in registry.all("method")} | {"profile"}
        if setting.owner not in known:
            raise unknown("owner of a setting", setting.owner, known)
        if setting.owner not in {*map(configured_as, methods), "profile"}:
            raise UserError(
                f"--set {setting.owner}.{setting.field}={setting.text}: "
                f"{setting.owner} is not among the methods of this run"
            )
    profile = choose_profile(request.profile, settings)
    kinds = kinds_of(request.configuration, profile)
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
            if name in WITHOUT_SEED:
                cells.append(cell)  # one cell stands for all seeds
                continue
            plugin = registry.find("method", configured_as(name))
            if plugin.installed and name not in request.methods and (why := plugin.why_broken()):
                left_out.append(f"{name} of an installed package: {why}")
                continue
            try:
                made = _configured(
                    plugin, cell, profile, task, kinds, settings, request.options.cache
                )
            except DomainsError as error:
                if name in request.methods:
                    raise
                left_out.append(str(error))
                continue
            cells += [
                replace(one, seed=seed, device=device, precision=precision)
                for one in made
                for seed in seeds
            ]
    return Plan(tuple(cells), versions, tasks, registry, request.inception, tuple(left_out))


def _configured(
    plugin: Plugin,
    cell: Cell,
    profile: Profile,
    task: Task,
    kinds: Sequence[Kind],
    settings: Sequence[Setting],
    cache: Path | None,
) -> list[Cell]:
    """Return a cell once for each kind of configuration; equal configurations give one cell.

    Raises:
        UserError: a setting is wrong, or the method does not fit the task.
    """
    found: list[Cell] = []
    for kind in kinds:
        origin = origin_of(plugin, kind, profile, task.name)
        label, config = configure(plugin, origin, settings)
        if config in [other.config for other in found]:
            continue
        check_fit(plugin, profile, task, config, cache)
        one = replace(
            cell,
            label=cell.method + label.removeprefix(plugin.name),
            config=config,
            settings=cell.settings | method_settings(plugin, origin, config),
        )
        said, study = _said_of(plugin, origin, config, profile, task, settings)
        found.append(replace(one, configuration=said, study=study))
    return found


def _said_of(
    plugin: Plugin,
    origin: Origin,
    config: Mapping[str, Any],
    profile: Profile,
    task: Task,
    settings: Sequence[Setting],
) -> tuple[Configuration, str]:
    """Return what a record says of a configuration, and the label of its study.

    Equal configurations are one cell, so this depends on the configuration, and not on which kind
    the user asked for.
    """
    if profile.configuration == PUBLISHED:
        return PUBLISHED, ""
    try:
        best = origin_of(plugin, "tuned", profile, task.name)
        won = configure(plugin, best, settings)[1] == config
    except UserError:  # a study that cannot be read; this run does not ask for it
        return origin.configuration, origin.study
    if best.configuration == PUBLISHED:
        return "no study", ""
    if won and configure(plugin, Origin(), settings)[1] == config:
        return "both", best.study
    return origin.configuration, origin.study


def jobs_for(
    plan: Plan,
    store: Store,
    cache: Path,
    existing: Existing,
    may_train: bool = True,
    command: str = "",
    **limits: Any,
) -> list[Job]:
    """Return one job for each cell of a plan, with what is left to do for it.

    Args:
        plan: the cells.
        store: the results folder with the records of earlier runs.
        cache: the folder of rendered and decoded tasks.
        existing: what to do with a cell that has a record.
        may_train: if False, a cell that would be trained is only scored.
        command: what the user called, for the record; empty for the command line.
        limits: timeout, checkpoint_every, keep and cells_per_gpu (see `Job`).
    """
    command = command or "python -m bench " + shlex.join(sys.argv[1:])
    jobs = []
    for cell in plan.cells:
        seen = store.state(cell)  # before `todo`, so that a change in between is noticed
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
            options=to_json(plan.tasks[cell.task].options) if cell.task in plan.tasks else {},
            may_train=may_train,
            again=existing == "fresh",
            seen=seen,
            **limits,
        )
        jobs.append(job)
    return jobs


def stale(plan: Plan, store: Store) -> list[str]:
    """Return the labels of finished cells whose method has changed its source since then."""
    now = {
        plugin.name: plugin.source_hash()
        for plugin in plan.registry.all("method")
        if plugin.name in {configured_as(cell.method) for cell in plan.cells}
    }
    labels = []
    for cell in plan.cells:
        record = store.record(store.record_path(cell))
        if not isinstance(record, Damaged) and record["id"] == cell.id:
            method = configured_as(cell.method)
            then = record["sources"].get(method)
            if then is not None and then != now.get(method, then):
                labels.append(cell.label)
    return list(dict.fromkeys(labels))


def default_workers(device: str, cells_per_gpu: int = 1) -> int:
    """Return how many cells run at a time: one per CPU core, or `cells_per_gpu` per GPU."""
    if device == "cuda":
        return cells_per_gpu * max(1, gpu_count())
    return available_cores()


def full_paths(request: Request) -> tuple[str, ...]:
    """Return the absolute paths of the plug-in files, which a worker in another folder needs."""
    return tuple(str(path.resolve()) for path in request.plugins)


def chosen_metrics(registry: Registry, request: Request) -> dict[str, int]:
    """Return the metric ids to compute, with their versions.

    The name of a family stands for all its metrics. `all` stands for every metric that this
    machine can compute.

    Raises:
        UserError: a metric does not exist, or is named and cannot be computed here.
    """
    settings = Settings(inception=request.inception)
    by_family = {p.name: [info.id for info in p.facts["numbers"]] for p in registry.all("metric")}
    family_of = {name: family for family, ids in by_family.items() for name in ids}
    gaps = {p.name: p.unavailable(settings) for p in registry.all("metric")}
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
    """Return the name of a device; auto gives cuda if torch sees a GPU, and else cpu.

    Raises:
        UserError: there is no such device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not gpu_count():
        raise UserError("--device cuda: torch sees no GPU here; use --device cpu")
    if name == "auto":
        return "cuda" if gpu_count() else "cpu"
    return name
