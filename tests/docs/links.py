"""Links of pages as the site has them. It has a page for each file outside docs/ that is linked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from tests.docs.generate import completed
from tests.helpers import ROOT

ELSEWHERE = "repository"
"""The folder of the site for files outside docs/."""
LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)\s#:]+)(?P<after>(?:#[^)\s]*)?\))")
FENCED = re.compile(r"(^ *```.*?^ *```[^\n]*$)", re.MULTILINE | re.DOTALL)
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".cff": "yaml", ".json": "json"}


def text_of(path: str) -> str:
    """Return the Markdown of a file of the repository, with what the code adds to it."""
    text = (ROOT / path).read_text("utf-8")
    if path.endswith(".md"):
        return completed(text)
    language = LANGUAGES.get(PurePosixPath(path).suffix, "text")
    return f"# {PurePosixPath(path).name}\n\n`{path}`\n\n``````{language}\n{text}\n``````\n"


def place_of(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{ELSEWHERE}/{path}" + ("" if path.endswith(".md") else ".md")


def target_of(path: str, link: str) -> str:
    """Return the file of the repository that a link of a file means; '' if there is none."""
    found = (ROOT / path).parent / link
    if found.is_dir():
        found /= "README.md"
    relative = os.path.relpath(found, ROOT)
    return relative if found.is_file() and not relative.startswith("..") else ""


def rewritten(path: str, text: str) -> str:
    """Return the text of a file with its links as the site needs them."""

    def replace(found: re.Match[str]) -> str:
        target = target_of(path, found["target"])
        if not target:
            return found[0]  # mkdocs says that it leads nowhere
        link = os.path.relpath(place_of(target), PurePosixPath(place_of(path)).parent)
        return f"{found['before']}{link}{found['after']}"

    return "".join(
        part if part.lstrip().startswith("```") else LINK.sub(replace, part)
        for part in FENCED.split(text)
    )


def linked_elsewhere(pages: Iterable[str]) -> set[str]:
    """Return all files outside docs/ that pages link to, also through each other."""
    found: set[str] = set()
    left = list(pages)
    while left:
        path = left.pop()
        if not path.endswith(".md"):
            continue
        for part in FENCED.split(text_of(path)):
            if part.lstrip().startswith("```"):
                continue
            for link in LINK.finditer(part):
                target = target_of(path, link["target"])
                if target and not target.startswith("docs/") and target not in found:
                    found.add(target)
                    left.append(target)
    return found
