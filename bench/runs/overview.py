"""Draws one picture with the results of all methods side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from bench.cell.run_folder import RunFolder
from bench.cell.untrained.anchors import UNTRAINED
from bench.contracts.anchors import ANCHORS, WITHOUT_SEED
from bench.contracts.cell import stem_of
from bench.contracts.metric import Artefacts
from bench.contracts.task import TaskData
from bench.plan.plan import Plan
from bench.records.store import Store
from bench.tasks.cache import read
from bench.utils.drawing import OVERVIEW_ROWS, Column, save_columns
from bench.utils.hashing import safe


def write_overview(plan: Plan, task: str, store: Store, cache: Path) -> None:
    """Draw the results of the first seed of each method of a plan, side by side.

    Two anchors follow them: `paste` as the floor, and `oracle-decoder` as the ceiling. The truth
    has its own column, and the other anchors need no picture. Results whose shape differs from the
    test pairs are left out; an earlier version of the suite may have written them.
    """
    of_task = [cell for cell in plan.cells if cell.task == task]
    data = read(task, of_task[0].sizes, of_task[0].fingerprint, cache)
    shape = data.test_pairs[0].shape
    artefacts_by_label: dict[str, Artefacts] = {}
    for cell in sorted(of_task, key=lambda cell: cell.method in ANCHORS):
        if cell.method in WITHOUT_SEED or cell.label in artefacts_by_label:
            continue
        artefacts = RunFolder(store.run_path(cell)).artefacts()
        if artefacts is not None and all(
            name in artefacts.tensors and artefacts.tensors[name].shape == shape
            for name in ("add", "remove")
        ):
            artefacts_by_label[cell.label] = artefacts
    if artefacts_by_label:
        if any(cell.method == "paste" for cell in of_task):
            few = [replace(d, images=d.images[:OVERVIEW_ROWS]) for d in data.domains["test"]]
            shown = replace(data, domains={**data.domains, "test": few})
            artefacts_by_label["paste"] = UNTRAINED["paste"](shown)
        profile = of_task[0].profile
        title = f"{task}, profile {profile}: adding on the left, removing on the right"
        file = f"overview-{safe(task)}-{stem_of(profile)}.png"
        draw_overview(store.root / file, title, artefacts_by_label, data)


def draw_overview(
    path: Path, title: str, artefacts_by_label: Mapping[str, Artefacts], data: TaskData
) -> None:
    """Write a picture with columns for each method: results of add, then results of remove."""
    a, b = (images[:OVERVIEW_ROWS] for images in data.test_pairs)
    left: list[Column] = [("a", a), ("guide", b)]
    right: list[Column] = [("", torch.full_like(a, 255)), ("b", b)]
    if data.truth is not None:
        left.append(("truth", data.truth.add[:OVERVIEW_ROWS]))
        right.append(("truth", data.truth.remove[:OVERVIEW_ROWS]))
    for label, artefacts in artefacts_by_label.items():
        left.append((label, artefacts.tensors["add"][:OVERVIEW_ROWS]))
        right.append((label, artefacts.tensors["remove"][:OVERVIEW_ROWS]))
    save_columns(path, title, left + right)
