"""Contact sheets: what the images of a task look like, and its true results."""

from __future__ import annotations

from pathlib import Path
from string import ascii_uppercase

from bench.contracts import TaskData
from bench.grid import ROWS, Column, save_columns

MORE = 2
"""Columns of further test images of each domain."""


def draw_sheet(path: Path, data: TaskData) -> None:
    """Write a sheet of a task as PNG: the first test pairs with their truth, then other images.

    Where the task draws no truth there are only images of each domain.
    """
    test = [domain.images for domain in data.domains["test"]]
    letters = ascii_uppercase[: len(test)]
    columns: list[Column] = []
    first = 0
    if data.truth is not None:
        a, b = (images[:ROWS] for images in test[:2])
        add, other, remove = (images[:ROWS] for images in vars(data.truth).values())
        columns += [("a", a), ("guide b", b), ("added", add), ("other guide", other)]
        columns += [("b", b), ("removed", remove)]
        first = ROWS
    for letter, images in zip(letters, test, strict=True):
        for at in range(MORE):
            shown = images[first + at * ROWS : first + (at + 1) * ROWS]
            if len(shown) == ROWS:
                columns.append((letter, shown))
    save_columns(path, f"{data.name}: test images, {data.spec.size} px", columns)
