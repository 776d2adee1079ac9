"""`baseline` and `check` from the command line."""

from __future__ import annotations

import itertools
import json

import pytest

from bench.utils.files.sealed import read_sealed
from tests.check.made_records import METHOD_ROW, changed_record, check_records, edit_baseline


@pytest.mark.parametrize("option", ["--json", "--junit", "--markdown"])
@pytest.mark.parametrize("place", ["", "file/report"])
def test_a_report_that_cannot_be_written_is_said_before_the_run(
    option, place, checked, monkeypatch, tmp_path
):
    """case 10, sibling: nothing is run for nothing."""
    monkeypatch.setattr("bench.check.check.run_cells", None)
    (tmp_path / "file").touch()
    done = checked[0](option, tmp_path / place, "--run")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot write {tmp_path / place}")
    assert len(done.stderr.splitlines()) == 1


def test_two_reports_are_two_files_and_a_baseline_has_a_place(checked, inside, folder, tmp_path):
    """case 10, siblings."""
    twice = checked[0]("--json", tmp_path / "x", "--junit", tmp_path / "." / "x")
    assert (twice.returncode, "two reports" in twice.stderr) == (2, True)
    (tmp_path / "file").touch()
    made = inside("baseline", tmp_path / "file" / "b.json", "--results", folder(check_records()),
                  "--profile", "smoke", "--reason", "why")  # fmt: skip
    assert (made.returncode, "cannot write" in made.stderr) == (2, True)


def test_nothing_to_compare_is_no_pass(checked):
    """case 32: no rows; siblings: no golden numbers and no other layer; too few seeds alone."""
    check, path = checked
    base = read_sealed(path)
    assert check("--layers", "golden").returncode == 4
    path.write_text(json.dumps(edit_baseline(base, "rows", to=[])))
    done = check()
    assert done.returncode == 4
    assert "there is nothing to compare" in done.stdout
    assert check("--run").returncode == 4
    row = edit_baseline(base, *METHOD_ROW, "metrics", to={})
    row = edit_baseline(
        edit_baseline(row, *METHOD_ROW, "facts", to={}), *METHOD_ROW, "cpu_seconds", to=[None] * 10
    )
    path.write_text(json.dumps(row | {"rows": [row["rows"][2]], "claims": {}}))
    assert check("--layers", "statistical").returncode == 4


def test_a_training_too_short_for_the_clock_is_no_traceback(checked, folder):
    """case 32, sibling: records, not edited at all, whose CPU time is 0."""
    check, _ = checked
    records = check_records(range(3))
    for one in records[:3]:
        one["facts"]["cpu_seconds"] = 0.0
    folder(records)
    done = check()
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_verbs_from_the_command_line(inside, folder, tmp_path):
    """Each exit code once, as a user gets it; torch is not asked for."""
    path = tmp_path / "b.json"
    results = folder(check_records())
    without = inside("baseline", path, "--results", results, "--profile", "smoke", "--no-golden")
    assert (without.returncode, "--reason" in without.stderr) == (2, True)
    made = inside("baseline", path, "--results", results, "--profile", "smoke", "--no-golden",
                  "--reason", "first")  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "3 rows, 10 seeds" in made.stdout

    numbers = itertools.count()

    def check(records, *more):
        place = folder(records, f"results{next(numbers)}")
        return inside("check", path, "--results", place, *more)

    reports = [tmp_path / f"check.{end}" for end in ("json", "xml", "md")]
    options = zip(("--json", "--junit", "--markdown"), reports, strict=True)
    fine = check(check_records(range(3)), *(text for pair in options for text in pair))
    assert fine.returncode == 0, fine.stdout
    assert all(report.stat().st_size for report in reports)
    assert check(changed_record("parameters")[0]).returncode == 1
    assert check(changed_record("failed seed")[0]).returncode == 3
    assert check(changed_record("configuration")[0]).returncode == 4
    unsure = check_records(range(10, 13))
    for at, one in enumerate(unsure[:3]):
        one["metrics"]["fd_add"]["value"] += 3 * (at - 1)
    assert check(unsure).returncode == 4
    assert check(unsure, "--lenient").returncode == 0
    wrong = inside("check", tmp_path / "none.json", "--results", results)
    assert (wrong.returncode, "no baseline" in wrong.stderr) == (2, True)
    layer = inside("check", path, "--results", results, "--layers", "goldn")
    assert (layer.returncode, "did you mean 'golden'" in layer.stderr) == (2, True)


def test_a_revision_that_does_not_exist_is_one_line(inside):
    done = inside("check", "--ab", "no-such-revision")
    assert done.returncode == 2
    assert "--ab: git worktree add" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_records_nothing_is_computed_first(inside, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "bench.check.check.golden_now", lambda *_: pytest.fail("computed all the same")
    )
    done = inside("check", "--results", tmp_path / "none")
    assert done.returncode == 2
    assert "no records in" in done.stderr
