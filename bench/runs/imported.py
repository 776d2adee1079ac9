"""Scores artefacts that were made elsewhere: they become a cell like any other."""

from __future__ import annotations

import re

from bench.cell.run_folder import RunFolder
from bench.contracts.cell import IMAGES_HASH, Cell, is_imported
from bench.contracts.metric import Artefacts
from bench.contracts.protocol import board_key_of
from bench.contracts.registry import RESERVED, Registry
from bench.contracts.task import Task
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, jobs_for
from bench.plan.profiles import Profile, Setting, choose_profile
from bench.plan.settings import profile_settings
from bench.records.read import cell_of
from bench.records.store import Store
from bench.runs.execute import Setup, execute
from bench.tasks.cache import fingerprint
from bench.tasks.options import tasks_of
from bench.utils.errors import UserError
from bench.utils.files.tensor_files import content_hash

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


def score_imported(
    setup: Setup,
    request: Request,
    registry: Registry,
    name: str,
    task: Task,
    profile: Profile,
    artefacts: Artefacts,
    command: str = "",
) -> tuple[int, Cell]:
    """Score artefacts under the name of a method; return the exit code and their cell.

    Artefacts that were scored before under this name, on this task and profile, are replaced.

    command: what the user called, for the record; empty for the command line.

    Raises:
        UserError: a metric does not exist, or a method of this name was trained here.
    """
    versions = chosen_metrics(registry, request)
    cell = Cell(
        label=name,
        method=name,
        config={IMAGES_HASH: content_hash(artefacts.tensors)},
        task=task.name,
        fingerprint=fingerprint(task, profile.sizes),
        profile=profile.name,
        numbers=profile.numbers(),
        seed=0,
        device="cpu",
        precision="fp32",
        plugins=full_paths(request),
        settings=profile_settings(profile),
    )
    store = setup.store
    replaced = _replaced(cell, store)
    store.open_for_writing()
    folder = RunFolder(store.run_path(cell))
    if folder.artefacts() is None:
        folder.save_artefacts(artefacts)
    plan = Plan((cell,), versions, {task.name: task}, registry, request.inception)
    jobs = jobs_for(plan, store, setup.cache, setup.existing, may_train=False, command=command)
    code = execute(setup.console, plan, jobs, store, setup.engine, setup.workers, replaced)
    return code, cell


def check_name(name: str, registry: Registry) -> None:
    """Check that artefacts made elsewhere can have a name.

    Raises:
        UserError: it is no simple word, or a method of the suite has it.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"--name '{name}': expected a simple word of at most 60 letters, digits, '-', '_' or "
            "'.', for example mine"
        )
    if name in RESERVED | {plugin.name for plugin in registry.all("method")}:
        raise UserError(f"--name {name}: that is a method of the suite; choose another name")


def task_and_profile(request: Request, registry: Registry) -> tuple[Task, Profile]:
    """Return the task and the profile of a request.

    Raises:
        UserError: one of them does not exist, or a setting is none of the profile.
    """
    settings = [Setting.parse(text) for text in request.settings]
    for setting in settings:
        if setting.owner != "profile":
            raise UserError(
                f"--set {setting.owner}.{setting.field}={setting.text}: expected "
                "profile.FIELD=VALUE, as images have no other settings"
            )
    (task,) = tasks_of(registry, request.tasks, request.options).values()
    return task, choose_profile(request.profile, settings)


def _replaced(cell: Cell, store: Store) -> list[Cell]:
    """Return the cells of other images of the same name, task and profile.

    Raises:
        UserError: a method of this name was trained here.
    """
    found = []
    for record in store.records()[0]:
        identity = record["identity"]
        if cell.method not in (identity["method"], record["label"]):
            continue
        if not is_imported(identity):
            raise UserError(
                f"--name {cell.method}: {store.root} has a record of a method of this name that "
                "was trained here; choose another name"
            )
        if board_key_of(identity) == board_key_of(cell.identity) and record["id"] != cell.id:
            found.append(cell_of(record))
    return found
