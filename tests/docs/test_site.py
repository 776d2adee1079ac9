"""The parts of the site that the suite adds to the pages: links to the repository, and tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import pytest

import bench
from tests.cli.surface import VERBS
from tests.documents import DOCUMENTS
from tests.helpers import REGISTRY, ROOT

from . import links
from .generate import MARK, PARTS, completed

PLACES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


@pytest.mark.parametrize("path", PLACES)
def test_each_link_of_a_page_has_a_place_in_the_site(path):
    for part in links.FENCED.split(links.text_of(path)):
        if not part.lstrip().startswith("```"):
            for link in links.LINK.finditer(part):
                if not link["target"].endswith((".png", ".svg")):
                    assert links.target_of(path, link["target"]), link["target"]


def test_links_lead_to_the_copies_of_files_outside_docs():
    text = "[a](../bench/plan/profiles.toml) [b](../README.md#credits) [c](metrics.md) [d](#x)\n"
    assert links.rewritten("docs/page.md", text) == (
        "[a](repository/bench/plan/profiles.toml.md) [b](repository/README.md#credits) "
        "[c](metrics.md) [d](#x)\n"
    )
    back = links.rewritten("results/leaderboard.md", "[e](../docs/metrics.md) [f](https://x.y)")
    assert back == "[e](../../metrics.md) [f](https://x.y)"


def test_a_link_in_a_block_of_code_or_to_nothing_stays():
    text = "```\n[a](../README.md)\n```\n[b](../nothing.md) [c](../../outside.md)\n"
    assert links.rewritten("docs/page.md", text) == text


def test_pages_that_are_linked_through_others_are_found():
    found = links.linked_elsewhere(["docs/reference/metrics.md", "docs/results.md"])
    assert {"metrics/scores.py", "results/leaderboard.md"} <= found
    assert not any(path.startswith("docs/") for path in found)


def test_the_table_of_metrics_has_each_number_with_its_facts():
    rows = [line for line in PARTS["metrics"]().splitlines() if line.startswith("| `")]
    infos = [info for plugin in REGISTRY.all("metric") for info in plugin.facts["numbers"]]
    assert len(rows) == len(infos)
    for info in infos:
        (row,) = [row for row in rows if row.startswith(f"| `{info.id}` |")]
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert cells[2] == info.better
        assert ("the truth" in cells[4]) == info.needs_truth
        assert len(cells) == 6


def test_the_command_line_has_each_option_with_its_help():
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PARTS["commands"](), re.M | re.S))
    for name, command in VERBS.items():
        for option in command.params:
            if option.opts[0].startswith("--") and not getattr(option, "hidden", False):
                (row,) = [
                    line
                    for line in parts[name].splitlines()
                    if re.match(rf"\| `{option.opts[0]}\b(?!-)", line)
                ]
                assert len(re.split(r"(?<!\\)\|", row)) == 4, row
        assert "python -m bench" in parts[name]


def test_the_python_reference_has_each_public_name():
    found = re.findall(r"^::: bench\.(\w+)$", PARTS["python"](), re.MULTILINE)
    assert sorted(found) == sorted(name for name in bench.__all__ if not name.startswith("_"))


def test_each_part_is_on_one_page():
    used = [name for path in DOCUMENTS for name in MARK.findall(path.read_text("utf-8"))]
    assert sorted(set(used)) == sorted(PARTS)
    assert completed("<!--generate: python-->").startswith("## Functions")


def test_notebooks_are_kept_without_outputs():
    for path in ROOT.glob("docs/notebooks/*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code, path
        assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), path


def test_ci_and_tox_build_the_site_and_run_the_notebooks():
    ci, tox = ((ROOT / name).read_text("utf-8") for name in (".ci/run", "tox.ini"))
    for command in ("python -m mkdocs build", "python -m pytest -n 0 --nbmake docs/notebooks"):
        assert command in ci
        assert command in tox
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert "docs" in extras


def test_the_hook_says_why_a_block_is_not_run_and_colours_commands(monkeypatch):
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    from . import hook

    page = SimpleNamespace(file=SimpleNamespace(src_uri=f"{links.ELSEWHERE}/page.md"))
    text = "say `<!-- not run: why -->`\n\n<!-- not run: it takes a day -->\n\n"
    text += "```\npython -m bench run\n```\n"
    said = hook.on_page_markdown(text, page, config=None, files=None)
    assert "Not run by the tests: it takes a day</p>" in said
    assert "say `<!-- not run: why -->`" in said
    assert "```bash\npython -m bench run" in said
    monkeypatch.setenv("MIKE_DOCS_VERSION", "0.1")
    assert hook.on_config(SimpleNamespace(extra={})).extra == {"version": {"provider": "mike"}}


@pytest.fixture
def site(tmp_path):
    """Build a copy of the site; say what mkdocs says of a page with this text."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")

    def build(text):
        docs = tmp_path / "docs"
        docs.mkdir()
        (docs / "index.md").write_text(text, "utf-8")
        settings = (ROOT / "mkdocs.yml").read_text("utf-8")
        settings = settings.partition("\nnav:")[0].replace("docs_dir: docs", f"docs_dir: {docs}")
        settings = re.sub(r"^hooks:.*$|^extra_css:.*$", "", settings, flags=re.MULTILINE)
        (tmp_path / "mkdocs.yml").write_text(settings, "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "-f", tmp_path / "mkdocs.yml"],
            capture_output=True, text=True, timeout=120, cwd=ROOT,
            env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        )  # fmt: skip
        problems = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
        return done.returncode, "\n".join(problems)

    return build


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[a](none.md)", "none.md"), ("[a](#none)", "#none"), ("::: bench.none", "bench.none")],
)
def test_a_broken_link_or_reference_ends_the_build(site, text, problem):
    code, said = site(f"# Page\n\n{text}\n")
    assert code != 0
    assert problem in said


def test_a_sound_page_is_built(site):
    assert site("# Page\n\n[a](#page)\n") == (0, "")
