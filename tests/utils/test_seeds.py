"""Seeds on the command line."""

from __future__ import annotations

import pytest

from bench.utils.errors import UserError
from bench.utils.seeds import parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0", (0,)), ("0,1,2", (0, 1, 2)), ("0-3", (0, 1, 2, 3)), ("2,0-2", (2, 0, 1))],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "1-", "3-1", "0,,1"])
def test_seeds_of_another_form(text):
    with pytest.raises(UserError, match="--seeds"):
        parse_seeds(text)
