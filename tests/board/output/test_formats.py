"""Further formats of the leaderboard hold the rows of the CSV."""

from __future__ import annotations

import json

import pytest

from bench.board.board import boards
from bench.board.output import formats
from bench.board.output.formats import FORMATS, content_of
from bench.board.output.make_table import table_of
from bench.board.output.view import View
from bench.utils.errors import UserError
from tests.helpers import board_record

MADE = [
    board_record("=1+1", transfer=-0.5, fd_add=2.0),
    board_record("<script>alert(1)</script>", transfer=0.4, fd_add=None),
]
MADE[0]["metrics"]["transfer"]["detail"] = {"parts": {"A": 0.5}}


def written(name, **view):
    tables = [table_of(board) for board in boards(MADE)]
    return content_of([name], MADE, tables, View(**view))[FORMATS[name]]


def test_json_has_all_rows_with_numbers_null_and_details():
    rows = json.loads(written("json"))
    assert len(rows) == 4
    by_key = {(row["method"], row["metric"]): row for row in rows}
    assert by_key["=1+1", "transfer"]["value"] == -0.5
    assert by_key["=1+1", "transfer"]["detail"] == {"parts": {"A": 0.5}}
    assert by_key["<script>alert(1)</script>", "fd_add"]["value"] is None
    assert by_key["<script>alert(1)</script>", "fd_add"]["reason"] == "it broke"


def test_what_is_chosen_is_written():
    (row,) = json.loads(written("json", metrics=["fd_add"], methods=["=1+1"]))
    assert (row["method"], row["metric"]) == ("=1+1", "fd_add")
    assert "=1+1 & 2 & 2.00 " in written("latex", metrics=["fd_add"], methods=["=1+1"]).decode()


def test_parquet_has_the_same_rows(tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    path = tmp_path / "board.parquet"
    path.write_bytes(written("parquet"))
    found = pd.read_parquet(path)
    assert found["value"].dtype == float
    assert sorted(found["method"].unique()) == ["<script>alert(1)</script>", "=1+1"]


def test_without_pyarrow_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs pyarrow: `pip install 'contentbench\[parquet\]'`"):
        written("parquet")
