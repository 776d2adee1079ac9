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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Home:
    """Where a plug-in finds the modules that belong to it.

    folder: the folder of its file, or of the package that it is installed with; None for an
    installed module that is in no package. package: the name of that package, '' for a file.
    """

    folder: Path | None
    package: str = ""

    @classmethod
    def of(cls, path: Path, module: str) -> _Home:
        """Return the home of a file with this import name ('' for none)."""
        if not module:
            return cls(path.parent)
        package, *rest = module.split(".")
        up = len(rest) - (path.name != "__init__.py")
        return cls(path.parents[up] if up >= 0 else None, package)

    def holds(self, path: Path) -> bool:
        """Return whether a file lies in it."""
        return self.folder is not None and self.folder in path.parents


def files_of(path: Path, module: str = "") -> list[Path]:
    """Return the files of a plug-in, its own first.

    Args:
        path: its own file.
        module: the import name of that file if it belongs to an installed package.

    Raises:
        UserError: a module that it imports cannot be read.
    """
    home = _Home.of(path, module)
    found = [path]
    if module and home.folder is not None:  # their code runs at the import
        above = [path.parent, *path.parent.parents]
        inits = [at / "__init__.py" for at in above[: above.index(home.folder) + 1]]
        found += [file for file in inits if file.is_file() and file != path]
    for file in found:  # the list grows during the loop, as modules import others
        found += dict.fromkeys(m for m in _imported(file, home) if m not in found)
    if home.folder is None:
        return found
    weights = sorted(file for file in (path.parent / WEIGHTS).rglob("*") if file.is_file())
    return found + weights


def files_beside(path: Path) -> list[Path]:
    """Return the files of a plug-in that are not part of the suite, its own first.

    Raises:
        UserError: a module that it imports cannot be read.
    """
    return [file for file in files_of(path) if path.parent in file.parents]


def source_hash(path: Path, module: str = "") -> str:
    """Return the hash of the code and the weights of a plug-in, as 16 hex digits.

    Args:
        path: its own file.
        module: the import name of that file if it belongs to an installed package.

    Raises:
        UserError: one of its files cannot be read.
    """
    home = _Home.of(path, module)
    content = hashlib.blake2b(digest_size=8)
    for file in files_of(path, module):
        name = file.name
        if home.folder is not None and home.holds(file):
            name = file.relative_to(home.folder).as_posix()
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


def _imported(file: Path, home: _Home) -> Iterator[Path]:
    """Yield the modules of a plug-in that one of its files imports, anywhere in its text."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _absolute(home, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            base = file.parents[node.level - 1] if node.level else None
            for alias in node.names:  # a name may be a submodule or an object
                if base is None:
                    yield from _absolute(home, [*parts, alias.name])
                elif base == home.folder or home.holds(base):
                    yield from _modules(base, [*parts, alias.name])


def _absolute(home: _Home, parts: list[str]) -> Iterator[Path]:
    """Yield the files that the import of a dotted name runs, if they belong to the plug-in."""
    if parts[0] == "bench" and len(parts) > 2 and parts[1] in SHARED:
        ends = range(3, len(parts) + 1)
        files = (SHARED[parts[1]].joinpath(*parts[2:end]).with_suffix(".py") for end in ends)
        yield from (file for file in files if file.is_file())
    elif home.folder is not None and not home.package:
        yield from _modules(home.folder, parts)
    elif home.folder is not None and parts[0] == home.package:
        yield from _modules(home.folder, parts[1:])


def _modules(base: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that the import of a dotted name below a folder runs."""
    if parts and base / parts[0] in SUITE:  # for a plug-in within a checkout of the suite
        return
    for count in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:count])
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                yield file
                break
