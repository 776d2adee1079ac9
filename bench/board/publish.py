"""Write and print the leaderboard of a results folder. It needs no torch."""

from __future__ import annotations

import errno
import hashlib
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.board.output.page import Page, print_pages
from bench.board.output.view import View
from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import BoardKey
from bench.contracts.record import Record
from bench.records.read import Damaged
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.atomic import written_whole
from bench.utils.files.sealed import read_sealed, write_atomically, write_sealed
from bench.utils.garbage import uncollected
from bench.utils.hashing import hash_of
from bench.utils.output.console import say

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
FILES = ("leaderboard.csv", "comparisons.csv", "leaderboard.md")
DEFAULT_VIEW = View()
MOST_KEPT = 20
"""The number of leaderboards that a cache keeps."""
_ROOMS = ("board", "contracts", "records", "utils")
"""The rooms whose code decides what a leaderboard says."""
_LIBRARIES = ("numpy", "pandas", "scipy", "tabulate")


@uncollected()
def write_leaderboard(
    console: Console,
    store: Store,
    only: Collection[BoardKey] | None = None,
    must_write: bool = True,
    known: Mapping[str, MetricInfo] | None = None,
    cache: Path | None = None,
    view: View = DEFAULT_VIEW,
    formats: Collection[str] = (),
) -> bool:
    """Write the leaderboard of a results folder and print it.

    Args:
        console: Where to print.
        store: The results folder.
        only: The boards to print. All boards are written.
        must_write: Whether a read-only folder is an error. If not, a line says so.
        known: The facts of known metrics, or None for the built-in metrics.
        cache: The cache folder. It keeps the leaderboard of the same records, made by the same
            code, so that it is not computed again. None to compute it.
        view: What to print. The CSV and Markdown files are complete.
        formats: The further files to write, of `bench.board.output.formats`. They hold what the
            view chooses.

    Returns:
        Whether there is a record to show.

    Raises:
        UserError: The view names something that is not there, or a format needs a package that
            is not installed. Or the files cannot be written; then the tables are printed first.
    """
    records, damaged = store.records()
    for record in damaged:
        say(console, str(record))
    kept = None if cache is None else cache / "boards" / f"{_key(store, damaged, known)}.json"
    made = (None if kept is None else _kept(kept)) or _make(records, damaged, known)
    if kept is not None:
        _keep(kept, made)
    if not made["pages"]:
        return False
    pages = [Page.from_json(page) for page in made["pages"]]
    further = _further(records, pages, view, formats, known)
    print_pages(console, [one for one in pages if only is None or one.key in only], view)
    try:
        for name in FILES:
            write_atomically(store.root / name, made["files"][name])
        for name, content in further.items():
            with written_whole(store.root / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        if not must_write and error.errno in READ_ONLY:
            say(console, f"{store.root} is read-only: leaderboard.csv and .md are as they were")
            return True
        raise UserError(
            f"cannot write the leaderboard in {store.root} ({error.strerror}): make room, "
            "then `python -m bench leaderboard`"
        ) from error
    names = ", ".join(["leaderboard.csv and .md", "comparisons.csv", *further])
    say(console, f"wrote {store.root}/{names}")
    if not view.wide:
        folder = shlex.quote(str(store.root))
        say(console, f"more: `python -m bench leaderboard --results {folder} --wide`")
    return True


def _further(
    records: Sequence[Record],
    pages: Sequence[Page],
    view: View,
    formats: Collection[str],
    known: Mapping[str, MetricInfo] | None,
) -> dict[str, bytes]:
    """Return the content of further files by name."""
    if not formats:
        return {}
    from bench.board.output.formats import content_of

    return content_of(formats, records, [page.table for page in pages], view, known)


def _key(store: Store, damaged: Sequence[Damaged], known: Mapping[str, MetricInfo] | None) -> str:
    """Return the hash of all that decides what a leaderboard says: records, facts and code."""
    content = hashlib.blake2b(digest_size=8)
    suite = Path(__file__).parents[1]
    code = sorted(path for room in _ROOMS for path in (suite / room).rglob("*.py"))
    for path in [*code, *sorted((store.root / "records").glob("*.json"))]:
        with suppress(OSError):  # a record that cannot be read is among the damaged ones
            content.update(f"{path.name}\n".encode() + path.read_bytes())
    facts = None if known is None else {name: repr(info) for name, info in known.items()}
    libraries = [version(name) for name in _LIBRARIES]
    return hash_of([content.hexdigest(), [str(one) for one in damaged], facts, libraries])


def _kept(path: Path) -> dict[str, Any] | None:
    """Return a leaderboard from the cache, or None if it is not there or damaged."""
    try:
        return read_sealed(path)
    except (OSError, ValueError):
        return None


def _keep(path: Path, made: Mapping[str, Any]) -> None:
    """Write a leaderboard to the cache, and remove the oldest ones."""
    with suppress(OSError):  # a full or read-only disk: compute it again next time
        if path.exists():
            return
        write_sealed(path, made)
        found = sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)
        for old in found[:-MOST_KEPT]:
            old.unlink(missing_ok=True)


def _make(
    records: Sequence[Record], damaged: Sequence[Damaged], known: Mapping[str, MetricInfo] | None
) -> dict[str, Any]:
    """Return a leaderboard: the pages to print, and the texts of its files by name."""
    from bench.board.board import boards
    from bench.board.curves import curve_rows, followed_by
    from bench.board.frame import frame
    from bench.board.output.markdown import csv, markdown
    from bench.board.output.page import page_of
    from bench.board.pairs import csv_of_comparisons
    from bench.board.row_labels import row_labels

    labels = row_labels(records)
    table, points = frame(records, known, labels), curve_rows(records, known, labels=labels)
    made = boards(records, table, known, labels, points)
    if not made:
        return {"pages": [], "files": {}}
    texts = (
        csv(followed_by(table, points)),
        csv_of_comparisons(made),
        markdown(made, notes=[str(record) for record in damaged]),
    )
    pages = [page_of(board).as_json() for board in made]
    return {"pages": pages, "files": dict(zip(FILES, texts, strict=True))}
