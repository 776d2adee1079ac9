"""Runs the file of a plug-in, and reports whatever goes wrong as one line."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from bench.contracts.source_files import WEIGHTS, files_beside
from bench.utils.errors import UserError

T = TypeVar("T")


@cache
def module_of(path: Path, module: str = "") -> ModuleType:
    """Return the module of a file, which is run once.

    Args:
        path: the file.
        module: its import name; '' if it belongs to no package. Then it is run under a name of its
            own, and finds the modules beside it.

    Raises:
        UserError: it cannot be run, or another module has the name of a helper beside it.
    """
    if module:
        return _guarded(path, lambda: importlib.import_module(module))
    digest = hashlib.blake2b(os.fsencode(path), digest_size=4).hexdigest()
    name = f"_contentbench_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(
            str(path.parent)
        )  # for its helpers; at the end, so that they shadow no other module
    _check_helpers(path)
    return _execute(name, path)


def _check_helpers(path: Path) -> None:
    """Check that each helper that a plug-in imports is really the module beside its file.

    Raises:
        UserError: another module of the same name would be imported instead.
    """
    names = {helper.relative_to(path.parent).parts[0] for helper in files_beside(path)[1:]}
    for name in sorted(names - {WEIGHTS}):
        own = path.parent / name
        for place in _places_of(name.removesuffix(".py")):
            if own not in (place, *place.parents):
                raise UserError(
                    f"{path} imports '{own.stem}', and there are two: {own} and {place}; "
                    "rename one of them"
                )


def _places_of(name: str) -> list[Path]:
    """Return the paths of the module that a name imports. Some packages have several paths."""
    module = sys.modules.get(name)
    spec = module.__spec__ if module else importlib.machinery.PathFinder.find_spec(name)
    if spec is None:
        return []
    places = spec.submodule_search_locations or [spec.origin or name]
    return [Path(place).resolve() for place in places]


def _execute(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"cannot import plug-in {path}: not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    run = spec.loader.exec_module
    try:
        _guarded(path, lambda: run(module))
    except UserError:
        del sys.modules[name]
        raise
    return module


def _guarded(path: Path, run: Callable[[], T]) -> T:
    """Call a function that runs the file of a plug-in, and return its result.

    Raises:
        UserError: the file raises an error or exits.
    """
    try:
        return run()
    except (Exception, SystemExit) as error:
        raise UserError(f"cannot import plug-in {path}: {type(error).__name__}: {error}") from error
