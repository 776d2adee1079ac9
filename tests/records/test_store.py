"""What the results folder holds, and what is left to do for a cell."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.check import baseline as baselines
from bench.contracts.record import SCHEMA
from bench.plan.plan import Request, make_plan
from bench.records.store import Store
from bench.utils.files.sealed import write_sealed
from tests.check.made_records import check_record, edit_baseline
from tests.helpers import ROOT

WANTED = {"one": 1, "two": 3}
TABLE = {  # state: (resume, retry, fresh)
    "no record": ("run", "run", "run"),
    "damaged": ("run", "run", "run"),
    "of another cell": ("run", "run", "run"),
    "of another schema": ("run", "run", "run"),
    "failed": ("nothing", "run", "run"),
    "lost": ("nothing", "run", "run"),
    "ok": ("nothing", "nothing", "run"),
    "ok, more than is wanted": ("nothing", "nothing", "run"),
    "ok, a metric is missing": ("score", "score", "run"),
    "ok, a metric is outdated": ("score", "score", "run"),
    "ok, a metric failed": ("nothing", "score", "run"),
    "ok, a metric does not apply": ("nothing", "nothing", "run"),
}


@pytest.fixture(scope="module")
def cell():
    return make_plan(Request(("copy-source",))).cells[0]


def entry(version, status="ok"):
    numbers = {"value": 0.5, "lo": None, "hi": None, "n": 1, "version": version}
    texts = dict.fromkeys(("reason", "extractor", "unit", "better", "meaning"), "")
    return numbers | texts | {"status": status}


def record(cell, state):
    made = {
        "schema": SCHEMA, "id": cell.id, "label": cell.label, "identity": cell.identity,
        "settings": {}, "status": "ok", "reason": "", "facts": {}, "curve": [],
        "configuration": "", "study": "",
        "metrics": {"one": entry(1), "two": entry(3)},
        "timings": {}, "sources": {}, "environment": {}, "finished": "2026-11-24",
    }  # fmt: skip
    if state in ("failed", "lost"):
        made |= {"status": state, "reason": "out of luck"}
    changes = {
        "of another cell": {"id": "0" * 16},
        "of another schema": {"schema": SCHEMA + 1},
        "ok, more than is wanted": {"metrics": made["metrics"] | {"three": entry(9)}},
        "ok, a metric is missing": {"metrics": {"one": entry(1)}},
        "ok, a metric is outdated": {"metrics": {"one": entry(1), "two": entry(2)}},
        "ok, a metric failed": {"metrics": {"one": entry(1), "two": entry(3, "failed")}},
        "ok, a metric does not apply": {
            "metrics": {"one": entry(1), "two": entry(3, "not_applicable")}
        },
    }
    return made | changes.get(state, {})


@pytest.mark.parametrize("state", TABLE)
def test_what_is_left_to_do(state, cell, tmp_path):
    store = Store(tmp_path)
    path = store.record_path(cell)
    if state != "no record":
        write_sealed(path, record(cell, state))
    if state == "damaged":
        path.write_text(path.read_text()[:100])
    todo = tuple(store.todo(cell, WANTED, policy) for policy in ("resume", "retry", "fresh"))
    assert todo == TABLE[state]


def test_a_record_that_another_run_replaced_is_read_again(cell, tmp_path):
    store = Store(tmp_path)
    path = store.record_path(cell)
    write_sealed(path, record(cell, "failed"))
    assert store.record(path)["status"] == "failed"
    assert store.record(path) is store.record(path)
    stamp = path.stat()
    write_sealed(path, record(cell, "ok"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert store.record(path)["status"] == "ok"
    Path.unlink(path)
    assert store.todo(cell, WANTED, "resume") == "run"


def test_a_copy_of_a_record_counts_once(tmp_path):
    """case 3, sibling: `cp record.json 'record (1).json'`, and a cell under two names."""
    place = tmp_path / "records"
    for name, finished in (("a", "2026"), ("b", "2027"), ("c", "2025")):
        write_sealed(place / f"{name}.json", check_record() | {"finished": finished})
    good, left_out = Store(tmp_path).records()
    assert [one["finished"] for one in good] == ["2027"]
    assert [one.path.name for one in left_out] == ["a.json", "c.json"]
    assert "b.json is of the same cell" in str(left_out[0])


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("identity", "config"), [], "identity.config: expected an object, got list"),
        (("identity", "numbers", "size"), "32", "identity.numbers.size: expected a whole number"),
        (("metrics", "fd_add", "detail"), 3, "metrics.fd_add.detail: expected an object, got 3"),
        (("metrics", "fd_add", "n"), None, "metrics.fd_add.n: expected a whole number"),
        (
            ("metrics", "fd_add", "status"),
            "fine",
            'metrics.fd_add.status: expected "ok", "not_applicable", "unavailable" or',
        ),
        (("metrics", "fd_add", "value"), None, "metrics.fd_add.value: expected a number, got null"),
        (("environment",), None, "environment: expected an object, got null"),
        (("facts", "scoring"), {"f": {}}, "facts.scoring.f is without cpu_seconds, numbers"),
        (("timings", "train"), "1 s", 'timings.train: expected a number, got "1 s"'),
    ],
)
def test_an_edited_record_is_left_out_and_says_why(where, value, said, tmp_path):
    """case 32, records: what is used later is looked at when they are read."""
    (tmp_path / "records").mkdir()
    path = tmp_path / "records" / "r.json"
    path.write_text(json.dumps(edit_baseline(check_record(), *where, to=value)))
    (good, (damaged,)) = Store(tmp_path).records()
    assert good == []
    assert said in str(damaged)
    path.write_text("[" * 100_000)
    assert "too deep" in str(Store(tmp_path).records()[1][0])


def test_committed_records_and_baselines_are_whole():
    """What is read anew is not refused: the records and baselines that come with the suite."""
    results = ROOT / "results"
    good, damaged = Store(results).records()
    assert (len(good) > 10, damaged) == (True, [])
    assert baselines.read(results / "baselines" / "smoke.json")["rows"]


def test_a_record_is_told_that_its_configuration_won_a_study(tmp_path, cell):
    store = Store(tmp_path)
    assert not store.renew_origin(cell), "there is no record"
    path = store.record_path(cell)
    write_sealed(path, record(cell, "ok"))
    assert not store.renew_origin(cell), "nothing has changed"
    won = replace(cell, configuration="both", study="faces-small")
    assert won.id == cell.id
    assert store.renew_origin(won)
    assert not store.renew_origin(won)
    found = store.record(path)
    assert found == record(cell, "ok") | {"configuration": "both", "study": "faces-small"}
    assert store.todo(won, WANTED, "resume") == "nothing"
    with store.claim(cell):
        assert not store.renew_origin(cell), "another run works on it"
