"""The error for an unknown name."""

from __future__ import annotations

import pytest

from bench.utils.errors import MOST_NAMES, UserError, unknown

NAMES = [f"name_{n:02d}" for n in range(61)]


def test_few_names_are_all_listed_in_order():
    error = unknown("profile", "smal", ["small", "paper", "medium"])
    assert str(error) == (
        "unknown profile 'smal'; did you mean 'small'? (known: medium, paper, small)"
    )


def test_of_many_names_the_nearest_are_listed_with_the_count():
    text = str(unknown("metric", "name_6", NAMES))
    listed = text.partition("known: ")[2].partition(", ... ")[0].split(", ")
    assert len(listed) == len(set(listed)) == MOST_NAMES
    assert "name_60" in listed[:2]
    assert text.endswith("(12 of 61, see `python -m bench list metrics`))")


@pytest.mark.parametrize("given", ["", "x" * 300, "\n"])
def test_a_name_like_no_other_still_gives_one_line_of_a_dozen(given):
    error = unknown("field of mine", given, NAMES)
    assert isinstance(error, UserError)
    assert str(error).count("name_") == MOST_NAMES
    assert str(error).endswith("(12 of 61))")
    assert "\n" not in str(error)
