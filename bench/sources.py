"""The files that a plug-in is made of: its own, the modules beside it that it imports, its weights.

Imports are read from the source text, so nothing is run. Modules of other places (the suite,
installed packages) are not part of a plug-in: their versions stand in a record's environment.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from bench.errors import UserError

WEIGHTS = "weights"
"""The folder beside a plug-in that holds what it loads."""
_ROOT = Path(__file__).resolve().parent.parent
SUITE = [_ROOT / name for name in ("bench", "methods", "metrics")]


def files_of(path: Path) -> list[Path]:
    """Return the files of a plug-in, its own first.

    Raises:
        UserError: a module that it imports cannot be read.
    """
    found = [path]
    for file in found:  # it grows while modules import others
        found += dict.fromkeys(m for m in _imported(file, path.parent) if m not in found)
    weights = sorted(file for file in (path.parent / WEIGHTS).rglob("*") if file.is_file())
    return found + weights


def source_hash(path: Path) -> str:
    """Return 16 hex digits of all that a plug-in is made of.

    Raises:
        UserError: one of its files cannot be read.
    """
    content = hashlib.blake2b(digest_size=8)
    for file in files_of(path):
        content.update(f"{file.relative_to(path.parent).as_posix()}\n".encode())
        try:
            content.update(file.read_bytes())
        except OSError as error:
            raise UserError(f"cannot read {file} of plug-in {path} ({error.strerror})") from error
    return content.hexdigest()


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of whatever Python would run: a BOM or a coding cookie is heeded.

    Raises:
        UserError: it cannot be read, or is no Python.
    """
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot read plug-in {path}: {error}") from error


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """Give the modules below a folder that a module imports, wherever in its text."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else root
            if base == root or root in base.parents:
                parts = node.module.split(".") if node.module else []
                for alias in node.names:  # each may be a module, or a name in the one before
                    yield from _modules(base, [*parts, alias.name])


def _modules(base: Path, parts: list[str]) -> Iterator[Path]:
    """Give the files that an import of a dotted name runs, as far as they lie in a folder.

    The suite's own are left out, also for a plug-in that lies in a checkout of it.
    """
    if base / parts[0] in SUITE:
        return
    for count in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:count])
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                yield file
                break
