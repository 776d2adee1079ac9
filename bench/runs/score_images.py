"""Scores ready-made images of a method that was trained elsewhere, as a cell like any other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench.cell.run_folder import RunFolder
from bench.contracts.cell import IMAGES_HASH, Cell, is_imported, stem_of
from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.registry import RESERVED, Registry
from bench.contracts.task import Task
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, jobs_for
from bench.plan.profiles import Profile, Setting, choose_profile
from bench.plan.settings import profile_settings
from bench.records.read import cell_of
from bench.records.store import Store
from bench.runs.execute import Setup, execute, make_ready
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.files.decode import SUFFIXES, as_rgb, opened, pixels, shown
from bench.tasks.files.file_names import in_order
from bench.tasks.files.index import is_image
from bench.tasks.options import tasks_of
from bench.tasks.pairs import write_pairs
from bench.utils.errors import UserError, unknown
from bench.utils.files.tensor_files import content_hash
from bench.utils.hashing import safe
from bench.utils.output.console import say

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
ABSENT = {
    **{name: f"no images were given for '{name}'" for name in IMAGES},
    **dict.fromkeys(CODES, "images only: no codes"),
    **dict.fromkeys(("training", "inference"), "trained elsewhere"),
}


def score_images(setup: Setup, request: Request, name: str, folders: Mapping[str, Path]) -> int:
    """Score folders of images under a name; return the exit code.

    Other images that were scored under the same name on this task and profile are replaced.

    Raises:
        UserError: the request, the name or the images are not what they must be.
    """
    registry = Registry(request.plugins)
    _check_name(name, registry)
    task, profile = _task_and_profile(request, registry)
    versions = chosen_metrics(registry, request)
    pairs = profile.test_images
    if task.needs:  # the user's files: only their decoding tells how many can be used
        pairs = len(prepare(task, profile.sizes, setup.cache).test_pairs[0])
    images = read_images(folders, profile.size, pairs)
    cell = Cell(
        label=name,
        method=name,
        config={IMAGES_HASH: content_hash(images)},
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
        absent = {key: reason for key, reason in ABSENT.items() if key not in images}
        folder.save_artefacts(Artefacts(images, absent=absent))
    plan = Plan((cell,), versions, {task.name: task}, registry, request.inception)
    jobs = jobs_for(plan, store, setup.cache, setup.existing, may_train=False)
    return execute(setup.console, plan, jobs, store, setup.engine, setup.workers, replaced)


def show_pairs(setup: Setup, request: Request, folders: Mapping[str, Path]) -> None:
    """Write the test pairs that ready-made images must follow; check those that are given.

    Raises:
        UserError: the request or the given images are not what they must be.
    """
    task, profile = _task_and_profile(request, Registry(request.plugins))
    console, store = setup.console, setup.store
    store.open_for_writing()
    data = make_ready(console, task, profile.sizes, setup.cache)
    pairs = len(data.test_pairs[0])
    folder = store.root / f"pairs-{safe(task.name)}-{stem_of(profile.name)}"
    write_pairs(folder, data)
    say(console, f"wrote the test pairs to {folder} (which belong together: pairs.csv)")
    say(
        console,
        f"expected for each of {', '.join(IMAGES)}: a folder of {pairs} images of "
        f"{profile.size} x {profile.size} pixels, in the order of their names; add and remove "
        "suffice for most metrics",
    )
    if folders:
        read_images(folders, profile.size, pairs)
        say(console, f"the images given for {', '.join(folders)} fit")


def parse_folders(given: Sequence[str]) -> dict[str, Path]:
    """Return the folder of each artefact of `add=DIR`, `remove=DIR` and so on.

    Raises:
        UserError: one has another form, an unknown key, or a key that was there before.
    """
    folders: dict[str, Path] = {}
    for text in given:
        key, equals, folder = text.partition("=")
        if not equals or not folder:
            raise UserError(f"--images '{text}': expected KEY=FOLDER, for example add=my/added")
        if key not in IMAGES:
            raise unknown(f"key of --images {text}:", key, IMAGES)
        if key in folders:
            raise UserError(f"--images {text}: {key} is given already, as {folders[key]}")
        folders[key] = Path(folder)
    return folders


def read_images(folders: Mapping[str, Path], size: int, pairs: int) -> dict[str, Tensor]:
    """Return the images of each folder, uint8 (n, 3, S, S), as many as there are test pairs.

    Raises:
        UserError: a folder does not hold exactly these.
    """
    return {
        key: torch.stack([_read(path, size) for path in _files(key, folder, pairs)])
        for key, folder in folders.items()
    }


def _files(key: str, folder: Path, pairs: int) -> list[Path]:
    """Return the images of a folder in the order of their names; files of other kinds are none."""
    where = f"--images {key}={folder}"
    if not folder.is_dir():
        raise UserError(f"{where}: no such folder")
    try:
        found = [path.name for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror})") from error
    images = [name for name in found if is_image(name)]
    if len(images) != pairs:
        others = sorted(set(found) - set(images))
        named = f" (no images: {', '.join(map(shown, others[:3]))}{', ...' * (len(others) > 3)})"
        raise UserError(
            f"{where}: {len(images)} images{named if others else ''}, expected {pairs}, one for "
            f"each test pair (--dry-run writes the pairs); read are {', '.join(SUFFIXES)}"
        )
    return [folder / name for name in in_order(images, where)]


def _read(path: Path, size: int) -> Tensor:
    """Return a file as RGB, uint8 (3, S, S); what is transparent stands on white.

    Raises:
        UserError: it cannot be read, or has another size.
    """
    with opened(path) as image:
        rgb = as_rgb(image)
    if rgb.size != (size, size):
        width, height = rgb.size
        raise UserError(f"{path}: {width} x {height} pixels, expected {size} x {size}")
    return torch.from_numpy(pixels(rgb))


def _check_name(name: str, registry: Registry) -> None:
    if not NAME.fullmatch(name):
        raise UserError(
            f"--name '{name}': expected a simple word of at most 60 letters, digits, '-', '_' or "
            "'.', for example mine"
        )
    if name in RESERVED | {plugin.name for plugin in registry.all("method")}:
        raise UserError(f"--name {name}: that is a method of the suite; choose another name")


def _task_and_profile(request: Request, registry: Registry) -> tuple[Task, Profile]:
    if len(request.tasks) > 1:
        raise UserError(f"--tasks {','.join(request.tasks)}: images are of one task, name it alone")
    settings = [Setting.parse(text) for text in request.settings]
    for setting in settings:
        if setting.owner != "profile":
            raise UserError(
                f"--set {setting.owner}.{setting.field}={setting.text}: images have no settings "
                "but those of the profile"
            )
    (task,) = tasks_of(registry, request.tasks, request.options).values()
    return task, choose_profile(request.profile, settings)


def _replaced(cell: Cell, store: Store) -> list[Cell]:
    """Return the cells of other images of the same name, task and profile.

    Raises:
        UserError: the name is that of a method that was trained here.
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
        place = (identity["task"], identity["profile"])
        if place == (cell.task, cell.profile) and record["id"] != cell.id:
            found.append(cell_of(record))
    return found
