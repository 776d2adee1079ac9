"""The state table: what is left to do for a cell, by its record and by the policy."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bench.contracts.record import SCHEMA
from bench.plan.plan import Request, make_plan
from bench.records.store import Store
from bench.utils.files.sealed import write_atomically, write_sealed

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
        "settings": {}, "status": "ok", "reason": "", "facts": {},
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


def test_links_stay_and_pipes_get_the_content(tmp_path):
    """What a user names as an output is not put aside for a new file."""
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    got: list[str] = []
    reader.start()
    write_atomically(pipe, "all of it")
    reader.join(10)
    assert got == ["all of it"]
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe", "target"]
