"""What the reader chooses changes what is shown, and not what is computed."""

from __future__ import annotations

import pytest

from bench.board.board import boards
from bench.board.output.make_table import table_of
from bench.board.output.view import View
from bench.utils.errors import UserError
from tests.helpers import board_record


@pytest.fixture(scope="module")
def tables():
    made = [
        board_record("a", transfer=0.5, fd_add=9.0, kid_add=0.2),
        board_record("b[width=8]", method="b", transfer=0.4, fd_add=2.0, kid_add=0.1),
        board_record("c", transfer=0.3, fd_add=None),
        board_record("paste", transfer=0.6, fd_add=1.0),
    ]
    other = board_record("a", transfer=0.7)
    other["identity"]["task"] = "hats"
    return [table_of(board) for board in boards([*made, other])]


def labels(table):
    return [row.label for row in table.rows]


def test_by_default_all_rows_and_the_main_columns(tables):
    first, second = View().of(tables)
    assert (labels(first), first.task) == (["a", "b[width=8]", "c", "paste"], "faces")
    assert [column.name for column in first.columns] == ["transfer"]
    assert second.task == "hats"
    (wide, _) = View(wide=True).of(tables)
    assert {column.name for column in wide.columns} == {"transfer", "fd_add", "kid_add"}


def test_rows_keep_their_place(tables):
    found = View(methods=["b", "paste"], tasks=["faces"]).of(tables)
    assert [(row.label, row.place) for row in found[0].rows] == [("b[width=8]", "2"), ("paste", "")]
    assert len(found) == 1


def test_columns_are_in_the_given_order_and_families_are_many(tables):
    view = View(
        metrics=["image_quality", "transfer"], families={"image_quality": ["fd_add", "kid_add"]}
    )
    assert [column.name for column in view.of(tables)[0].columns] == [
        "fd_add",
        "kid_add",
        "transfer",
    ]


def test_sorting_changes_the_order_alone(tables):
    (table, _) = View(sort="fd_add").of(tables)
    assert labels(table) == ["b[width=8]", "a", "c", "paste"]  # without a value last; floors below
    assert [row.place for row in table.rows] == ["2", "1", "3", ""]
    assert [column.name for column in table.columns] == ["transfer", "fd_add"]
    assert table.is_sorted_by == "fd_add"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"metrics": ["fd_ad"]},
            "unknown metric of the leaderboard 'fd_ad'; did you mean 'fd_",
        ),
        ({"sort": "x"}, "unknown metric of the leaderboard 'x'"),
        ({"methods": ["d"]}, "unknown method of the leaderboard 'd'"),
        ({"tasks": ["cats"]}, "unknown task of the leaderboard 'cats'; did you mean 'hats'"),
        ({"tasks": ["hats"], "methods": ["c"]}, "no row of the leaderboard fits"),
        ({"tasks": ["hats"], "metrics": ["kid_add"]}, "no row of the leaderboard fits"),
    ],
)
def test_a_name_that_fits_nothing_is_an_error(tables, wrong, said):
    with pytest.raises(UserError, match=said):
        View(**wrong).of(tables)
