"""Scores images that a method trained elsewhere made: they become a cell like any other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from bench.cell.run_folder import RunFolder
from bench.contracts.cell import IMAGES_HASH, Cell, is_imported, stem_of
from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.protocol import board_key_of
from bench.contracts.registry import RESERVED, Registry
from bench.contracts.task import DataSizes, Task
from bench.plan.plan import Plan, Request, chosen_metrics, full_paths, jobs_for
from bench.plan.profiles import Profile, Setting, choose_profile
from bench.plan.settings import profile_settings
from bench.records.read import cell_of
from bench.records.store import Store
from bench.runs.execute import Setup, execute, make_ready
from bench.tasks.cache import fingerprint, prepare
from bench.tasks.files.decode import SUFFIXES, as_rgb, open_image, path_text, to_array
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
    """Score folders of images under the name of a method; return the exit code.

    Images that were scored before under this name, on this task and profile, are replaced.

    Raises:
        UserError: the request, the name or the images are wrong.
    """
    registry = Registry(request.plugins)
    versions = chosen_metrics(registry, request)
    task, profile, images = _read_all(setup, request, registry, name, folders)
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


def check_images(setup: Setup, request: Request, name: str, folders: Mapping[str, Path]) -> None:
    """Check what `score_images` would score, and say that it fits. Nothing is written.

    Raises:
        UserError: the request, the name or the images are wrong.
    """
    registry = Registry(request.plugins)
    chosen_metrics(registry, request)
    task, _, images = _read_all(setup, request, registry, name, folders)
    counts = ", ".join(f"{key} ({len(tensor)} images)" for key, tensor in images.items())
    say(setup.console, f"the images of {name} fit the test pairs of {task.name}: {counts}")


def write_test_pairs(console: Console, request: Request, store: Store, cache: Path) -> None:
    """Write the test pairs that images of another method must follow, and say what is expected.

    Raises:
        UserError: the request is wrong, or the results folder cannot be written.
    """
    task, profile = _task_and_profile(request, Registry(request.plugins))
    store.open_for_writing()
    data = make_ready(console, task, profile.sizes, cache)
    folder = store.root / f"pairs-{safe(task.name)}-{stem_of(profile.name)}"
    write_pairs(folder, data)
    say(console, f"wrote the test pairs to {folder} (pairs.csv says which images are a pair)")
    say(
        console,
        f"expected for each of {', '.join(IMAGES)}: a folder of {len(data.test_pairs[0])} images "
        f"of {profile.size} x {profile.size} pixels, in the order of their names; add and remove "
        "suffice for most metrics",
    )


def parse_folders(given: Sequence[str]) -> dict[str, Path]:
    """Return the folder of each artefact of `add=DIR`, `remove=DIR` and so on.

    Raises:
        UserError: one is not KEY=DIR, or its key is unknown or was given before.
    """
    folders: dict[str, Path] = {}
    for text in given:
        key, equals, folder = text.partition("=")
        if not equals or not folder:
            raise UserError(f"--images '{text}': expected KEY=DIR, for example add=my/added")
        if key not in IMAGES:
            raise unknown(f"key of --images {text}:", key, IMAGES)
        if key in folders:
            raise UserError(f"--images {text}: {key} is given already, as {folders[key]}")
        folders[key] = Path(folder)
    return folders


def read_images(folders: Mapping[str, Path], size: int, pairs: int) -> dict[str, Tensor]:
    """Return the images of each folder, uint8 (n, 3, S, S) with one image for each test pair.

    Raises:
        UserError: a folder holds more or fewer images, or one that cannot be read or has another
            size.
    """
    return {
        key: torch.stack([_read(path, size) for path in _files(key, folder, pairs)])
        for key, folder in folders.items()
    }


def _files(key: str, folder: Path, pairs: int) -> list[Path]:
    """Return the image files of a folder in the order of their names; other files do not count."""
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
        named = (
            f" (not images: {', '.join(map(path_text, others[:3]))}{', ...' * (len(others) > 3)})"
        )
        raise UserError(
            f"{where}: {len(images)} images{named if others else ''}, expected {pairs}, one for "
            f"each test pair (`python -m bench pairs` writes them); the names of images end with "
            f"{', '.join(SUFFIXES)}"
        )
    return [folder / name for name in in_order(images, where)]


def _read(path: Path, size: int) -> Tensor:
    """Return an image file as RGB on white, uint8 (3, S, S).

    Raises:
        UserError: it cannot be read, or has another size.
    """
    with open_image(path) as image:
        rgb = as_rgb(image)
    if rgb.size != (size, size):
        width, height = rgb.size
        raise UserError(f"{path}: {width} x {height} pixels, expected {size} x {size}")
    return torch.from_numpy(to_array(rgb))


def _read_all(
    setup: Setup, request: Request, registry: Registry, name: str, folders: Mapping[str, Path]
) -> tuple[Task, Profile, dict[str, Tensor]]:
    """Check the name and the request; return the task, the profile and the images."""
    _check_name(name, registry)
    task, profile = _task_and_profile(request, registry)
    pairs = _count_pairs(task, profile.sizes, setup.cache)
    return task, profile, read_images(folders, profile.size, pairs)


def _count_pairs(task: Task, sizes: DataSizes, cache: Path) -> int:
    """Return how many test pairs a task has at these sizes."""
    if task.options.skip_bad:  # decoding finds out which images are left out
        return len(prepare(task, sizes, cache).test_pairs[0])
    return task.available(sizes).test


def _check_name(name: str, registry: Registry) -> None:
    if not NAME.fullmatch(name):
        raise UserError(
            f"--name '{name}': expected a simple word of at most 60 letters, digits, '-', '_' or "
            "'.', for example mine"
        )
    if name in RESERVED | {plugin.name for plugin in registry.all("method")}:
        raise UserError(f"--name {name}: that is a method of the suite; choose another name")


def _task_and_profile(request: Request, registry: Registry) -> tuple[Task, Profile]:
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
