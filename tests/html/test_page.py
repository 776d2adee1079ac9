"""The page: what it says, that it is safe, and that equal records give equal bits."""

from __future__ import annotations

import json
import os
import re

import pytest

import bench
from bench.html.answer import scale_of, sentences
from bench.html.page import as_json, page_of, report
from bench.html.prose import named, plain, prose
from bench.html.sources import sources_of
from bench.html.tables import metric_tables
from bench.utils.errors import UserError
from bench.utils.files.sealed import write_sealed
from tests.helpers import board_record
from tests.html.made import NAMES, ODD, SCRIPT, page, records, sources


def board_of(*made):
    return sources_of(made).boards[0]


def test_equal_records_give_equal_bits():
    again = page_of(sources_of(records()), {}, "results")
    assert again == page_of(sources_of(records()), {}, "results")


def test_the_parts_of_the_page_are_in_order():
    heads = re.findall(r"<h([123])[^>]*>\s*(.*?)\s*(?:<|$)", page().split("<script>")[0])
    order = [
        text for level, text in heads if level != "3" or text in ("Main table", "Pictures", "Plots")
    ]
    assert order[0] == "Who transfers content best?"
    first = order.index("Main table")
    assert order[first : first + 3] == ["Main table", "Pictures", "Plots"]
    assert order[-4:] == ["Claims", "Gaps", "Provenance", "How to read this"]


def test_nothing_is_fetched_from_elsewhere():
    text = page().split("<script>")[0]
    links = re.findall(r"""(?:\ssrc=|\shref=|url\()["']?([^"')\s>]+)""", text)
    assert links
    assert {link.split(":")[0] for link in links if not link.startswith("#")} <= {"data"}
    assert "default-src &#39;none&#39;" in page()


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_is_text(name):
    assert SCRIPT not in page()
    assert str(prose(named(name))) in page() or plain(name) in page()
    for found in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page(), re.S):
        json.loads(found)


def test_json_cannot_end_its_element():
    made = as_json({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(made)
    assert json.loads(str(made)) == {"a": "</script><!-- & \u2028"}


def test_sentences_escape_all_but_their_code():
    said = prose(f"{named('<b>`x`</b>')} < `a<b` & {named('c')}")
    assert str(said) == (
        "<code>&lt;b&gt;`x`&lt;/b&gt;</code> &lt; <code>a&lt;b</code> &amp; <code>c</code>"
    )


class TestAnswer:
    def test_it_says_who_leads_and_how_far_the_floor_is(self):
        floor = board_record("copy-source", method="copy-source", transfer=0.0)
        made = board_of(board_record("a", transfer=0.5), board_record("b", transfer=0.25), floor)
        said = [str(one) for one in sentences(made)]
        assert said[0].startswith("<code>a</code> leads with a <code>transfer</code> of 0.500")
        assert "0.500 above the best floor, <code>copy-source</code> (0.000)" in said[1]

    def test_it_says_that_a_floor_stands_above(self):
        floor = board_record("paste", method="paste", transfer=0.75)
        made = board_of(board_record("a", transfer=0.5), floor)
        said = " ".join(map(str, sentences(made)))
        assert "<code>paste</code> (0.750) stands above every method" in said
        assert "0.250 below the best floor" in said

    def test_it_says_who_ties(self):
        near = [
            board_record(label, seed=seed, transfer=value + seed / 100)
            for label, value in (("a", 0.5), ("b", 0.499), ("c", 0.1))
            for seed in range(4)
        ]
        said = " ".join(map(str, sentences(board_of(*near))))
        assert "<code>a</code> ties with <code>b</code>" in said

    def test_it_says_what_is_missing(self):
        made = board_of(board_record("a", transfer=0.5), board_record("b", transfer=None))
        said = " ".join(map(str, sentences(made)))
        assert "<code>b</code> is not ranked" in said
        assert "Of 2 numbers, 1 failed." in said

    def test_a_board_without_an_order_has_no_scale(self):
        made = board_of(board_record("a", own=0.5))
        assert "No method is ranked" in str(sentences(made)[0])
        assert scale_of(made) is None

    def test_the_scale_runs_from_the_floor_to_the_truth(self):
        made = [board_record("a", transfer=0.25), board_record("b", transfer=0.5)]
        scale = scale_of(board_of(*made))
        assert [(mark.label, mark.at) for mark in scale.marks] == [("b", 50), ("a", 25)]
        assert (scale.left, scale.right) == ("0", "1")


class TestTables:
    def test_the_main_table_has_few_columns_and_floors_apart(self):
        main, groups = metric_tables(sources().boards[0])
        assert 1 <= len(main.columns) <= 9
        kinds = [rows[0].kind for _, rows in main.blocks]
        assert kinds == ["method", "ceiling", "floor"]
        shown = {column.name for table in groups for column in table.columns}
        assert shown
        assert not shown & {column.name for column in main.columns}

    def test_the_best_and_its_ties_are_marked(self):
        main, _ = metric_tables(sources().boards[0])
        (at,) = [i for i, one in enumerate(main.columns) if one.name == "transfer"]
        best = {row.label for row in main.blocks[0][1] if row.cells[at].is_best}
        assert best == sources().boards[0].board.best["transfer"]
        assert SCRIPT in best

    def test_a_cell_tells_its_interval_and_a_gap_its_reason(self):
        main, _ = metric_tables(sources().boards[0])
        rows = {row.label: row for row in main.blocks[0][1]}
        assert "3 seeds, 95 % interval [" in rows["plain"].cells[0].tip
        gap = rows["broken"].cells[0]
        assert gap.is_gap
        assert gap.sort == ""

    def test_separation_shows_what_is_in_which_code(self):
        main, _ = metric_tables(sources().boards[0])
        (column,) = [one for one in main.columns if one.parts]
        assert [part.code for part in column.parts] == ["z1", "z1", "z2", "z2"]
        at = main.columns.index(column)
        parts = main.blocks[0][1][0].cells[at].parts
        assert [part.is_wanted for part in parts] == [True, False, True, False]
        assert all(0 <= part.share <= 1 for part in parts)


def write_records(folder, made):
    for record in made:
        write_sealed(folder / "records" / f"{record['id']}.json", record)


def test_the_public_function_writes_a_page_that_a_notebook_shows(tmp_path):
    write_records(tmp_path, records()[:3])
    made = bench.report(tmp_path)
    assert made.path == tmp_path / "report.html"
    assert os.fspath(made) == str(made.path)
    shown = made._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown
    assert report(tmp_path, tmp_path / "again.html").path.read_bytes() == made.path.read_bytes()


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no records in"):
        report(tmp_path)
    (tmp_path / "records").mkdir()
    with pytest.raises(UserError, match="no usable record"):
        report(tmp_path)


def test_damaged_records_are_named(tmp_path):
    write_records(tmp_path, records()[:1])
    (tmp_path / "records" / "broken.json").write_text("{")
    made = report(tmp_path)
    assert any("broken.json is left out" in line for line in made.lines)
    assert "broken.json is left out" in made.path.read_text("utf-8")


def test_the_note_and_the_settings_of_a_row_are_on_the_page():
    assert str(prose(plain(f"a note on {ODD}"))) in page()
    assert "confusion_weight = 0.05" in page()
