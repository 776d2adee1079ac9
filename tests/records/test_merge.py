"""Results folders of several machines become one."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shutil

import pytest

import bench.utils.files.disk
from bench.contracts.protocol import protocol_of
from bench.records.merge import Action, decide
from bench.records.read import read_record
from bench.utils.hashing import hash_of
from tests.check.made_records import check_record
from tests.helpers import ROOT, TINY, rows

COMMITTED = ROOT / "results" / "records"
STEM = next(path.stem for path in COMMITTED.glob("press2019*"))
ANCHOR = next(path.stem for path in COMMITTED.glob("copy-source*"))


def record_of(stem=STEM, **changes):
    record = read_record(COMMITTED / f"{stem}.json")
    return record | changes


def put(folder, *records, stem=STEM):
    """Write records as a results folder would hold them, each with a run folder and a grid."""
    for record in records:
        name = stem if record["id"] == record_of(stem)["id"] else f"other-{record['id'][:8]}"
        for kind in ("records", "grids", "pictures", f"runs/{name}"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / "records" / f"{name}.json").write_text(json.dumps(record))
        (folder / "grids" / f"{name}.png").write_text(f"grid of {folder.name}")
        (folder / "pictures" / f"{name}.png").write_text(f"pictures of {folder.name}")
        (folder / "runs" / name / "artefacts.json").write_text(f"artefacts of {folder.name}")
    return folder


def changed(record, metric, **changes):
    made = copy.deepcopy(record)
    made["metrics"][metric] |= changes
    return made


def without(record, *metrics):
    kept = {name: entry for name, entry in record["metrics"].items() if name not in metrics}
    return record | {"metrics": kept}


def failed(record=None):
    return (record or record_of()) | {"status": "failed", "reason": "out of luck", "metrics": {}}


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


GOOD = record_of()
TABLE = {
    "missing": (None, GOOD, Action.ADD),
    "missing, failed": (None, failed(), Action.ADD),
    "same": (GOOD, GOOD, Action.SKIP),
    "same, later, elsewhere": (
        GOOD,
        GOOD | {"finished": "2030", "timings": {}, "environment": {"torch": "9"}},
        Action.SKIP,
    ),
    "another speed": (GOOD, changed(GOOD, "latency_ms_p50", value=1.0), Action.SKIP),
    "good for failed": (failed(), GOOD, Action.REPLACE),
    "good for lost": (failed() | {"status": "lost"}, GOOD, Action.REPLACE),
    "failed for good": (GOOD, failed(), Action.SKIP),
    "failed for failed": (failed(), failed() | {"reason": "again"}, Action.SKIP),
    "more": (without(GOOD, "fd_add"), GOOD, Action.REPLACE),
    "fewer": (GOOD, without(GOOD, "fd_add"), Action.SKIP),
    "newer": (GOOD, changed(GOOD, "fd_add", version=99, value=3.0), Action.REPLACE),
    "older": (changed(GOOD, "fd_add", version=99, value=3.0), GOOD, Action.SKIP),
    "metric failed there": (changed(GOOD, "fd_add", status="failed", value=None), GOOD, "replace"),
    "each has more": (without(GOOD, "fd_add"), without(GOOD, "cf_rank_add"), Action.UNITE),
    "another value": (GOOD, changed(GOOD, "fd_add", value=3.0), Action.CONFLICT),
    "another interval": (GOOD, changed(GOOD, "fd_add", lo=0.0), Action.CONFLICT),
    "another training": (
        without(GOOD, "fd_add"),
        GOOD | {"facts": GOOD["facts"] | {"losses": {"loss": 1.0}}},
        Action.CONFLICT,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_whole_table(case):
    ours, theirs, expected = TABLE[case]
    before = copy.deepcopy((ours, theirs))
    assert decide(ours, theirs).action == expected
    assert (ours, theirs) == before


def test_cells_of_two_protocols_are_two_cells_and_two_boards(inside, tmp_path):
    other = GOOD["identity"] | {"protocol": protocol_of(GOOD["identity"]) + 1}
    changed_cell = changed(GOOD, "fd_add", value=3.0) | {"identity": other, "id": hash_of(other)}
    one, two = put(tmp_path / "one", GOOD), put(tmp_path / "two", changed_cell)
    into = tmp_path / "all"
    done = inside("merge", one, two, "--into", into)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((into / "records").iterdir())) == 2
    titles = re.findall("^## .*protocol ([0-9]+)$", (into / "leaderboard.md").read_text(), re.M)
    assert sorted(map(int, titles)) == [other["protocol"] - 1, other["protocol"]]


def test_merged_folders_hold_everything_and_sources_are_unchanged(inside, tmp_path):
    one = put(tmp_path / "one", GOOD, failed(record_of(ANCHOR)))
    two = put(tmp_path / "two", record_of(ANCHOR), stem=ANCHOR)
    before = tree(one), tree(two)
    into = tmp_path / "all"
    would = inside("merge", one, two, "--into", into, "--dry-run")
    assert would.returncode == 0
    assert f"would add {STEM} from {one}" in would.stdout
    assert not into.exists()
    done = inside("merge", one, two, "--into", into)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {method for method, _ in rows(into)} == {"press2019", "copy-source"}
    assert rows(into)["copy-source", "cf_rank_add"]["status"] == "ok"
    assert (into / "runs" / STEM / "artefacts.json").read_text() == "artefacts of one"
    assert (tree(one), tree(two)) == before
    held = tree(into)
    again = inside("merge", two, one, "--into", into)
    assert again.returncode == 0
    assert tree(into) == held


def test_two_machines_make_the_same_as_one(inside, tmp_path):
    arguments = (
        "run",
        "--methods",
        "autoencoder,copy-source",
        *TINY,
        "--metrics",
        "counterfactual",
    )
    for index in (1, 2):
        done = inside(*arguments, "--shard", f"{index}/2", "--results", tmp_path / f"s{index}")
        assert done.returncode == 0, done.stdout + done.stderr
    done = inside("merge", tmp_path / "s1", tmp_path / "s2", "--into", tmp_path / "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert inside(*arguments, "--results", tmp_path / "one").returncode == 0
    assert rows(tmp_path / "all") == rows(tmp_path / "one")
    # what was merged can be scored: its artefacts came along
    more = inside("score", "--metrics", "rec_l1_a", "--results", tmp_path / "all")
    assert more.returncode == 0, more.stdout + more.stderr
    assert rows(tmp_path / "all")["autoencoder", "rec_l1_a"]["status"] == "ok"
    # and the one machine's folder agrees with both
    assert inside("merge", tmp_path / "one", "--into", tmp_path / "all").returncode == 0


def test_a_conflict_is_listed_and_changes_nothing(inside, tmp_path):
    value = GOOD["metrics"]["fd_add"]["value"]
    into = put(tmp_path / "all", GOOD)
    other = put(tmp_path / "other", changed(GOOD, "fd_add", value=value + 1e-9))
    put(other, record_of(ANCHOR), stem=ANCHOR)
    held = (into / "records" / f"{STEM}.json").read_bytes()
    for dry in (("--dry-run",), ()):
        done = inside("merge", other, "--into", into, *dry)
        assert done.returncode == 4
        (line,) = [x for x in done.stdout.splitlines() if x.startswith("conflict: ")]
        for part in (STEM, "fd_add", str(value), str(value + 1e-9), str(into), str(other)):
            assert part in line
    assert (into / "records" / f"{STEM}.json").read_bytes() == held
    assert (into / "runs" / STEM / "artefacts.json").read_text() == "artefacts of all"
    assert (into / "records" / f"{ANCHOR}.json").exists()  # the others are merged


def test_sources_that_disagree_are_named_both(inside, tmp_path):
    one = put(tmp_path / "one", GOOD)
    two = put(tmp_path / "two", changed(GOOD, "fd_add", value=1.0))
    done = inside("merge", one, two, "--into", tmp_path / "all")
    assert done.returncode == 4
    assert f"in {one} and 1.0" in done.stdout
    assert rows(tmp_path / "all")["press2019", "fd_add"]["value"] != "1.0"


def test_records_that_have_each_what_the_other_lacks_become_one(inside, tmp_path):
    into = put(tmp_path / "all", without(GOOD, "fd_add"))
    other = put(tmp_path / "other", without(GOOD, "cf_rank_add"))
    assert inside("merge", other, "--into", into).returncode == 0
    record = read_record(into / "records" / f"{STEM}.json")
    assert record["metrics"] == GOOD["metrics"]
    assert (into / "runs" / STEM / "artefacts.json").read_text() == "artefacts of all"


@pytest.mark.parametrize("harm", ["truncate", "text", "id"])
def test_damaged_records_are_named_and_left_out(harm, inside, tmp_path):
    one = put(tmp_path / "one", GOOD)
    put(one, record_of(ANCHOR), stem=ANCHOR)
    victim = one / "records" / f"{STEM}.json"
    text = victim.read_text()
    harmed = json.dumps(GOOD | {"identity": GOOD["identity"] | {"seed": 7}})
    victim.write_text({"truncate": text[:500], "text": "x", "id": harmed}[harm])
    done = inside("merge", one, "--into", tmp_path / "all")
    assert done.returncode == 3
    assert f"record {victim} is left out" in done.stdout
    assert [p.stem for p in (tmp_path / "all" / "records").iterdir()] == [ANCHOR]
    two = put(tmp_path / "two", GOOD)  # a good one takes the place of a damaged one
    shutil.copy(victim, tmp_path / "all" / "records")
    assert inside("merge", two, "--into", tmp_path / "all").returncode == 0
    assert read_record(tmp_path / "all" / "records" / f"{STEM}.json") == GOOD


@pytest.mark.parametrize("seed", range(12))
def test_a_merge_that_was_interrupted_can_be_run_again(seed, inside, tmp_path, monkeypatch):
    """Stop at any rename: every record that is there is whole, and the next merge ends the work."""
    one = put(tmp_path / "one", GOOD)
    put(one, record_of(ANCHOR), stem=ANCHOR)
    into = put(tmp_path / "all", failed())
    left = random.Random(seed).randrange(1, 7)
    replace = os.replace

    def cut(here, there):
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(28, "No space left on device")
        replace(here, there)

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", cut)
        first = inside("merge", one, "--into", into)
    if first.returncode:
        assert first.returncode == 2
        assert len(first.stderr.strip().splitlines()) == 1
        assert "No space left on device" in first.stderr
    for path in (into / "records").glob("*.json"):
        assert isinstance(read_record(path), dict)
    assert not list(into.rglob("*.tmp"))
    assert inside("merge", one, "--into", into).returncode == 0
    assert {p.stem for p in (into / "records").iterdir()} == {STEM, ANCHOR}
    assert read_record(into / "records" / f"{STEM}.json") == GOOD
    assert (into / "runs" / STEM / "artefacts.json").read_text() == "artefacts of one"


def test_wrong_use_of_merge_is_one_line(inside, tmp_path):
    good = put(tmp_path / "one", GOOD)
    (tmp_path / "empty").mkdir()
    file = tmp_path / "file"
    file.write_text("")
    cases = {
        (tmp_path / "nowhere",): "no such folder",
        (good, tmp_path / "empty"): "it has no records",
        (file,): "is a file",
        (good, "--into", good): "into itself",
        (good, "--into", file): "is a file",
    }
    for arguments, expected in cases.items():
        into = () if "--into" in arguments else ("--into", tmp_path / "all")
        done = inside("merge", *arguments, *into)
        assert done.returncode == 2, arguments
        assert len(done.stderr.strip().splitlines()) == 1
        assert expected in done.stderr
        assert not (tmp_path / "all").exists()


def test_too_little_disk_is_said_before_anything_is_copied(inside, tmp_path, monkeypatch):
    monkeypatch.setattr(bench.utils.files.disk, "RESERVE_MB", 1e12)
    done = inside("merge", put(tmp_path / "one", GOOD), "--into", tmp_path / "all")
    assert done.returncode == 2
    assert "too little disk" in done.stderr
    assert not (tmp_path / "all").exists()


def test_numbers_of_two_codes_never_become_one_record():
    """case 3, sibling: a merge that would unite them."""
    ours, theirs = check_record(), check_record()
    del ours["metrics"]["fd_add"], theirs["metrics"]["z1_domain_acc"]
    assert decide(ours, theirs).action == "unite"
    theirs["sources"] = {"mine": "other"}
    verdict = decide(ours, theirs)
    assert verdict.action == "conflict"
    assert [vars(one) for one in verdict.differences] == [
        {"what": "the source of mine", "ours": "s", "theirs": "other"}
    ]


def test_an_anchor_with_weights_of_two_codes_is_a_conflict():
    """Its source is that of the method whose weights it uses."""
    ours, theirs = check_record("oracle-decoder"), check_record("oracle-decoder")
    del ours["metrics"]["fd_add"], theirs["metrics"]["z1_domain_acc"]
    ours["sources"], theirs["sources"] = {"autoencoder": "s"}, {"autoencoder": "other"}
    verdict = decide(ours, theirs)
    assert verdict.action == "conflict"
    assert [vars(one) for one in verdict.differences] == [
        {"what": "the source of autoencoder", "ours": "s", "theirs": "other"}
    ]
