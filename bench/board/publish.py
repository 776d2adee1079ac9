"""Write and print the leaderboard of a results folder. It needs no torch."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.contracts.metric import MetricInfo
from bench.contracts.protocol import BoardKey
from bench.contracts.record import Record
from bench.records.read import Damaged
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed, write_atomically, write_sealed
from bench.utils.hashing import hash_of
from bench.utils.output.console import print_table, say

if TYPE_CHECKING:
    from bench.board.board import Board

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
FILES = ("leaderboard.csv", "comparisons.csv", "leaderboard.md")
MOST_KEPT = 20
"""The number of leaderboards that a cache keeps."""
_ROOMS = ("board", "contracts", "records", "utils")
"""The rooms whose code decides what a leaderboard says."""
_LIBRARIES = ("numpy", "pandas", "scipy", "tabulate")


@dataclass
class _Page:
    """What a leaderboard prints for one board: lines, and the arguments of `print_table`."""

    key: list[Any]
    parts: list[dict[str, Any]] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.parts.append({"line": line})

    def table(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        title: str,
        bold: Collection[tuple[int, int]] = (),
    ) -> None:
        self.parts.append(
            {
                "heads": list(heads),
                "rows": [list(row) for row in rows],
                "title": title,
                "bold": sorted(map(list, bold)),
            }
        )


def _print(console: Console, parts: Sequence[Mapping[str, Any]]) -> None:
    for part in parts:
        if "line" in part:
            say(console, part["line"])
        else:
            bold: Container[tuple[int, int]] = {(row, column) for row, column in part["bold"]}
            print_table(console, part["heads"], part["rows"], title=part["title"], bold=bold)


def write_leaderboard(
    console: Console,
    store: Store,
    only: Collection[BoardKey] | None = None,
    must_write: bool = True,
    known: Mapping[str, MetricInfo] | None = None,
    cache: Path | None = None,
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

    Returns:
        Whether there is a record to show.

    Raises:
        UserError: The files cannot be written. The tables are printed first.
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
    for page in made["pages"]:
        if only is None or tuple(page["key"]) in only:
            _print(console, page["parts"])
    try:
        for name in FILES:
            write_atomically(store.root / name, made["files"][name])
    except OSError as error:
        if not must_write and error.errno in READ_ONLY:
            say(console, f"{store.root} is read-only: leaderboard.csv and .md are as they were")
            return True
        raise UserError(
            f"cannot write the leaderboard in {store.root} ({error.strerror}): make room, "
            "then `python -m bench leaderboard`"
        ) from error
    say(console, f"wrote {store.root}/leaderboard.csv and .md, comparisons.csv")
    return True


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
    from bench.board.curves import with_curves
    from bench.board.frame import frame
    from bench.board.markdown import csv, markdown
    from bench.board.pairs import csv_of_comparisons

    table = frame(records, known)
    made = boards(records, table, known)
    if not made:
        return {"pages": [], "files": {}}
    texts = (
        csv(with_curves(table, records, known)),
        csv_of_comparisons(made),
        markdown(made, notes=[str(record) for record in damaged]),
    )
    pages = [vars(_page(board)) for board in made]
    return {"pages": pages, "files": dict(zip(FILES, texts, strict=True))}


def _page(board: Board) -> _Page:
    from bench.board.columns import main_metrics
    from bench.board.evidence import parts_of_scores, sentences
    from bench.board.headline import headline
    from bench.board.pairs import place, rows_of_pairs, studies
    from bench.board.values import text

    page = _Page([board.profile, board.task, board.protocol])
    metrics = board.columns(main_metrics(board.infos))
    heads = [_head(board, metric) for metric in metrics]
    title = f"{board.task}, profile {board.profile}, protocol {board.protocol}"
    page.say(headline(board, _quoted))
    tables = (
        (board.methods, title),
        (board.published, f"{title}: published configurations"),
        (board.anchors, f"{title}: floors and ceilings"),
    )
    for methods, what in tables:
        ranked = methods is board.methods
        first = ["method", "rank"] if ranked else ["method"]
        rows = [
            ([method, place(board, method)] if ranked else [method])
            + [text(board, method, metric, interval=False) for metric in metrics]
            for method in methods
        ]
        bold = {
            (row, len(first) + column)
            for column, metric in enumerate(metrics)
            for row, method in enumerate(methods)
            if method in board.best.get(metric, ())
        }
        if rows:
            page.table([*first, *heads], rows, title=what, bold=bold)
    for method, reason in board.unranked.items():
        page.say(f"{method} is not ranked: {reason}")
    for line in studies(board, _quoted):
        page.say(line)
    if rows := rows_of_pairs(board, str):
        heads = ["left", "right", "difference", "p", "verdict"]
        what = f"compared in pairs by {board.ordering.metric}, after Holm's correction"
        page.table(heads, rows, title=what)
    columns, rows = parts_of_scores(board)
    if rows:
        heads = ["method", *(f"{_label(board, metric)}\n{part}" for metric, part in columns)]
        page.table(heads, rows, title="parts of the scores")
    for line in sentences(board, _quoted, str):
        page.say(line)
    for method, note in board.notes.items():
        if note:
            page.say(f"{method}: {note}")
    return page


def _quoted(name: str) -> str:
    return f"`{name}`"


def _head(board: Board, column: str) -> str:
    """Return the label of a metric, its direction, and its extractor if there are several."""
    from bench.board.columns import ARROWS, base_id

    name = base_id(column)
    extractor = column.removeprefix(name)
    return f"{_label(board, name)}{extractor}\n({ARROWS.get(board.better(column), '')})"


def _label(board: Board, metric: str) -> str:
    """Return the label of a metric with a word on each line, so that many columns fit."""
    from bench.board.columns import base_id

    return board.infos[base_id(metric)].label.replace(" ", "\n")
