"""The comparison with other libraries runs, and would notice a wrong value; so does the grid."""

from __future__ import annotations

import pytest

from bench.board.board import boards
from bench.records.store import Store
from tests.benchmarks import harness, report
from tests.benchmarks import metrics as comparison

TINY = ["--n", "60", "--features", "8", "--rounds"]


def test_values_are_those_of_torch_fidelity(capsys):
    assert comparison.main([*TINY, "0"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| set")]
    assert len(lines) == 5
    assert all(line.count("equal") >= 2 for line in lines)


@pytest.mark.parametrize("name", ["frechet", "kid"])
def test_a_wrong_value_is_an_error(name, monkeypatch, capsys):
    right = getattr(comparison.d, name)

    def off(*given, **options):
        found = right(*given, **options)
        return found._replace(value=found.value * (1 + 1e-4))

    monkeypatch.setattr(comparison.d, name, off)
    assert comparison.main([*TINY, "0"]) == 1
    assert "NOT EQUAL: set 0" in capsys.readouterr().err


def test_a_wrong_share_is_held_against_brute_force(monkeypatch, capsys):
    right = comparison.d.neighbourhood

    def off(*given, **options):
        found = right(*given, **options)
        wrong = found["recall"].value - 1 / 60
        return found | {"recall": found["recall"]._replace(value=wrong)}

    monkeypatch.setattr(comparison.d, "neighbourhood", off)
    assert comparison.main([*TINY, "0"]) == 1
    assert "recall" in capsys.readouterr().err


def test_tables_are_made_and_a_missing_peer_is_said(monkeypatch, capsys):
    monkeypatch.setattr(comparison, "PEERS", {"no-such-library": ("no_such_module",)})
    assert comparison.main([*TINY, "1"]) == 0
    said = capsys.readouterr().out
    assert "no-such-library: not importable (ModuleNotFoundError" in said
    assert "| torch-fidelity, whole KID: FID, KID, precision, recall |" in said


@pytest.mark.slow
def test_the_harness_skips_what_is_finished(capsys):
    harness.main(["grid", "--cells", "1,3"])
    assert [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines()[2:]] == [
        "1", "3",
    ]  # fmt: skip


def test_made_records_are_of_as_many_rows_and_boards_as_asked(tmp_path):
    assert report.make_records(tmp_path, methods=13, tasks=2, seeds=2) == 52
    records, damaged = Store(tmp_path).records()
    assert (len(records), damaged) == (52, [])
    made = boards(records)
    assert [len(board.methods) for board in made] == [13, 13]
    assert all(len(board.values("transfer")) == 13 for board in made)


def test_a_report_of_made_records_is_timed(capsys, monkeypatch):
    monkeypatch.setitem(report.DESIGNS, 4, (2, 1, 2))
    report.main(["--records", "4"])
    rows = [line.split("|")[1:4] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["4", "2, 1, 2", "report"], ["4", "2, 1, 2", "leaderboard"],
    ]  # fmt: skip
