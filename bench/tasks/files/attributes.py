"""Reads a table of attributes of images, and chooses which of them are factors.

A table is a CSV file or a file in the format of CelebA's ``list_attr_celeba.txt``. An attribute
whose name begins with ``separate:`` belongs to the separate content, which only B shows.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.contracts.task import HIDDEN, Factor
from bench.tasks.files.decode import path_text
from bench.tasks.files.file_names import normal
from bench.utils.errors import UserError

SEPARATE = "separate:"
"""The beginning of the name of an attribute of the separate content, in any case."""
MAX_VALUES = 50
"""The most values of an attribute. An attribute with more is no property of a few values."""
NO_YES = ("no", "yes")
"""The values of an attribute in CelebA's format, where -1 is no and 1 is yes."""
MAX_NAMED = 5
Values = NDArray[np.int64]
"""For each image and each factor, an index into the values of the factor, or `HIDDEN`.

(n, F) for n images, (F,) for one.
"""


@dataclass(frozen=True)
class Attributes:
    """The factors of the images of a task.

    factors: the attributes that are factors. values: their values for each image in the table, by
    its path. left_out: the names of the attributes that are no factors, since they do not vary.
    """

    factors: tuple[Factor, ...] = ()
    values: Mapping[str, Values] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def of(self, path: str) -> Values:
        """Return the value of each factor of an image, (F,): all `HIDDEN` if it is in no row."""
        return self.values.get(path, np.full(len(self.factors), HIDDEN))


def choose_factors(
    candidates: Sequence[Factor], paths: Sequence[Sequence[str]], values: Sequence[Values]
) -> Attributes:
    """Return the candidates that vary as a factor must, with their values.

    A shared factor takes at least two values in A and in B, a separate factor in B. A shared factor
    that is constant in a domain tells nothing, or it is the domain itself.

    Args:
        candidates: the attributes that may be factors.
        paths: the images of A and of B.
        values: their values.
    """
    varies = []
    for at, factor in enumerate(candidates):
        telling = values[1:] if factor.separate else values
        varies.append(all(len(np.unique(of[of[:, at] != HIDDEN, at])) > 1 for of in telling))
    factors = tuple(f for f, kept in zip(candidates, varies, strict=True) if kept)
    found: dict[str, Values] = {}
    for domain, (of_domain, table) in enumerate(zip(paths, values, strict=True)):
        kept = table[:, varies].copy()
        if domain == 0:
            kept[:, [factor.separate for factor in factors]] = HIDDEN
        found |= zip(of_domain, kept, strict=True)
    left_out = tuple(f.name for f, kept in zip(candidates, varies, strict=True) if not kept)
    return Attributes(factors, found, left_out)


def read_attributes(
    table: Path, folders: Sequence[Path], files: Sequence[Sequence[str]], used: Sequence[set[str]]
) -> Attributes:
    """Return the factors of the user's images by the user's table.

    Args:
        table: the file.
        folders: the folders of A and of B.
        files: the paths of all image files in each.
        used: the paths of those that the task may use; the others do not decide what varies.

    Raises:
        UserError: the table cannot be used.
    """
    heads, rows, is_celeba = _read(table)
    by_name = _paths_by_name(folders, files)
    texts: dict[str, Sequence[str]] = {}
    for name, row in rows:
        found = by_name.get(normal(name.removeprefix("./")), set())
        if len(found) > 1:
            first, second = map(path_text, sorted(found)[:2])
            raise _bad(table, f"'{name}' may be {first} or {second}: write it with the name of its "
                       f"folder in front, as in {path_text(folders[0].name)}/{name}, or with its "
                       "whole path")  # fmt: skip
        for path in found:
            if path in texts:
                raise _bad(table, f"'{name}' is there twice: give each image one row")
            texts[path] = row
        if not found and not is_celeba:
            where = " and ".join(map(path_text, folders))
            raise _bad(table, f"'{name}' is no image file in {where}: correct or remove its row")
    if not texts:
        raise _bad(table, "it names none of the images: expected their file names or their paths "
                   "in the folders of --a and --b")  # fmt: skip
    paths = [sorted(path for path in of if path in texts) for of in used]
    candidates, values = _coded(table, heads, [[texts[path] for path in of] for of in paths])
    chosen = choose_factors(candidates, paths, values)
    if not chosen.factors:
        names = ", ".join(chosen.left_out[:MAX_NAMED])
        raise _bad(table, f"no attribute varies ({names}): expected at least two values within A "
                   f"and within B, or within B for one named '{SEPARATE}...'")  # fmt: skip
    return chosen


def _bad(table: Path, reason: str) -> UserError:
    return UserError(f"--attributes {path_text(table)}: {reason}")


def _paths_by_name(folders: Sequence[Path], files: Sequence[Sequence[str]]) -> dict[str, set[str]]:
    """Return the paths that each name may mean.

    A name is that of the file, its path in its domain's folder, the same after the folder's name,
    or its whole path.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for folder, paths in zip(folders, files, strict=True):
        for path in paths:
            inner = Path(path).relative_to(folder).as_posix()
            for name in (Path(path).name, inner, f"{folder.name}/{inner}", path):
                found[normal(name)].add(path)
    return found


def _coded(
    table: Path, heads: Sequence[str], rows: Sequence[Sequence[Sequence[str]]]
) -> tuple[list[Factor], list[Values]]:
    """Return a factor for each column of the rows of A and B, and the values of each row."""
    candidates = []
    values = [np.full((len(of), len(heads)), HIDDEN, dtype=np.int64) for of in rows]
    for at, head in enumerate(heads):
        name, separate = _named(head)
        telling = rows[1:] if separate else rows
        texts = sorted({row[at] for of in telling for row in of} - {""})
        if len(texts) > MAX_VALUES:
            raise _bad(table, f"'{name}' has {len(texts)} values, expected at most {MAX_VALUES}: "
                       "group its values, or remove the column")  # fmt: skip
        place = {text: index for index, text in enumerate(texts)}
        for column, of in zip(values, rows, strict=True):
            column[:, at] = [place.get(row[at], HIDDEN) for row in of]
        candidates.append(Factor(name, tuple(texts), separate))
    return candidates, values


def _named(head: str) -> tuple[str, bool]:
    """Return the name of the attribute of a heading, and whether it is separate."""
    separate = head[: len(SEPARATE)].casefold() == SEPARATE
    return (head[len(SEPARATE) :] if separate else head).strip(), separate


Row = tuple[str, Sequence[str]]
"""The name of an image, and its texts: '' if the table does not tell."""


def _read(table: Path) -> tuple[list[str], list[Row], bool]:
    """Return the heads and the rows of a table, and whether it has CelebA's format."""
    try:
        text = table.read_text("utf-8-sig")
    except OSError as error:
        raise _bad(table, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _bad(table, "no text in UTF-8: save it as CSV in UTF-8") from error
    lines = text.splitlines()
    is_celeba = bool(lines) and lines[0].strip().isdecimal()
    found = _celeba_rows(lines) if is_celeba else _csv_rows(lines, table)
    _, heads = next(found, (0, []))
    rows: list[Row] = []
    plain = [_named(head)[0] for head in heads[1:]]
    if not plain:
        raise _bad(table, "no column with an attribute: expected a first line with a heading for "
                   "the file names and for each attribute, separated by commas")  # fmt: skip
    for name in plain:
        if not name:
            raise _bad(table, "a column has no name: name each attribute in the first line")
        if plain.count(name) > 1:
            raise _bad(table, f"'{name}' is the name of two columns: rename one of them")
    for number, cells in found:
        if len(cells) != len(heads):
            raise _bad(table, f"line {number} has {len(cells)} columns, expected {len(heads)}")
        if is_celeba:
            wrong = next((cell for cell in cells[1:] if cell not in ("-1", "1")), None)
            if wrong is not None:
                raise _bad(table, f"line {number} has the value '{wrong}', expected -1 or 1")
            cells = [cells[0], *(NO_YES[cell == "1"] for cell in cells[1:])]
        rows.append((cells[0], tuple(cells[1:])))
    if not rows:
        raise _bad(table, "no row: expected one for each image")
    return heads[1:], rows, is_celeba


def _celeba_rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line but the first, which holds the number of images.

    Blank lines are left out. The first of the others holds the headings.
    """
    told = ((number, line.split()) for number, line in enumerate(lines[1:], 2) if line.strip())
    for at, (number, cells) in enumerate(told):
        yield number, cells if at else ["", *cells]


def _csv_rows(lines: Sequence[str], table: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise _bad(table, f"line {reader.line_num} is no CSV ({error})") from error
