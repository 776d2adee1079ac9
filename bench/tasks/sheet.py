"""Contact sheets: what the images of a task look like, and its true results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bench.contracts.task import LETTERS, TaskData
from bench.utils.drawing import PAPER, ROWS, Column, drawn_columns, save, save_columns

MORE_COLUMNS = 2
"""Columns of further test images of each domain."""


def draw_sheet(path: Path, data: TaskData) -> None:
    """Write a sheet of a task as PNG: the first test pairs with their truth, then other images.

    Where the task draws no truth there are only images of each domain. Few images are fewer rows.
    """
    title = f"{data.name}: test images, {data.spec.size} px"
    save_columns(path, title, _columns(data, ROWS))


def draw_strips(path: Path, tasks: Sequence[TaskData]) -> None:
    """Write one PNG with a row of test images for each of several tasks."""
    strips = [drawn_columns(data.name, _columns(data, 1)) for data in tasks]
    size = max(strip.width for strip in strips), sum(strip.height for strip in strips)
    sheet, top = Image.new("RGB", size, PAPER), 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    save(path, sheet.quantize(256))


def _columns(data: TaskData, rows: int) -> list[Column]:
    """Return the first test pairs with their truth, and columns that are full of other images."""
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
