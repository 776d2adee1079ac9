"""Names of any content shift no cell of the board."""

from __future__ import annotations

import csv as csv_files
import io
import re

import pytest

from bench.board.board import boards
from bench.board.frame import frame
from bench.board.output.markdown import csv, markdown
from bench.contracts.anchors import ANCHORS
from bench.records.store import Store
from bench.utils.output.escape import (
    csv_text,
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
    one_line,
)
from tests.helpers import ODD_NAMES, ROOT, board_record, table_cells


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_shifts_no_cell_of_a_board(name):
    """case 20: as a method, a task, a reason, a note, a meaning, a metric."""
    nasty = board_record(name, fd_add=1.0, cf_rank_add=None)
    nasty["identity"]["task"] = name
    nasty["facts"] = {"note": name, "steps": 3}
    nasty["metrics"]["cf_rank_add"]["reason"] = name
    nasty["metrics"]["fd_add"] |= {"meaning": name, "extractor": name}
    text = markdown(boards([nasty]))
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(table_cells(line)) for line in tables[:3]}
    assert len(widths) == 1, tables
    assert table_cells(tables[2])[0].strip("*") == one_line(name).strip("*")
    outside_code = re.sub(r"(`+).*?\1(?!`)", "", text)
    assert "<img" not in outside_code.replace("\\<img", "")


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "\uff1d1", "=cmd|' /C calc'!A0"]
)
def test_no_text_of_the_csv_is_a_formula(name):
    """case 20: texts are made harmless, numbers stay numbers."""
    nasty = board_record(name, cf_skill_in_add=-0.5, fd_add=None)
    nasty["metrics"]["fd_add"]["reason"] = name
    (first, second) = csv_files.DictReader(io.StringIO(csv(frame([nasty]))))
    assert first["method"] == second["method"] == f"'{name}"
    assert (float(first["value"]), float(first["lo"])) == (-0.5, -1.5)
    assert second["reason"] == f"'{name}"


def test_the_page_of_five_methods_and_three_tasks_is_short():
    """The main table of a task comes first; GitHub folds the rest."""
    methods = ("press2019", "ufdn", "autoencoder", "d2ae", "drit")
    records, _ = Store(ROOT / "results").records()
    kept = [
        record
        for record in records
        if record["identity"]["task"] == "avatars-glasses"
        and record["configuration"] != "published"
        and record["identity"]["method"] in (*methods, *ANCHORS)
    ]
    assert len(kept) == len(methods) + len(ANCHORS)
    made = [
        record | {"identity": record["identity"] | {"task": task}}
        for task in ("glasses", "hats", "beards")
        for record in kept
    ]
    text = markdown(boards(made))
    lines = text.splitlines()
    assert len(lines) < 200
    assert text.count("<details>") == text.count("</details>") == 7
    first = lines[: lines.index("<details><summary>Further numbers</summary>")]
    assert len(first) < 26
    heads = table_cells(next(line for line in first if line.startswith("|")))
    assert len(heads) == 3 + 8
    assert "0.495 [0.481, 0.507]" in "".join(first)
    for start, line in enumerate(lines):  # GitHub reads a table only after an empty line
        if line.startswith("|:"):
            assert lines[start - 2] == ""


def test_markdown_shows_what_is_meant():
    """case 20: a name as it is, code in a sentence as code."""
    assert markdown_name("info_z1_common [net@1]") == "info_z1_common [net@1]"
    assert markdown_name("a|b_ *c* <d> \\ ~e~ &amp; f & g") == (
        r"a\|b\_ \*c\* \<d> \\ \~e\~ \&amp; f & g"
    )
    assert markdown_name("[a](b)") == r"[a]\(b)"
    assert (
        markdown_prose("`bench score` does <it> `a|b` `") == r"`bench score` does \<it> `a\|b` \`"
    )
    assert markdown_code("a`b") == "`` a`b ``"
    assert csv_text("a=b") == "a=b"
    table = markdown_table(("a", "b"), [("x", markdown_name("y|z")), ("1", "")])
    assert {len(table_cells(line)) for line in table.splitlines()} == {2}
