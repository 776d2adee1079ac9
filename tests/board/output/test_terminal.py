"""The printed table fits into the terminal, and shows every name as text."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from bench.board.board import boards
from bench.board.columns import main_metrics
from bench.board.output.make_table import table_of
from bench.board.output.page import page_of, print_pages
from bench.board.output.terminal import print_table_of
from bench.board.output.view import View
from bench.contracts.anchors import ANCHORS
from bench.contracts.registry import shipped_infos
from tests.helpers import ODD_NAMES, board_record

METHODS = (
    "press2019", "mask2020", "ufdn", "autoencoder", "d2ae", "drit", "did2019", "munit", "fader",
    "sepvae", "double_infogan",
)  # fmt: skip
INFOS = shipped_infos()
ALL = dict.fromkeys(INFOS, 0.5)


def printed(made, width, encoding="utf-8", color=None, **view):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding, errors="strict")
    console = Console(file=file, width=width, force_terminal=color is not None, color_system=color)
    print_pages(console, [page_of(board) for board in made], View(**view))
    file.flush()
    return raw.getvalue().decode(encoding)


def in_table(shown):
    """Return the lines of the first table: from its title to its last row."""
    lines = shown.splitlines()
    start = next(at for at, line in enumerate(lines) if ", profile " in line)
    return lines[start : next(at for at, line in enumerate(lines) if "nothing is bold" in line)]


@pytest.fixture(scope="module")
def many():
    """Eleven methods and all anchors, with every metric."""
    made = [board_record(name, **ALL) for name in (*METHODS, *ANCHORS)]
    for at, record in enumerate(made):
        record["metrics"]["transfer"]["value"] = at / 50
        record["metrics"]["infer_images_per_s"]["value"] = 12345.0
        record["metrics"]["cf_skill_in_add"]["value"] = -0.123
    made[1]["facts"] = {"guided": False}
    made[1]["metrics"]["add_score"]["value"] = 0.0
    return boards(made)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_eleven_methods_and_the_anchors_fit(many, width):
    lines = in_table(printed(many, width))
    assert max(map(cell_len, lines)) <= width
    rows = [line.rstrip() for line in lines if re.match(r"[a-z0-9_-]+ +(\d|floor|ceil)", line)]
    assert [row.split()[0] for row in rows] == [*METHODS[::-1], *ANCHORS]
    heads = "".join(lines[: lines.index(next(x for x in lines if "method" in x)) + 1])
    for name in main_metrics(INFOS):
        for word in INFOS[name].label.split():
            assert word in heads  # no head is broken inside a word
    assert ("[-" in lines[-1] or "]" in lines[-1]) == (width == 140)  # intervals need room


def test_a_bar_shows_the_number_that_orders(many):
    shown = printed(many, 100)
    rows = [line for line in shown.splitlines() if re.match(r"[a-z0-9_-]+ ", line)]
    bars = {row.split()[0]: len(re.findall("[\u2588-\u258f]", row)) for row in rows}
    assert bars["press2019"] == 0
    assert bars["double_infogan"] >= bars["ufdn"] > 0
    assert bars["copy-guide"] > bars["double_infogan"]


def test_a_console_without_unicode_and_styles_gets_arrows_and_stars(many):
    shown = printed(many, 80, encoding="ascii")
    assert "score^" in shown
    assert "Av" in shown
    assert re.search("^-{70,}$", shown, re.MULTILINE)
    rows = [board_record(name, at, transfer=value + at / 100)
            for name, value in (("a", 0.5), ("b", 0.1)) for at in range(3)]  # fmt: skip
    assert re.search(r"^a +1 +0\.510\*", printed(boards(rows), 80), re.MULTILINE)
    assert "\x1b[1m0.510" in printed(boards(rows), 80, color="standard")


def test_floors_are_dimmed_below_a_rule(many):
    shown = printed(many, 80, color="standard")
    assert re.search(r"\n\u2500{70,}[^\n]*\n\x1b\[2mground-truth", shown)
    assert not re.search(r"\x1b\[2mpress2019", shown)


def test_wide_shows_every_metric_and_the_notes(many):
    shown = printed(many, 80, wide=True)
    lines = shown.splitlines()
    tables = [line for line in lines if "method" not in line and re.match(r"[a-z0-9_-]+ +\d", line)]
    assert max(map(cell_len, tables)) <= 80
    for info in INFOS.values():
        assert info.label.split()[-1] in shown
    assert "Cost" in map(str.strip, lines)
    assert "Rank agreement of" in shown
    assert "Rank agreement of" not in printed(many, 80)


@pytest.mark.parametrize("name", [*ODD_NAMES, "<script>alert(1)</script>", "x" * 200, '"q"'])
def test_a_name_is_one_row(name):
    (board,) = boards([board_record(name, transfer=0.5), board_record("other", transfer=0.4)])
    file = io.StringIO()
    print_table_of(Console(file=file, width=80), table_of(board))
    lines = file.getvalue().splitlines()
    rule = next(at for at, line in enumerate(lines) if line.startswith("\u2500"))
    (row,) = [line for line in lines[rule + 1 :] if " 0.500 " in line]
    assert lines[-1].startswith("other ")
    assert max(map(cell_len, lines)) <= 80
    shown = "".join(line[: row.index(" 1 ")].strip() for line in lines[rule + 1 : -1])
    assert shown.replace(" ", "") == name.encode("unicode_escape").decode().replace(" ", "")


def test_a_long_label_is_broken_at_its_brackets():
    label = "press2019[confusion_weight=0.05]"
    (board,) = boards([board_record(label, **ALL), board_record("m", **ALL)])
    shown = printed([board], 80)
    assert re.search(r"^press2019 *\n\[confusion", shown, re.MULTILINE)


def test_few_notes_are_shown_and_the_others_counted():
    made = [board_record(f"m{at}", transfer=0.1 * at) | {"facts": {"note": f"note {at}"}}
            for at in range(7)]  # fmt: skip
    shown = printed(boards(made), 80)
    assert "note 3." in shown
    assert "note 4." not in shown
    assert "and 3 more notes: --wide" in shown
    assert "note 6." in printed(boards(made), 80, wide=True)
