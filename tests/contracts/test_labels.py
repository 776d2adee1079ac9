"""Labels tell configurations apart."""

from __future__ import annotations

from bench.board.frame import frame
from bench.cli.options import names_in
from bench.contracts.labels import brackets, quoted
from tests.helpers import board_record


def test_labels_that_were_short_stay_and_others_say_all():
    """case 12: numbers that `%g` holds are written as ever, all others in full."""
    assert brackets({"learning_rate": 0.001, "budget": 1e-05, "sep": 30, "big": 1e22}) == (
        "[big=1e+22,budget=1e-05,learning_rate=0.001,sep=30]"
    )
    assert brackets({"x": 0.00123456789}) == "[x=0.00123456789]"
    assert brackets({"x": 1 / 3}) != brackets({"x": 0.333333})
    assert brackets({"x": "l1", "y": True, "z": None}) == "[x=l1,y=True,z=None]"
    assert brackets({"x": "32,64"}) == '[x="32,64"]'
    assert brackets({"x": 'a"]b=\n'}) == '[x="a\\"]b=\\n"]'
    assert quoted("") == '""'
    assert brackets({}) == ""


def test_a_label_is_one_name_among_others():
    """case 12, sibling: what `--methods` of `score` and `baseline` is given."""
    label = "mine" + brackets({"layers": "32,64] [x", "rate": 0.5, "word": 'a "b", c'})
    assert names_in([f"one,{label} two", label]) == ("one", label, "two", label)
    assert names_in(["a,b  c\nd", "[x", "y]"]) == ("a", "b", "c", "d", "[x", "y]")


def test_unlike_configurations_never_share_a_row():
    """case 12, sibling: values that look the same, and fields named as parts of an identity."""
    one, other = board_record(fd_add=1.0), board_record(seed=1, fd_add=2.0)
    one["identity"]["config"], other["identity"]["config"] = {"x": 1}, {"x": "1"}
    assert len(set(frame([one, other])["method"])) == 2
    one["identity"]["config"], other["identity"]["config"] = {"size": 1}, {"size": 2}
    assert set(frame([one, other])["method"]) == {"m{config.size=1}", "m{config.size=2}"}
    one["identity"]["config"], other["identity"]["config"] = {"source": 1}, {"source": 2}
    assert set(frame([one, other])["method"]) == {"m{config.source=1}", "m{config.source=2}"}
