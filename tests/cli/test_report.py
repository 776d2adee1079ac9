"""The verb `report`: what it writes, and wrong use in one line."""

from __future__ import annotations

import shutil

import pytest

from tests.helpers import ROOT
from tests.test_startup import imported_by


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "results"
    shutil.copytree(ROOT / "results" / "claims" / "records", place / "records")
    for path in sorted((place / "records").glob("*.json"))[4:]:
        path.unlink()
    return place


def test_it_writes_the_page_and_says_where(inside, folder):
    done = inside("report", "--results", folder)
    assert done.returncode == 0, done.stderr
    assert f"wrote {folder}/report.html" in done.stdout
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_it_writes_elsewhere_and_figures_too(inside, folder, tmp_path):
    done = inside(
        "report", "--results", folder, "--output", tmp_path / "a.html", "--figures", tmp_path / "f"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.html").is_file()
    assert not (folder / "report.html").exists()
    assert {path.suffix for path in (tmp_path / "f").iterdir()} == {".svg", ".pdf", ".png", ".tex"}


def test_wrong_use_is_one_line(inside, folder, tmp_path):
    for arguments, said in (
        (("--results", tmp_path / "none"), "no records in"),
        (("--results", folder, "--output", tmp_path), "is a folder: name a file"),
        (("--results", folder, "--output", ""), "expected a path"),
        (("--results", folder, "--figures", folder / "records" / "x.json" / "y"), "--figures"),
    ):
        if "x.json" in str(arguments):
            (folder / "records" / "x.json").write_text("{}")
        done = inside("report", *arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_report_of_records_imports_no_torch(folder, cache):
    said, names = imported_by("report", "--results", folder, cache=cache)
    assert "report.html" in said
    assert "torch" not in names
