"""The reports of a check: JSON, JUnit, Markdown and GitHub."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from bench.board.board import boards
from bench.board.frame import frame
from bench.board.output.markdown import csv, markdown
from bench.check.findings import Finding, Layer, Verdict, worst_first
from bench.check.reports import as_json, as_junit, as_markdown, github_lines, tell_github
from bench.utils.errors import Exit, UserError
from bench.utils.output.escape import printable
from tests.helpers import ODD_CHARACTERS, ODD_NAMES, board_record, table_cells


def odd_findings(text):
    return [
        Finding(Verdict.FAILED, Layer.EXACT, f"m{text} on t{text}", text, text, text, text, text)
    ]


def test_junit_is_xml_whatever_a_reason_holds():
    """case 19."""
    suite = ElementTree.fromstring(as_junit(odd_findings(ODD_CHARACTERS)).partition("\n")[2])
    assert "\\x1b[31mred" in suite.find("testcase/error").get("message")
    assert suite.find("testcase").get("name") == printable(ODD_CHARACTERS)


def test_errors_annotations_and_markdown_neither():
    """case 19, siblings: what goes to GitHub, and the line of an error."""
    (line,) = github_lines(odd_findings(ODD_CHARACTERS))
    shown = as_markdown(odd_findings(ODD_CHARACTERS), Exit.CELL_FAILED, ODD_CHARACTERS)
    board = markdown(
        boards([board_record(fd_add=1.0) | {"label": f"m{ODD_CHARACTERS}"}]), notes=[ODD_CHARACTERS]
    )
    for text in (
        line,
        shown,
        board,
        str(UserError(ODD_CHARACTERS)),
        csv(frame([board_record(ODD_CHARACTERS, fd_add=1)])),
    ):
        assert not set(text) & set("\x1b\x9b\x00\r\u202e\ufffe\ud800")
        text.encode()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_shifts_no_cell_of_verdicts(name):
    """case 20."""
    lines = as_markdown(odd_findings(name), Exit.CELL_FAILED, name).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert [len(table_cells(line)) for line in table] == [8, 8, 8]


@pytest.mark.parametrize("place", ["", "missing/summary.md", "file/summary.md"])
def test_a_summary_that_cannot_be_written_is_a_note(place, checked, monkeypatch, tmp_path):
    """case 10: a folder, no such folder, a folder that is a file."""
    (tmp_path / "file").touch()
    check, path = checked
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / place) if place else str(tmp_path))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    (note,) = [line for line in done.stdout.splitlines() if "GITHUB_STEP_SUMMARY" in line]
    assert note.startswith("the summary is not in GITHUB_STEP_SUMMARY")
    edited = json.loads(path.read_text())
    edited["rows"][-1]["facts"]["steps"] += 1
    path.write_text(json.dumps({k: v for k, v in edited.items() if k != "seal"}))
    assert check().returncode == 1


def test_a_summary_takes_what_is_no_unicode(monkeypatch, tmp_path, capsys):
    """case 10, sibling: the name of a folder that is not UTF-8."""
    from rich.console import Console

    from bench.check.reports import as_markdown

    odd = [Finding(Verdict.FAILED, Layer.EXACT, "m on folder:\udcff", "x", said="\udcff")]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "s.md"))
    tell_github(Console(), odd, as_markdown(odd, 3, "b\udcff.json"))
    assert "folder:\\\\udcff" in (tmp_path / "s.md").read_text()


ODD = [
    Finding(Verdict.PASS, Layer.EXACT, "m on t", "params", "1", "1"),
    Finding(Verdict.INCONCLUSIVE, Layer.STATISTICAL, "m on t", "a|b", "1", "2", "0.5", "who knows"),
    Finding(Verdict.REGRESSED, Layer.GOLDEN, "m<&> on t", "fd, add: 1\n2", "1", "2", said="50%"),
    Finding(Verdict.NOT_COMPARED, Layer.EXACT, "n on t", "row"),
]


def test_reports_say_the_same():
    assert [f.verdict for f in worst_first(ODD)] == [
        "regressed", "inconclusive", "not compared", "pass",
    ]  # fmt: skip
    suite = ElementTree.fromstring(as_junit(ODD).partition("\n")[2])
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None]
    told = json.loads(as_json(ODD, Exit.REGRESSION, "b.json"))
    assert told["exit_code"] == 1
    assert told["counts"] == {"pass": 1, "inconclusive": 1, "regressed": 1, "not compared": 1}
    assert told["findings"][0]["verdict"] == "regressed"
    shown = as_markdown(ODD, Exit.REGRESSION, "b.json")
    assert "a\\|b" in shown
    assert shown.count("\n|") == 2 + 3  # heads, line, and all that did not pass


def test_annotations_are_one_line_each_and_escaped():
    error, warning = github_lines(ODD)
    assert error.startswith("::error title=regressed%3A m<&> on t fd%2C add%3A 1%0A2::")
    assert error.endswith("50%25")
    assert warning.startswith("::warning title=inconclusive")


def test_github_is_told_where_it_asks(tmp_path, monkeypatch, capsys):
    from rich.console import Console

    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    tell_github(Console(), ODD, "text\n")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    tell_github(Console(), ODD, "text\n")
    assert capsys.readouterr().out.count("::") == 4
    assert (tmp_path / "summary.md").read_text() == "text\ntext\n"
