"""The leaderboard as a frame of pandas, and as a notebook shows it."""

from __future__ import annotations

import shutil
from itertools import islice

import pandas as pd
import pytest

import bench
from bench.utils.errors import UserError
from tests.helpers import ODD_NAMES, ROOT, board_record


def made(**more):
    return [
        board_record(label, seed, transfer=value + seed / 100, add_score=0.0, fd_add=9.0) | more
        for label, value in (("a", 0.5), ("b", 0.1), ("paste", 0.6))
        for seed in range(3 if label != "paste" else 1)
    ]


def test_one_row_a_method_and_one_column_a_metric():
    found = bench.leaderboard(made())
    assert list(found["method"]) == ["a", "b", "paste"]
    assert list(found["kind"]) == ["method", "method", "floor"]
    assert list(found["rank"].dropna()) == [1, 2]
    assert list(found["seeds"]) == [3, 3, 1]
    assert found["transfer"].tolist() == pytest.approx([0.51, 0.11, 0.6])
    assert "fd_add" not in found
    assert set(found.long["metric"]) == {"transfer", "add_score", "fd_add"}
    assert type(found[found["transfer"] > 0.2]) is pd.DataFrame


def test_rows_and_columns_are_chosen():
    found = bench.leaderboard(made(), metrics=["fd_add"], methods=["b"], sort="transfer")
    assert list(found["method"]) == ["b"]
    assert list(found["rank"]) == [2]
    assert list(found.columns[-2:]) == ["fd_add", "transfer"]
    with pytest.raises(UserError, match="unknown metric of the leaderboard 'nothing'"):
        bench.leaderboard(made(), metrics=["nothing"])


def test_a_notebook_shows_short_numbers_bold_and_gray():
    shown = bench.leaderboard(made(facts={"guided": False}))._repr_html_()
    assert ">0.510</td>" in shown
    assert ">unguided</td>" in shown
    assert "font-weight: bold" in shown
    assert "color: #888888" in shown
    assert "linear-gradient" in shown


def test_the_view_survives_changes_of_the_frame():
    found = bench.leaderboard(made())
    found["mine"] = [7, 8, 9]
    found.index = [5, 6, 5]
    assert ">8</td>" in found._repr_html_()
    assert ">0.110</td>" in found._repr_html_()
    del found["transfer"]
    assert ">0.110</td>" not in found._repr_html_()


@pytest.mark.parametrize("name", [*ODD_NAMES, "<script>alert(1)</script>"])
def test_names_are_text_in_a_notebook(name):
    record = board_record(name, transfer=0.5)
    record["identity"]["task"] = name
    shown = bench.leaderboard([record])._repr_html_()
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "\x1b" not in shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    (place / "records").mkdir()
    for path in islice(sorted((ROOT / "results" / "claims" / "records").glob("*.json")), 4):
        shutil.copy(path, place / "records")
    return place


def test_records_are_a_tidy_frame(folder):
    rows = bench.load_records(folder)
    assert not rows.duplicated(["id", "metric"]).any()
    assert set(rows["seed"]) == set(range(4)) or len(set(rows["id"])) == 4
    assert rows["value"].dtype == float
    assert (rows["budget"] == 1).all()
    with_curve = bench.load_records(folder, curve=True)
    assert set(with_curve["budget"]) == {1 / 16, 1 / 8, 1 / 4, 1 / 2, 1}
    assert len(with_curve[with_curve["budget"] == 1]) == len(rows)


def test_rows_of_records_make_a_leaderboard(folder):
    rows = bench.load_records(folder)
    whole = bench.leaderboard(folder)
    pd.testing.assert_frame_equal(pd.DataFrame(bench.leaderboard(rows)), pd.DataFrame(whole))
    one = rows["id"].iloc[0]
    few = bench.leaderboard(rows[(rows["id"] == one) & rows["metric"].isin(["transfer", "fd_add"])])
    assert list(few["seeds"]) == [1]
    assert set(few.long["metric"]) == {"transfer", "fd_add"}
    value = rows[(rows["id"] == one) & (rows["metric"] == "transfer")]["value"].item()
    assert few["transfer"].item() == value


def test_another_frame_is_an_error(folder):
    with pytest.raises(UserError, match="the frame has no column 'folder'"):
        bench.leaderboard(pd.DataFrame({"id": [1], "metric": ["x"]}))
    with pytest.raises(UserError, match="the frame has no rows"):
        bench.leaderboard(bench.load_records(folder).head(0))
