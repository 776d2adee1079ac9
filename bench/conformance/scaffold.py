"""Writes the file of a new plug-in: an example that runs and passes all checks."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable
from importlib.machinery import PathFinder
from importlib.resources import files
from pathlib import Path

from bench.contracts.registry import NAME, RESERVED, Kind, Registry
from bench.utils.errors import UserError


def write_new(kind: Kind, name: str, folder: Path) -> Path:
    """Write ``NAME.py`` to a folder and return its path.

    Raises:
        UserError: the name cannot be used, or there is such a file.
    """
    _check(kind, name)
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text_of(kind, name))
    except FileExistsError:
        raise UserError(f"{path} exists already: choose another name, or remove it") from None
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror})") from error
    return path


def text_of(kind: Kind, name: str) -> str:
    """Return the text of a new plug-in. Its template is a plug-in named `my_method`, for example.

    Args:
        kind: the kind of plug-in.
        name: its name, which must be valid.
    """
    template = files("bench.conformance").joinpath("templates", f"{kind}.py").read_text("utf-8")
    text = template.replace(f"my_{kind}", name)
    return text.replace(f"My{kind.capitalize()}", class_name(kind, name))


def class_name(kind: Kind, name: str) -> str:
    """Return a name of a class for a plug-in, as `ContentFlow` for `content-flow`."""
    words = name.replace("-", " ").replace("_", " ").replace("+", " plus ").split()
    made = "".join(word[0].upper() + word[1:] for word in words)
    taken = (kind.capitalize(), "Config", "Codes", "Batch", "Spec", "Result", "Domain", "Truth")
    return made if made.isidentifier() and made not in taken else f"{kind.capitalize()}{made}"


def _check(kind: Kind, name: str) -> None:
    """Check the name of a new plug-in.

    Raises:
        UserError: it is no valid name, is in use, or its file would hide a module.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"'{name}' cannot be the name of a {kind}: expected a word of at most 60 ASCII "
            "letters, digits, '-', '_' or '+' that begins with a letter or digit"
        )
    registry = Registry()
    taken: Iterable[str] = [plugin.name for plugin in registry.all(kind)]
    if kind == "method":
        taken = [*taken, *RESERVED]
    if kind == "metric":
        taken = [*taken, *registry.infos()]
    if name in taken:
        raise UserError(f"there is a {kind} '{name}' already: choose another name")
    installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    if name in {*sys.stdlib_module_names, "bench"} or PathFinder.find_spec(name, installed):
        raise UserError(
            f"a file {name}.py would hide the Python module '{name}' from programs that start in "
            "its folder: choose another name"
        )
