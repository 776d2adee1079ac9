"""Baselines: what they keep, and which files are refused."""

from __future__ import annotations

import json
import re

import pytest

from bench.check import baseline as baselines
from bench.contracts.protocol import PROTOCOL
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed
from tests.check.made_records import (
    METHOD_ROW,
    changed_record,
    check_record,
    check_records,
    edit_baseline,
)
from tests.helpers import ROOT

EDITS = {
    "null value": (("rows", 2, "metrics", "fd_add", "values", 0), None, "fd_add.values: expected"),
    "cpu time 0": (("rows", 2, "cpu_seconds", 0), 0, "cpu_seconds[0]: expected a number above 0"),
    "infinity": (("rows", 2, "metrics", "fd_add", "values", 0), float("nan"), "NaN is no number"),
    "huge": (("rows", 2, "metrics", "fd_add", "values", 0), 10**400, "is no number"),
    "a text": (("rows", 2, "metrics", "fd_add", "values", 0), "20", 'expected a number, got "20"'),
    "a truth": (("rows", 2, "metrics", "fd_add", "values", 0), True, "expected a number, got true"),
    "a seed less": (("rows", 2, "seeds"), [0, 1, 2], "10 values, expected one for each of 3 seeds"),
    "a seed twice": (("rows", 2, "seeds"), [0] * 10, "a seed stands there twice"),
    "rows are none": (("rows",), None, "rows: expected a list, got null"),
    "a claim of nothing": (("claims", "faces", "x"), 0, "claims.faces.x: expected a number above"),
    "another task": (("rows", 2, "task"), "other", "rows[2].task: not the task of its identity"),
    "golden": (("golden",), {"pixels": "p"}, "golden is without metrics, rows, training"),
    "an option": (("rows", 2, "options"), {"a": 7}, "rows[2].options.a: expected a text, got 7"),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_baseline_is_refused_in_one_line(case, checked):
    """case 32, without a seal."""
    check, path = checked
    where, value, said = EDITS[case]
    path.write_text(json.dumps(edit_baseline(read_sealed(path), *where, to=value)))
    done = check()
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"error: baseline {path} cannot be used: ")
    assert said in done.stderr


def test_a_baseline_holds_records_of_todays_protocol_only():
    old, new = changed_record("protocol")[0][:3], check_records()
    made = baselines.make([*old, *new], "smoke", "first", None, "now")
    assert made["rows"] == baselines.make(new, "smoke", "first", None, "now")["rows"]
    with pytest.raises(UserError, match=f"none; 3 of other protocols than {PROTOCOL}"):
        baselines.make(old, "smoke", "first", None, "now")


def keys_of(baseline):
    """Return the path of every key of a baseline's top, first row and first metric."""
    row = baseline["rows"][2]
    yield from ((key,) for key in baseline if key != "schema")
    yield from ((*METHOD_ROW, key) for key in row if key != "mixed" and key != "options")
    yield from ((*METHOD_ROW, "identity", key) for key in row["identity"] if key != "protocol")
    yield from ((*METHOD_ROW, "metrics", "fd_add", key) for key in row["metrics"]["fd_add"])


def test_a_missing_key_is_named(checked):
    """case 32: each key in turn."""
    check, path = checked
    whole_one = read_sealed(path)
    for where in keys_of(whole_one):
        path.write_text(json.dumps(edit_baseline(whole_one, *where, drop=True)))
        done = check()
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), (where, done.stderr)
        assert f"without {where[-1]}" in done.stderr or "expected" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[0].update(status="failed", reason="diverged"), "seed 0 failed: diverged"),
        (
            lambda r: r.append(check_record("other", seed=0)),
            "other on faces has no record of seed 1",
        ),
        (lambda r: r[1].update(sources={"mine": "new"}), "different code made its seeds"),
        (lambda r: r[0]["metrics"].pop("fd_add"), "fd_add failed: some seeds have no such number"),
        (lambda r: r.clear(), "no record of profile 'smoke'"),
        (
            lambda r: r[0].update(identity=r[0]["identity"] | {"precision": "bf16"}),
            "under 2 conditions",
        ),
    ],
)
def test_a_baseline_of_what_is_not_whole_is_refused(change, message):
    records = check_records()
    change(records)
    with pytest.raises(UserError, match=re.escape(message)):
        baselines.make(records, "smoke", "why", None, "now")


def test_a_baseline_keeps_its_reasons_and_shows_what_changes(base, tmp_path):
    path = tmp_path / "deep" / "b.json"
    baselines.write(path, base, None)
    old = baselines.read(path)
    new = baselines.make(check_records(fd_add=30.0), "smoke", "second", None, "later")
    baselines.write(path, new, old)
    assert [update["reason"] for update in baselines.read(path)["updates"]] == ["second", "first"]
    ((row, name, _, after, spreads),) = baselines.changes(old, new)
    assert (row, name, after) == ("mine on faces", "fd_add", "30")
    assert float(spreads) > 5
    path.write_text(path.read_text().replace("0.8", "0.9", 1))
    with pytest.raises(UserError, match="not what was written"):
        baselines.read(path)


@pytest.mark.parametrize(("name", "said"), [("docs", "Is a directory"), ("README.md", "not JSON")])
def test_what_is_no_baseline_is_said_in_words(name, said, inside):
    done = inside("check", ROOT / name)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Errno" not in done.stderr
