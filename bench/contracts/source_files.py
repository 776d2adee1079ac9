"""Finds the files of a plug-in and computes a hash of their code.

The files of a plug-in are its own file, the modules beside it that it imports, the modules of
`bench.methods` and `bench.metrics` that it imports, and its weights. Imports are read from the
source text, so no code runs. The rest of the suite and installed packages do not belong to a
plug-in: a record stores their versions in its environment.

The hash covers the code and the weights. It ignores comments, docstrings, blank lines and the paths
of the suite's own modules, because a new comment or a moved module changes no number.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from bench.utils.errors import UserError

WEIGHTS = "weights"
"""The folder beside a plug-in that holds the weights that it loads."""
_ROOT = Path(__file__).resolve().parents[2]
SUITE = [_ROOT / name for name in ("bench", "methods", "metrics")]
SHARED = {name: (_ROOT / "bench" / name).resolve() for name in ("methods", "metrics")}
"""The packages of the suite whose modules belong to every plug-in that imports them."""

Position = tuple[int, int]
"""A line, counted from 1, and a column in characters."""


def files_of(path: Path) -> list[Path]:
    """Return the files of a plug-in, its own first.

    Raises:
        UserError: a module that it imports cannot be read.
    """
    found = [path]
    for file in found:  # the list grows during the loop, as modules import others
        found += dict.fromkeys(m for m in _imported(file, path.parent) if m not in found)
    weights = sorted(file for file in (path.parent / WEIGHTS).rglob("*") if file.is_file())
    return found + weights


def files_beside(path: Path) -> list[Path]:
    """Return the files of a plug-in that are not part of the suite, its own first.

    Raises:
        UserError: a module that it imports cannot be read.
    """
    return [file for file in files_of(path) if path.parent in file.parents]


def source_hash(path: Path) -> str:
    """Return the hash of the code and the weights of a plug-in, as 16 hex digits.

    Raises:
        UserError: one of its files cannot be read.
    """
    content = hashlib.blake2b(digest_size=8)
    for file in files_of(path):
        beside = path.parent in file.parents
        name = file.relative_to(path.parent).as_posix() if beside else file.name
        content.update(f"{name}\n".encode())
        try:
            content.update(code_of(file) if file.suffix == ".py" else file.read_bytes())
        except OSError as error:
            raise UserError(f"cannot read {file} of plug-in {path} ({error.strerror})") from error
    return content.hexdigest()


def code_of(path: Path) -> bytes:
    """Return the code lines of a Python file, followed by one line for each import.

    Raises:
        UserError: the file cannot be read, or is not valid Python.
    """
    tree = parsed(path)
    with tokenize.open(path) as file:
        source = file.read()
    lines = source.splitlines(keepends=True)
    cuts = [(token.start, token.end) for token in _comments(source)]
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports += _names(node)
            cuts.append(_span(node, lines))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                cuts.append(_span(first, lines))
    for (top, left), (bottom, right) in sorted(cuts, reverse=True):
        rest = lines[bottom - 1][right:]
        lines[top - 1 : bottom] = [lines[top - 1][:left] + rest]
    code = [line.rstrip() for line in lines if line.strip()]
    return "\n".join([*code, *sorted(imports)]).encode()


def _comments(source: str) -> Iterator[tokenize.TokenInfo]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token


def _span(node: ast.stmt, lines: list[str]) -> tuple[Position, Position]:
    """Return the start and the end of a statement. The syntax tree counts columns in bytes."""
    end_line, end_byte = node.end_lineno or node.lineno, node.end_col_offset or 0
    start = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
    end = len(lines[end_line - 1].encode()[:end_byte].decode())
    return (node.lineno, start), (end_line, end)


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return one line for each imported name. Modules of the suite appear without their path."""
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    own = isinstance(node, ast.ImportFrom) and (node.level or module.split(".")[0] == "bench")
    return [f"import {'bench' if own else module} {a.name} {a.asname}" for a in node.names]


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file. A BOM or a coding comment sets the encoding.

    Raises:
        UserError: the file cannot be read, or is not valid Python.
    """
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot read plug-in {path}: {error}") from error


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """Yield the modules of a plug-in that one of its files imports, anywhere in its text."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else root
            if not node.level or base == root or root in base.parents:
                parts = node.module.split(".") if node.module else []
                for alias in node.names:  # a name may be a submodule or an object
                    yield from _modules(base, [*parts, alias.name])


def _modules(base: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that the import of a dotted name runs, if they belong to the plug-in."""
    if parts[0] == "bench" and len(parts) > 2 and parts[1] in SHARED:
        ends = range(3, len(parts) + 1)
        files = (SHARED[parts[1]].joinpath(*parts[2:end]).with_suffix(".py") for end in ends)
        yield from (file for file in files if file.is_file())
        return
    if base / parts[0] in SUITE:  # also for a plug-in within a checkout of the suite
        return
    for count in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:count])
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                yield file
                break
