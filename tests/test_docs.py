"""The documents say what is true."""

from __future__ import annotations

import io
import re
import tomllib

import pandas as pd
import pytest

from bench.board.board import boards
from tests.helpers import REGISTRY, ROOT, board_record

from . import documents
from .documents import DOCUMENTS, NUMBER, TABLE, filled

README = (ROOT / "README.md").read_text()
PAGES = [*DOCUMENTS, ROOT / "CONTRIBUTING.md"]
MANUAL = [path for path in PAGES if path.parent.name != "notes"]  # a note may name what is gone


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in README.splitlines() if line.endswith("-m pytest")]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_metric_and_method_is_described():
    lines = (ROOT / "docs" / "metrics.md").read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.split(" | ")] for line in lines if line.startswith("| `")
    ]
    for plugin in REGISTRY.all("metric"):
        for info in plugin.facts["numbers"]:
            (row,) = [cells for cells in rows if f"`{info.id}`" in cells[0]]
            assert row[3].startswith(info.better), info.id
            assert len(row) == 8
    for plugin in REGISTRY.all("method"):
        assert f"`{plugin.name}`" in README
        assert f"## {plugin.name}" in (ROOT / "docs" / "methods.md").read_text()


def anchors_of(path):
    """Return the anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    for link in links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


@pytest.mark.parametrize("path", MANUAL, ids=lambda path: path.name)
def test_files_and_modules_that_documents_name_exist(path):
    text = path.read_text("utf-8")
    for name in re.findall(
        r"\b(?:bench|tests|methods|metrics|docs)/[\w./-]+\.(?:py|toml|md|json)", text
    ):
        assert (ROOT / name).is_file(), name
    for module in re.findall(r"python -m (tests[.\w]+)", text):
        place = ROOT / module.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), module


def test_every_page_is_listed():
    pages = {path.name for path in ROOT.glob("docs/*.md")}
    index = (ROOT / "docs" / "README.md").read_text()
    assert {page for page in pages if f"({page})" in index} == pages - {"README.md"}
    notes = {path.name for path in ROOT.glob("docs/notes/*.md")} - {"README.md"}
    listed = (ROOT / "docs" / "notes" / "README.md").read_text()
    assert {note for note in notes if f"({note})" in listed} == notes


def test_the_house_has_the_rooms_and_the_arrows_of_the_linter():
    text = (ROOT / "docs" / "house.md").read_text()
    for init in (ROOT / "bench").glob("*/__init__.py"):
        assert f"    {init.parent.name}/" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (layers,) = [
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    assert "\n" + "\n".join(layers) + "\n" in text


def test_notes_are_dated():
    for path in ROOT.glob("docs/notes/*.md"):
        if path.name != "README.md":
            headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
            assert headings, path
            assert all(re.match(r"\d{4}-\d\d-\d\d: ", heading) for heading in headings), path


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(word for extra in extras for word in extra)]
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    for requirement in wanted:
        assert requirement.split(">=")[0].lower() in pins, requirement


def test_the_oldest_versions_are_the_lower_bounds():
    """Those of torch and torchvision are pinned: see the comment of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = {
        name.lower(): re.split(r"[,;]", least)[0]
        for name, _, least in (one.partition(">=") for one in project["dependencies"])
    }
    text = (ROOT / "constraints-oldest.txt").read_text()
    pins = dict(line.lower().split("==") for line in text.splitlines() if "==" in line)
    newest = (ROOT / "constraints.txt").read_text()
    for name in ("torch", "torchvision"):
        assert f"{name}=={pins.pop(name)}\n" in newest
        del bounds[name]
    assert pins == bounds


def test_profiles_are_described():
    from bench.plan.profiles import profiles

    text = (ROOT / "docs" / "profiles.md").read_text()
    for profile in profiles().values():
        assert f"| `{profile.name}` | {profile.size} px" in text
        if profile.budget_tflops != "published":
            assert f"| {profile.budget_tflops:g}e12 |" in text


@pytest.mark.parametrize("kind", ["method", "metric", "task"])
def test_every_check_of_a_plugin_is_described(kind):
    from bench.conformance.verify import checks_of

    page = (ROOT / "docs" / "plugins.md").read_text()
    _, _, table = page.partition(f"| check of a {kind} |")
    firsts = re.findall(r"^\| (.*?) \|", table.partition("\n\n")[0], re.MULTILINE)
    named = re.findall(r"`([\w-]+)`", " ".join(firsts))
    assert sorted(named) == sorted(check.name for check in checks_of(kind))
    assert all(check.asks.endswith(".") and check.hint for check in checks_of(kind))


def test_no_placeholder_is_left():
    for path in DOCUMENTS:
        words = {word.strip("*`|,.") for word in path.read_text().split()}
        assert not words & {"TODO", "RUNTIME", "FINDINGS", "LEADERBOARD", "FORWARD", "TRACE1"}, path


def test_every_committed_record_can_be_read():
    from bench.records.store import Store

    records, damaged = Store(ROOT / "results").records()
    assert records
    assert not damaged


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_board_numbers_in_documents_equal_those_of_the_records(path):
    text = path.read_text("utf-8")
    assert filled(text) == text, "run `python -m tests.documents`"
    assert len(NUMBER.findall(text)) == text.count("<!--= ") == text.count("<!--/-->")
    assert len(TABLE.findall(text)) == text.count("<!--board ") == text.count("<!--/board-->")


def test_a_wrong_number_is_replaced_by_that_of_the_records():
    wrong = "<!--= small avatars-glasses ground-truth cf_rank_add .0% -->7 %<!--/-->"
    assert filled(wrong) == wrong.replace("7 %", "100 %")
    with pytest.raises(AssertionError, match="the board has no such number"):
        filled(wrong.replace("cf_rank_add", "cf_rank_of_nothing"))


def test_tables_say_unguided_and_the_highest_is_that_of_a_method(monkeypatch):
    def scored(label, method, **values):
        return board_record(label, method=method, **values)

    free = scored("free", "free", add_score=0.0, fd_add=1.0) | {"facts": {"guided": False}}
    oracle = scored("oracle-decoder[width=8]", "oracle-decoder", add_score=0.9, fd_add=2.0)
    led = scored("led", "led", add_score=0.2, fd_add=3.0) | {"facts": {"guided": True}}
    (board,) = boards([free, oracle, led])
    monkeypatch.setattr(documents, "committed", lambda: {("small", "faces"): board})
    table = filled("<!--board small faces: add_score .2f, fd_add .1f -->\n<!--/board-->")
    assert "| free | unguided | 1.0 |" in table
    assert "| led | 0.20 | 3.0 |" in table
    assert "| oracle-decoder[width=8] | 0.90 | 2.0 |" in table
    highest = "<!--= small faces highest add_score .2f -->?<!--/-->"
    assert filled(highest) == highest.replace("?", "0.20")


def test_the_committed_board_follows_from_the_committed_records():
    from bench.board.curves import with_curves
    from bench.board.frame import frame
    from bench.board.output.markdown import markdown
    from bench.records.store import Store

    records, _ = Store(ROOT / "results").records()
    table = frame(records)
    made = io.StringIO(with_curves(table, records).to_csv(index=False))
    kept = (pd.read_csv(source) for source in (ROOT / "results" / "leaderboard.csv", made))
    pd.testing.assert_frame_equal(*kept, rtol=1e-9)  # the last bit is the processor's
    board = markdown(boards(records, table))
    assert (ROOT / "results" / "leaderboard.md").read_text("utf-8") == board
