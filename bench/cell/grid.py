"""Draws the results of a cell: source, guide, result and truth side by side."""

from __future__ import annotations

from pathlib import Path

from bench.contracts.metric import Artefacts
from bench.contracts.task import TaskData
from bench.utils.drawing import ROWS, Column, save_columns


def draw_grid(path: Path, title: str, artefacts: Artefacts, data: TaskData) -> None:
    """Write the grid of one cell as PNG: the first test pairs, one column per kind of image."""
    a, b = (images[:ROWS] for images in data.test_pairs)
    made = {name: images[:ROWS] for name, images in artefacts.tensors.items()}
    columns: list[Column] = [("source a", a), ("guide b", b), ("added", made.get("add"))]
    if data.truth is not None:
        columns.append(("truth (add)", data.truth.add[:ROWS]))
    columns += [("b", b), ("removed", made.get("remove"))]
    if data.truth is not None:
        columns.append(("truth (remove)", data.truth.remove[:ROWS]))
    if "rec_a" in made or "rec_b" in made:
        columns += [("a again", made.get("rec_a")), ("b again", made.get("rec_b"))]
    save_columns(path, title, columns)
