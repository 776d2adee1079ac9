"""The hook of mkdocs: pages that come from the code, and links to files outside docs/."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

sys.path.insert(0, str(Path(__file__).parents[2]))  # mkdocs loads this file by its path

from tests.docs.links import ELSEWHERE, linked_elsewhere, place_of, rewritten, text_of

NOT_RUN = re.compile(r"^<!-- (no block is|not) run: (.*?) -->$", re.MULTILINE)
NOT_RUN_SHOWN = {
    "not": "Not run by the tests",
    "no block is": "No block of this page is run by the tests",
}
COMMANDS = re.compile(r"^```\n(?=python -m bench )", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Show a menu of versions where there are some: on a site that mike builds."""
    if "MIKE_DOCS_VERSION" in os.environ:
        config.extra["version"] = {"provider": "mike"}
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each file outside docs/ that a page links to."""
    pages = [f"docs/{file.src_uri}" for file in files if file.src_uri.endswith(".md")]
    for path in sorted(linked_elsewhere(pages)):
        file = File.generated(config, place_of(path), content=rewritten(path, text_of(path)))
        file.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(file)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Complete a page of docs/ from the code, and let its links lead to pages of the site."""
    if not page.file.src_uri.startswith(f"{ELSEWHERE}/"):
        path = f"docs/{page.file.src_uri}"
        markdown = rewritten(path, text_of(path))
    markdown = COMMANDS.sub("```bash\n", markdown)
    return NOT_RUN.sub(_why_not_run, markdown)


def _why_not_run(found: re.Match[str]) -> str:
    return f'<p class="not-run">{NOT_RUN_SHOWN[found[1]]}: {found[2]}</p>'
