"""The pictures of a board: the same test pairs for all methods, from the artefacts of the runs.

A picture comes from the small store `pictures/` of the results folder. If it is not there, it is
made from the artefacts that the run left, and kept in the store.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.contracts.anchors import ANCHORS, WITHOUT_SEED
from bench.contracts.record import Record
from bench.html.sources import Source
from bench.html.sprites import (
    SIDES,
    Pixels,
    Sheet,
    make_sheet,
    mark_of,
    read_sheet,
    shown_png,
    write_sheet,
)
from bench.records.read import cell_of
from bench.records.store import Store
from bench.tasks.cache import is_cached, read
from bench.utils.files.sealed import read_sealed

ANCHORS_SHOWN = ("oracle-decoder", "paste")
"""The anchors with pictures of their own. The others copy what stands beside them, or nothing."""
MOST = 24
"""The largest number of rows of a board with pictures."""
LEAST_SIDE = 96
"""Images are enlarged by a whole factor to about this side on the page."""


@dataclass(frozen=True)
class Shown:
    """The pictures of one row of a board.

    number: that of its sheet within the page. has_common: whether the page shows source, guide and
    truth of the first pairs from this sheet; another row of the board has the same.
    """

    label: str
    kind: str
    hue: int
    number: int
    sheet: Sheet
    has_common: bool

    @property
    def url(self) -> str:
        """The shown images of the sheet as the data URL of a PNG."""
        png = shown_png(self.sheet, self.has_common)
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"

    def column(self, name: str) -> int:
        """Return the place of a column in the sheet."""
        return self.sheet.columns.index(name)

    def extreme(self, why: str) -> int:
        """Return the row of the sheet as in "worst add"; -1 if there is none."""
        found = [at for at, row in enumerate(self.sheet.rows) if row.why == why]
        return found[0] if found else -1


@dataclass(frozen=True)
class Pictures:
    """The pictures of a board.

    rows: those of each row that has some. missing: why other rows have none, a sentence each.
    """

    rows: list[Shown] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The side of an image in pixels."""
        return self.rows[0].sheet.size

    @property
    def side(self) -> int:
        """The side of an image on the page: a whole multiple of `size`."""
        return self.size * max(1, round(LEAST_SIDE / self.size))

    @property
    def n_first(self) -> int:
        """The number of pairs that all rows show."""
        return min(sum(row.why == "first" for row in one.sheet.rows) for one in self.rows)

    @property
    def sides(self) -> list[str]:
        """Which of add and remove all rows have."""
        return [side for side in SIDES if all(side in one.sheet.columns for one in self.rows)]

    def has_truth(self, side: str) -> bool:
        """Return whether all rows have the truth of add or remove."""
        return all(f"true {side}" in one.sheet.columns for one in self.rows)


class Gallery:
    """Finds and makes the pictures of the runs of a results folder, each at most once.

    made: the number of sheets that were made now.
    """

    def __init__(self, store: Store, cache: Path | None) -> None:
        self.store = store
        self.cache = cache
        self.made = 0
        self._count = 0

    def of(self, source: Source) -> Pictures:
        """Return the pictures of a board, those of the first seed of each row."""
        board = source.board
        kinds = [
            *((label, "method") for label in board.methods),
            *((label, "floor") for label in source.floors),
            *((label, "ceiling") for label in source.ceilings),
            *((label, "published") for label in board.published),
        ]
        found: list[Shown] = []
        missing: dict[str, str] = {}
        pairs = ""
        for label, kind in kinds:
            record = _first(source.records.get(label, ()))
            method = record["identity"]["method"] if record else ""
            if record is None or (method in ANCHORS and method not in ANCHORS_SHOWN):
                continue
            if len(found) == MOST:
                missing[label] = f"the page shows the pictures of {MOST} rows"
                continue
            sheet = self._sheet(record)
            if isinstance(sheet, str):
                missing[label] = sheet
                continue
            pairs = pairs or record["identity"]["fingerprint"]
            if pairs != record["identity"]["fingerprint"] or not _alike(found, sheet):
                missing[label] = "its test pairs are others"
                continue
            hue, has_common = source.hues[label], not found
            found.append(Shown(label, kind, hue, self._count, sheet, has_common))
            self._count += 1
        by_reason: dict[str, list[str]] = {}
        for label, reason in missing.items():
            by_reason.setdefault(reason, []).append(label)
        said = [f"{', '.join(labels)}: {reason}." for reason, labels in by_reason.items()]
        return Pictures(found, said)

    def _sheet(self, record: Record) -> Sheet | str:
        """Return the sheet of a run, or why there is none."""
        path, mark = self.store.picture_path(cell_of(record)), mark_of(record)
        if (kept := read_sheet(path, mark)) is not None:
            return kept
        images = self._images(record)
        if isinstance(images, str):
            return images
        sheet = make_sheet(images, mark)
        self.made += 1
        with suppress(OSError):  # a read-only folder: they are made again next time
            write_sheet(path, sheet)
        return sheet

    def _images(self, record: Record) -> dict[str, Pixels] | str:
        """Return the images of a run, or why there are none. Only this needs torch."""
        cell = cell_of(record)
        if self.cache is None or not is_cached(cell.task, cell.sizes, cell.fingerprint, self.cache):
            return "the images of the task are not in the cache (a run puts them there)"
        folder = self.store.run_path(cell)
        with_artefacts = cell.method in WITHOUT_SEED or (folder / "artefacts.json").is_file()
        if not with_artefacts:
            return "the artefacts of the run are gone"
        code = record.get("sources", {}).get(cell.method)
        if cell.method not in ANCHORS and code not in (None, _source_of(folder)):
            return "its artefacts are of another version of the method's code"

        from bench.cell.run_folder import RunFolder
        from bench.cell.untrained.anchors import UNTRAINED

        data = read(cell.task, cell.sizes, cell.fingerprint, self.cache)
        in_folder = cell.method not in UNTRAINED
        artefacts = RunFolder(folder).artefacts() if in_folder else UNTRAINED[cell.method](data)
        if artefacts is None:
            return "the artefacts of the run are damaged"
        a, b = data.test_pairs
        found = {"source": a, "guide": b}
        found |= {side: artefacts.tensors[side] for side in SIDES if side in artefacts.tensors}
        if data.truth is not None:
            found |= {f"true {side}": getattr(data.truth, side) for side in SIDES if side in found}
        if not set(SIDES) & set(found):
            return "the run left no images"
        if any(one.shape != a.shape for one in found.values()):
            return "its images have another shape than the test pairs"
        return {name: one.numpy() for name, one in found.items()}


def _source_of(folder: Path) -> str | None:
    """Return the hash of the code that made the artefacts of a run folder, or None."""
    try:
        measured = read_sealed(folder / "artefacts.json").get("measured", {})
    except (OSError, ValueError):
        return None
    return measured.get("source") if isinstance(measured, dict) else None


def _first(records: Sequence[Record]) -> Record | None:
    """Return the finished record with the lowest seed, or None."""
    good = [one for one in records if one["status"] == "ok" and "id" in one]
    return min(good, key=lambda one: one["identity"]["seed"], default=None)


def _alike(found: Sequence[Shown], other: Sheet) -> bool:
    """Return whether a sheet has the size and the first pairs of those that were found."""
    if not found:
        return True
    first = found[0].sheet
    pairs = [[row.pair for row in one.rows if row.why == "first"] for one in (first, other)]
    return first.size == other.size and pairs[0] == pairs[1]
