"""Writes the test pairs of a task as PNG files, for a method that is trained elsewhere."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

from PIL import Image
from torch import Tensor

from bench.contracts.task import TaskData
from bench.utils.files.sealed import write_atomically

HEADS = ("index", "source", "guide", "other_guide")


def write_pairs(folder: Path, data: TaskData) -> None:
    """Write the sources to ``a/``, the guides to ``b/``, and a table of the pairs.

    A row of ``pairs.csv`` names the source, the guide and the other guide of a pair. ``add`` puts
    the separate content of the guide onto the source, ``other`` that of the other guide, and
    ``remove`` takes it from the guide (see `bench.contracts.task.Truth`).
    """
    a, b = (
        _write_images(folder, letter, images)
        for letter, images in zip("ab", data.test_pairs, strict=True)
    )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(HEADS)
    for at, (source, guide) in enumerate(zip(a, b, strict=True)):
        writer.writerow([at, source, guide, b[at ^ 1]])
    write_atomically(folder / "pairs.csv", table.getvalue())


def _write_images(folder: Path, letter: str, images: Tensor) -> list[str]:
    """Replace the images of a domain; return their names within the folder."""
    shutil.rmtree(folder / letter, ignore_errors=True)
    (folder / letter).mkdir(parents=True)
    names = [f"{letter}/{at:05d}.png" for at in range(len(images))]
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
    return names
