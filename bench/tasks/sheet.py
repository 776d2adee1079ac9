"""Contact sheets: pictures with test images of a task and its true results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bench.contracts.task import LETTERS, TaskData
from bench.utils.drawing import PAPER, ROWS, Column, drawn_columns, save, save_columns

MORE_COLUMNS = 2
"""The columns with further test images of each domain."""


def draw_sheet(path: Path, data: TaskData) -> None:
    """Write a PNG sheet of a task: test pairs with their true results, then other test images.

    A task without truth has only images of each domain. A task with few images has fewer rows.
    """
    title = f"{data.name}: test images, {data.spec.size} px"
    save_columns(path, title, _columns(data, ROWS))


def draw_strips(path: Path, tasks: Sequence[TaskData]) -> None:
    """Write a PNG with one row of test images for each task."""
    strips = [drawn_columns(data.name, _columns(data, 1)) for data in tasks]
    size = max(strip.width for strip in strips), sum(strip.height for strip in strips)
    sheet, top = Image.new("RGB", size, PAPER), 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    save(path, sheet.quantize(256))


def _columns(data: TaskData, rows: int) -> list[Column]:
    """Return columns with the first test pairs and their truth, and with further images."""
    test = [domain.images for domain in data.domains["test"]]
    rows = min(rows, *map(len, test))
    columns: list[Column] = []
    first = 0
    if data.truth is not None:
        a, b = (images[:rows] for images in data.test_pairs)
        truth = {name: images[:rows] for name, images in vars(data.truth).items()}
        columns += [("a", a), ("guide b", b), ("added", truth["add"])]
        columns += [("other guide", truth["other"]), ("b", b), ("removed", truth["remove"])]
        first = rows
    for letter, images in zip(LETTERS, test, strict=False):
        parts = images[first : first + MORE_COLUMNS * rows].split(rows)
        columns += [(letter, part) for part in parts if len(part) == rows]
    return columns
