"""Reports of a check: a table, JSON, JUnit XML, Markdown and GitHub annotations."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console

from bench.check.findings import Finding, Verdict, summary, worst_first
from bench.utils.errors import Exit, UserError
from bench.utils.files.sealed import write_atomically
from bench.utils.output.console import print_table, say
from bench.utils.output.escape import (
    markdown_code,
    markdown_name,
    markdown_prose,
    markdown_table,
    printable,
)
from bench.utils.output.terminal import ERRORS

_COLUMNS = ("verdict", "layer", "row", "number", "base", "now", "allowed", "said")
_HEADS = ("verdict", "layer", "method", "number", "baseline", "now", "allowed", "what it means")
_LEVELS = {
    Verdict.FAILED: "error",
    Verdict.REGRESSED: "error",
    Verdict.NOT_COMPARABLE: "error",
    Verdict.INCONCLUSIVE: "warning",
    Verdict.IMPROVED: "notice",
}
ANNOTATIONS = 10
"""The number of annotations of one level that GitHub shows for a step."""
ROWS = 40
"""The number of rows in the table and in the Markdown summary. The JSON has all."""


def show(console: Console, findings: Sequence[Finding], title: str, all_rows: bool = False) -> None:
    """Print the findings that did not pass, or all, and the count of each verdict."""
    listed = [f for f in worst_first(findings) if all_rows or f.verdict is not Verdict.PASS]
    if listed:
        rows = [tuple(str(getattr(f, column)) for column in _COLUMNS) for f in listed[:ROWS]]
        print_table(console, _HEADS, rows, title=title)
    if len(listed) > ROWS:
        say(console, f"... and {len(listed) - ROWS} more (--json FILE has all)")
    say(console, f"check: {summary(findings)}")


def as_json(findings: Sequence[Finding], code: Exit, baseline: str) -> str:
    """Return all findings as JSON."""
    listed = [asdict(finding) for finding in worst_first(findings)]
    counts = dict(Counter(finding.verdict for finding in findings))
    found = {"baseline": baseline, "exit_code": int(code), "counts": counts, "findings": listed}
    return json.dumps(found, indent=1) + "\n"


def as_junit(findings: Sequence[Finding]) -> str:
    """Return JUnit XML with a test case for each number. Without a verdict, it is skipped."""
    suite = ElementTree.Element("testsuite", name="contentbench check")
    counts = {"failure": 0, "error": 0, "skipped": 0}
    kinds = {
        Verdict.FAILED: "error",
        Verdict.REGRESSED: "failure",
        Verdict.NOT_COMPARABLE: "error",
        Verdict.INCONCLUSIVE: "skipped",
        Verdict.NOT_COMPARED: "skipped",
    }
    for finding in findings:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=printable(f"{finding.layer}.{finding.row}"),
            name=printable(finding.number),
        )
        if kind := kinds.get(finding.verdict):
            counts[kind] += 1
            message = printable(f"{finding.verdict}: {_sentence(finding)}")
            ElementTree.SubElement(case, kind, message=message)
    suite.set("tests", str(len(findings)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def as_markdown(findings: Sequence[Finding], code: Exit, baseline: str) -> str:
    """Return a Markdown summary for a pull request."""
    verdict = {
        Exit.FINE: "pass",
        Exit.REGRESSION: "**regressed**",
        Exit.CELL_FAILED: "**a cell failed**",
        Exit.CANNOT_COMPARE: "**no verdict** (not comparable or inconclusive)",
    }[code]
    against = markdown_code(baseline)
    lines = ["## contentbench check", "", f"{verdict}: {summary(findings)} (against {against})"]
    listed = [f for f in worst_first(findings) if f.verdict is not Verdict.PASS]
    if listed:
        rows = [[_markdown(f, column) for column in _COLUMNS] for f in listed[:ROWS]]
        lines += ["", markdown_table(_HEADS, rows)]
    if len(listed) > ROWS:
        lines += ["", f"... and {len(listed) - ROWS} more"]
    return "\n".join(lines) + "\n"


def _markdown(finding: Finding, column: str) -> str:
    escaped = markdown_prose if column == "said" else markdown_name
    return escaped(str(getattr(finding, column)))


def github_lines(findings: Sequence[Finding]) -> list[str]:
    """Return workflow commands, which GitHub shows as annotations: the worst of each level."""
    by_level: dict[str, list[str]] = {}
    for finding in worst_first(findings):
        if level := _LEVELS.get(finding.verdict):
            title = _escaped(f"{finding.verdict}: {finding.row} {finding.number}", ",:")
            line = f"::{level} title={title}::{_escaped(_sentence(finding))}"
            by_level.setdefault(level, []).append(line)
    return [line for lines in by_level.values() for line in lines[:ANNOTATIONS]]


def tell_github(console: Console, findings: Sequence[Finding], markdown: str) -> None:
    """Write the annotations and the summary, if this is a GitHub job."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_lines(findings):
            say(console, line)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with open(path, "a", encoding="utf-8", errors=ERRORS) as file:
                file.write(markdown)
        except OSError as error:
            said = error.strerror or error
            say(console, f"the summary is not in GITHUB_STEP_SUMMARY, {path} ({said})")


def require_writable(path: Path) -> None:
    """Make sure that a file can be written, before anything is run.

    Raises:
        UserError: It cannot be written.
    """
    with _to_be_written(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with tempfile.TemporaryFile(dir=path.parent):
            pass


def write(path: Path, text: str) -> None:
    """Write a report.

    Raises:
        UserError: It cannot be written.
    """
    with _to_be_written(path):
        write_atomically(path, text)


@contextmanager
def _to_be_written(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): name another file") from error


def _sentence(finding: Finding) -> str:
    parts = [f"{finding.layer}: {finding.row} {finding.number}"]
    if finding.base or finding.now:
        parts.append(f"was {finding.base or '-'}, is {finding.now or '-'}")
    if finding.allowed:
        parts.append(f"allowed {finding.allowed}")
    return "; ".join([*parts, *([finding.said] if finding.said else [])])


def _escaped(text: str, more: str = "") -> str:
    text = printable(text)
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
