"""One small PNG for each run: some test pairs with their truth and their results, without loss.

A sheet has a row for each pair and a column for each kind of image. The first pairs are the same
for all methods of a task. Behind them are the pairs with the median and the worst error of this
run. The PNG says in a text chunk what it shows.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from bench.contracts.record import Record
from bench.utils.files.atomic import written_whole
from bench.utils.hashing import hash_of

Pixels = NDArray[np.uint8]
"""Images, (n, 3, S, S)."""
VERSION = 1
CHUNK = "contentbench"
"""The keyword of the text chunk."""
SIDES = ("add", "remove")
FIRST_PAIRS = {32: 12, 64: 6}
"""The number of first pairs, for images of at most so many pixels a side."""
FEWEST_PAIRS = 3
"""The number of first pairs for larger images, so that a sheet stays below a megabyte or two."""


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet.

    pair: the index of the test pair. why: "first", or as in "median add". errors: the error of each
    result against its truth, the mean over pixels and channels, in [0, 1]; {} without a truth.
    """

    pair: int
    why: str
    errors: dict[str, float]


@dataclass(frozen=True)
class Sheet:
    """A sheet: its PNG, its columns by name, its rows, the side of an image in pixels.

    A column is "source" (of add), "guide" (the source of remove), the name of a result ("add",
    "remove"), or that of its truth ("true add", "true remove").
    """

    png: bytes
    columns: list[str]
    rows: list[SheetRow]
    size: int


def mark_of(record: Record) -> str:
    """Return a hash of all that determines the pictures of a run: its cell, its code, its task."""
    method = record["identity"]["method"]
    code = record.get("sources", {}).get(method)
    return hash_of([VERSION, record["id"], code, record["facts"].get("pixel_hash")])


def errors_of(results: Pixels, truth: Pixels) -> NDArray[np.float64]:
    """Return the mean absolute error of each image, (n,) in [0, 1]."""
    apart = np.abs(results.astype(np.int16) - truth.astype(np.int16))
    return np.asarray(apart.mean((1, 2, 3), dtype=np.float64) / 255)


def make_sheet(images: Mapping[str, Pixels], mark: str) -> Sheet:
    """Return the sheet of a run.

    Args:
        images: the images of each column (see `Sheet`), all test pairs. Those of "source", "guide",
            "add" and "remove" must be there.
        mark: see `mark_of`.
    """
    columns = ["source", "guide"]
    columns += [name for side in SIDES for name in (f"true {side}", side) if name in images]
    n, _, size, _ = images["source"].shape
    errors = {
        side: errors_of(images[side], images[f"true {side}"])
        for side in SIDES
        if f"true {side}" in images
    }
    first = next((pairs for side, pairs in FIRST_PAIRS.items() if size <= side), FEWEST_PAIRS)
    chosen = [(at, "first") for at in range(min(n, first))]
    for side, of_side in errors.items():
        rising = np.argsort(of_side, kind="stable")
        chosen += [(int(rising[n // 2]), f"median {side}"), (int(rising[-1]), f"worst {side}")]
    rows = [
        SheetRow(at, why, {side: round(float(of[at]), 4) for side, of in errors.items()})
        for at, why in chosen
    ]
    grid = np.stack([images[name][[at for at, _ in chosen]] for name in columns], 1)
    pixels = grid.transpose(0, 3, 1, 4, 2).reshape(len(chosen) * size, len(columns) * size, 3)
    facts = {
        "version": VERSION,
        "mark": mark,
        "columns": columns,
        "rows": [asdict(row) for row in rows],
        "size": size,
    }
    return Sheet(_png(pixels, facts), columns, rows, size)


def shown_png(sheet: Sheet, with_common: bool) -> bytes:
    """Return a PNG of the images that the page shows from a sheet; all others are black.

    A pair with the median or the worst error is shown for one of add and remove. So the images of
    the other are not.

    Args:
        sheet: the sheet.
        with_common: whether to keep what all methods share: source, guide and truth of the first
            pairs. The page needs them once.
    """
    with Image.open(io.BytesIO(sheet.png)) as image:
        pixels = np.array(image.convert("RGB"))
    height, width = len(sheet.rows), len(sheet.columns)
    cells = pixels.reshape(height, sheet.size, width, sheet.size, 3)
    for at, row in enumerate(sheet.rows):
        for column, name in enumerate(sheet.columns):
            if not _is_shown(row.why, name, with_common):
                cells[at, :, column] = 0
    return _png(pixels, {})


def _is_shown(why: str, column: str, with_common: bool) -> bool:
    if why == "first":
        return with_common or column in SIDES
    side = why.rpartition(" ")[2]
    return column in {side, f"true {side}", "guide", "source" if side == "add" else "guide"}


def _png(pixels: NDArray[np.uint8], facts: Mapping[str, object]) -> bytes:
    """Return pixels as a PNG, with a text chunk if there are facts."""
    about = PngImagePlugin.PngInfo()
    if facts:
        about.add_text(CHUNK, json.dumps(facts, sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        buffer, format="PNG", optimize=True, pnginfo=about
    )
    return buffer.getvalue()


def read_sheet(path: Path, mark: str) -> Sheet | None:
    """Return a sheet from its file; None if it is missing, damaged or of another run."""
    try:
        png = path.read_bytes()
        with Image.open(io.BytesIO(png)) as image:
            image.load()
            facts = json.loads(image.text[CHUNK])  # type: ignore[attr-defined]
            size = image.size
        rows = [SheetRow(**row) for row in facts["rows"]]
        side, columns = int(facts["size"]), [str(name) for name in facts["columns"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SyntaxError):
        return None
    fits = size == (side * len(columns), side * len(rows)) and {"source", "guide"} <= {*columns}
    return Sheet(png, columns, rows, side) if fits and facts.get("mark") == mark else None


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Write the file of a sheet, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(sheet.png)
