"""Names, reasons and values that hold anything, wherever they are shown."""

from __future__ import annotations

import csv as csv_files
import io
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench.board.board import boards
from bench.board.frame import frame
from bench.board.markdown import csv, markdown
from bench.check.findings import Finding, Layer, Verdict
from bench.check.reports import as_junit, as_markdown, github_lines
from bench.cli.options import names_in
from bench.contracts.labels import brackets, quoted
from bench.plan.profiles import Setting, choose_profile, configure
from bench.utils.errors import Exit, UserError
from bench.utils.output.console import print_table, say
from bench.utils.output.escape import (
    csv_text,
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
    one_line,
    printable,
)

from .test_board import record

ESCAPE = "\x1b[31mred\x1b[0m \x9b2J \x00 \r over \ud800 \ufffe \u202e back"
NASTY = ["a|b", "a\nb", "a`b", "<img src=x>", "a,b", "=1+1", "\x1b[2J", "[x](http://y)", "_a_", "7"]


# --- 19: control characters ----------------------------------------------------------------------


def test_what_cannot_be_seen_is_shown():
    """case 19: what steers a terminal, and all that XML 1.0 forbids."""
    assert printable("\x1b[31m") == "\\x1b[31m"
    assert printable("\x9b2J\x7f") == "\\x9b2J\\x7f"
    assert printable("\udcff\ufffe\uffff") == "\\udcff\\ufffe\\uffff"
    assert printable("line\n\ttab, ä, 漢字, 👩‍🚀, עברית") == "line\n\ttab, ä, 漢字, 👩‍🚀, עברית"
    assert one_line("a\nb\rc") == "a\\nb\\rc"
    allowed = {0x9, 0xA, 0xD, *range(0x20, 0xD800), *range(0xE000, 0xFFFE)}
    for code in set(range(0x10000)) - allowed:
        assert printable(chr(code)).isascii()


def odd_findings(text):
    return [
        Finding(Verdict.FAILED, Layer.EXACT, f"m{text} on t{text}", text, text, text, text, text)
    ]


def test_junit_is_xml_whatever_a_reason_holds():
    """case 19."""
    suite = ElementTree.fromstring(as_junit(odd_findings(ESCAPE)).partition("\n")[2])
    assert "\\x1b[31mred" in suite.find("testcase/error").get("message")
    assert suite.find("testcase").get("name") == printable(ESCAPE)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_terminal_gets_no_escape_sequence(terminal):
    """case 19: a reason, a cell, a head, a title; and no line that GitHub takes for a command."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, color_system=None, width=300)
    say(console, f"failed: {ESCAPE}\n::error::x")
    print_table(console, [f"head {ESCAPE}", "b"], [(ESCAPE, "x\n::error::y")], title=ESCAPE)
    shown = file.getvalue().replace("\x1b[3m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert not set(shown) & set("\x1b\x9b\x00\r\u202e\ufffe")
    assert not any(line.strip().startswith("::") for line in shown.splitlines())


def test_errors_annotations_and_markdown_neither():
    """case 19, siblings: what goes to GitHub, and the line of an error."""
    (line,) = github_lines(odd_findings(ESCAPE))
    shown = as_markdown(odd_findings(ESCAPE), Exit.CELL_FAILED, ESCAPE)
    board = markdown(boards([record(fd_add=1.0) | {"label": f"m{ESCAPE}"}]), notes=[ESCAPE])
    for text in (
        line,
        shown,
        board,
        str(UserError(ESCAPE)),
        csv(frame([record(ESCAPE, fd_add=1)])),
    ):
        assert not set(text) & set("\x1b\x9b\x00\r\u202e\ufffe\ud800")
        text.encode()


# --- 20: names in tables -------------------------------------------------------------------------


def cells_of(line):
    """Return the cells of a row of a table of GitHub's Markdown, unescaped."""
    cells, cell, escaped = [], "", False
    for character in line.strip()[1:-1]:
        if character == "|" and not escaped:
            cells.append(cell.strip())
            cell = ""
        elif escaped or character != "\\":
            cell += character
        escaped = character == "\\" and not escaped
    return [*cells, cell.strip()]


@pytest.mark.parametrize("name", NASTY)
def test_a_name_shifts_no_cell_of_a_board(name):
    """case 20: as a method, a task, a reason, a note, a meaning, a metric."""
    nasty = record(name, fd_add=1.0, cf_rank_add=None)
    nasty["identity"]["task"] = name
    nasty["facts"] = {"note": name, "steps": 3}
    nasty["metrics"]["cf_rank_add"]["reason"] = name
    nasty["metrics"]["fd_add"] |= {"meaning": name, "extractor": name}
    text = markdown(boards([nasty]))
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(cells_of(line)) for line in tables[:3]}
    assert len(widths) == 1, tables
    assert cells_of(tables[2])[0] == one_line(name)
    assert "<img" not in text.replace("\\<img", "")


@pytest.mark.parametrize("name", NASTY)
def test_a_name_shifts_no_cell_of_verdicts(name):
    """case 20."""
    lines = as_markdown(odd_findings(name), Exit.CELL_FAILED, name).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert [len(cells_of(line)) for line in table] == [8, 8, 8]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_no_text_of_the_csv_is_a_formula(name):
    """case 20: texts are made harmless, numbers stay numbers."""
    nasty = record(name, cf_rank_add=-0.5, fd_add=None)
    nasty["metrics"]["fd_add"]["reason"] = name
    (first, second) = csv_files.DictReader(io.StringIO(csv(frame([nasty]))))
    assert first["method"] == second["method"] == f"'{name}"
    assert (float(first["value"]), float(first["lo"])) == (-0.5, -1.5)
    assert second["reason"] == f"'{name}"


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
    assert {len(cells_of(line)) for line in table.splitlines()} == {2}


# --- labels --------------------------------------------------------------------------------------


def test_labels_that_were_short_stay_and_others_say_all():
    """case 12: numbers that `%g` holds are written as ever, all others in full."""
    assert brackets({"learning_rate": 0.001, "budget": 1e-05, "sep": 30, "big": 1e22}) == (
        "[big=1e+22,budget=1e-05,learning_rate=0.001,sep=30]"
    )
    assert brackets({"x": 0.00123456789}) == "[x=0.00123456789]"
    assert brackets({"x": 1 / 3}) != brackets({"x": 0.333333})
    assert brackets({"x": "l1", "y": True, "z": None}) == "[x=l1,y=True,z=None]"
    assert brackets({"x": "32,64"}) == '[x="32,64"]'
    assert brackets({"x": 'a"]b=\n'}) == '[x="a\\"]b=\\n"]'
    assert quoted("") == '""'
    assert brackets({}) == ""


def test_a_label_is_one_name_among_others():
    """case 12, sibling: what `--methods` of `score` and `baseline` is given."""
    label = "mine" + brackets({"layers": "32,64] [x", "rate": 0.5, "word": 'a "b", c'})
    assert names_in([f"one,{label} two", label]) == ("one", label, "two", label)
    assert names_in(["a,b  c\nd", "[x", "y]"]) == ("a", "b", "c", "d", "[x", "y]")


def test_unlike_configurations_never_share_a_row():
    """case 12, sibling: values that look the same, and fields named as parts of an identity."""
    one, other = record(fd_add=1.0), record(seed=1, fd_add=2.0)
    one["identity"]["config"], other["identity"]["config"] = {"x": 1}, {"x": "1"}
    assert len(set(frame([one, other])["method"])) == 2
    one["identity"]["config"], other["identity"]["config"] = {"size": 1}, {"size": 2}
    assert set(frame([one, other])["method"]) == {"m{config.size=1}", "m{config.size=2}"}
    one["identity"]["config"], other["identity"]["config"] = {"source": 1}, {"source": 2}
    assert set(frame([one, other])["method"]) == {"m{config.source=1}", "m{config.source=2}"}


def configured(fields, *settings):
    """Return label and configuration of a method whose Config has these fields."""
    scope = {}
    exec(compile(f"{HEAD}    {fields}\n", "mine.py", "exec", dont_inherit=True), scope)
    method = SimpleNamespace(Config=scope["Config"])
    plugin = SimpleNamespace(name="mine", path="mine.py", load=lambda: method)
    parsed = [Setting.parse(f"mine.{text}") for text in settings]
    return configure(plugin, choose_profile("smoke"), parsed)


HEAD = """
from dataclasses import dataclass
from typing import Literal
@dataclass(frozen=True)
class Config:
"""


@pytest.mark.parametrize(
    ("fields", "setting", "said"),
    [
        ("x: Literal[1, 2] = 1", "x=3", "expected 1 | 2, got '3'"),
        ("x: int = 1", "x=9223372036854775808", "expected int"),
        ("x: int = 1", f"x={'9' * 5000}", "expected int"),
        ("x: int = 1", "x=²", "expected int"),
        ("x: float = 1", "x=1e999", "expected float"),
        ("x: float = 1", "x=nan", "expected float"),
        ("x: tuple[int, ...] = ()", "x=a", "expected tuple"),
        ("x: 'Nowhere' = 1", "x=1", "Config of method 'mine' cannot be used"),
        ("x: float = float('inf')", "x=1", "Config of method 'mine' cannot be used"),
        ("x: object = frozenset()", "x=1", "Config of method 'mine' cannot be used"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line(fields, setting, said):
    """case 12, siblings: values that no field, no JSON or no record can hold."""
    with pytest.raises(UserError) as refused:
        configured(fields, setting)
    assert said in str(refused.value)


def test_a_choice_of_numbers_can_be_set():
    """case 12, sibling."""
    label, config = configured("x: Literal[1, 2] = 1", "x=2")
    assert (label, config["x"]) == ("mine[x=2]", 2)


@pytest.mark.parametrize("option", ["--methods", "--tasks", "--metrics"])
@pytest.mark.parametrize("nothing", ["", " ", ","])
def test_an_option_without_a_name_does_not_mean_all(option, nothing, inside):
    """An unset variable of a script must not start hours of work."""
    done = inside("run", option, nothing, "--dry-run")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: an option that takes names got '{nothing}': give a name, or leave the option out\n"
    )
