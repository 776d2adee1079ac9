"""Scores images that a method trained elsewhere made: they become a cell like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from bench.contracts.cell import stem_of
from bench.contracts.metric import CODES, IMAGES, Artefacts
from bench.contracts.registry import Registry
from bench.contracts.task import DataSizes, Task
from bench.plan.plan import Request, chosen_metrics
from bench.plan.profiles import Profile
from bench.records.store import Store
from bench.runs.execute import Setup, make_ready
from bench.runs.imported import check_name, score_imported, task_and_profile
from bench.tasks.cache import prepare
from bench.tasks.files.decode import SUFFIXES, as_rgb, open_image, path_text, to_array
from bench.tasks.files.file_names import in_order
from bench.tasks.files.index import is_image
from bench.tasks.pairs import write_pairs
from bench.utils.errors import UserError, unknown
from bench.utils.hashing import safe
from bench.utils.output.console import say

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
    chosen_metrics(registry, request)  # a wrong name is said before images are read
    task, profile, images = _read_all(setup, request, registry, name, folders)
    absent = {key: reason for key, reason in ABSENT.items() if key not in images}
    artefacts = Artefacts(images, absent=absent)
    return score_imported(setup, request, registry, name, task, profile, artefacts)[0]


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
    task, profile = task_and_profile(request, Registry(request.plugins))
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
    check_name(name, registry)
    task, profile = task_and_profile(request, registry)
    pairs = _count_pairs(task, profile.sizes, setup.cache)
    return task, profile, read_images(folders, profile.size, pairs)


def _count_pairs(task: Task, sizes: DataSizes, cache: Path) -> int:
    """Return how many test pairs a task has at these sizes."""
    if task.options.skip_bad:  # decoding finds out which images are left out
        return len(prepare(task, sizes, cache).test_pairs[0])
    return task.available(sizes).test
