"""The commands that read a results folder."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.helpers import ROOT


@pytest.fixture
def results(tmp_path):
    shutil.copytree(ROOT / "results" / "claims" / "records", tmp_path / "records")
    return tmp_path


def test_what_is_printed_is_chosen_and_the_files_stay_complete(results, inside):
    plain = inside("leaderboard", "--results", results)
    assert plain.returncode == 0
    assert f"more: `python -m bench leaderboard --results {results} --wide`" in plain.stdout
    files = {path.name: path.read_text() for path in results.glob("*.*")}
    arguments = (
        "--metrics",
        "image_quality,rec_l1_a",
        "--sort",
        "fd_add",
        "--methods",
        "press2019",
    )
    chosen = inside("leaderboard", "--results", results, *arguments)
    assert chosen.returncode == 0
    assert "KID" in chosen.stdout
    assert "Sorted by fd_add; the rank is that by transfer." in chosen.stdout
    assert "KID" not in plain.stdout
    wide = inside("leaderboard", "--results", results, "--wide")
    assert wide.stdout.count("\n") > 2 * plain.stdout.count("\n")
    assert {path.name: path.read_text() for path in results.glob("*.*")} == files


def test_further_formats(results, inside):
    done = inside("leaderboard", "--results", results, "--format", "json,latex")
    assert "leaderboard.csv and .md, comparisons.csv, leaderboard.tex, leaderboard.json" in (
        done.stdout
    )
    rows = json.loads((results / "leaderboard.json").read_text())
    assert len(rows) == len((results / "leaderboard.csv").read_text().splitlines()) - 1
    assert r"\toprule" in (results / "leaderboard.tex").read_text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--format", "xls"), "unknown format 'xls' (known: json, latex, parquet)"),
        (("--sort", "transfe"), "did you mean 'transfer'?"),
        (("--methods", "nobody"), "unknown method of the leaderboard 'nobody'"),
        (("--tasks", "cats"), "unknown task of the leaderboard 'cats'"),
    ],
)
def test_a_wrong_choice_is_one_line(results, inside, wrong, said):
    done = inside("leaderboard", "--results", results, *wrong)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (results / "leaderboard.md").exists()


def test_leaderboard_without_records(inside, tmp_path):
    done = inside("leaderboard", "--results", tmp_path)
    assert done.returncode == 2
    assert "no records in" in done.stderr
