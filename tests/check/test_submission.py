"""`submit-check`: each wrong in a record is found by its name, and a good submission passes."""

from __future__ import annotations

import copy
import json
import shutil

import pytest

from bench.check.findings import Verdict
from bench.check.submission import CHECKS, Submission, findings_of
from bench.contracts.cell import IMAGES_HASH
from bench.contracts.registry import Registry
from bench.records.store import Store
from bench.utils.files.sealed import read_sealed, write_sealed
from tests.helpers import ROOT

COMMITTED = {record["id"]: record for record in Store(ROOT / "results").records()[0]}
REGISTRY = Registry()


def of(label):
    (found,) = [
        record
        for record in COMMITTED.values()
        if record["label"] == label
        and record["identity"]["task"] == "avatars-glasses"
        and record["configuration"] != "published"
    ]
    return copy.deepcopy(found)


def found_in(record, known=COMMITTED):
    """Return the verdict and the words of each check that a record does not pass."""
    findings = findings_of(Submission([record], dict(known), REGISTRY))
    return {f.number: (f.verdict, f.said) for f in findings if f.verdict is not Verdict.PASS}


@pytest.mark.parametrize("label", ["ufdn", "press2019", "paste", "oracle-decoder", "munit"])
def test_a_committed_record_passes(label):
    assert found_in(of(label)) == {}


def wrong_protocol(record):
    record["identity"]["protocol"] = 1


def failed(record):
    record["status"], record["reason"] = "failed", "it broke"


def without_processor(record):
    del record["environment"]["cpu"]


def of_other_code(record):
    record["sources"]["ufdn"] = "0" * 16


def without_code(record):
    del record["sources"]["ufdn"]


def of_an_old_metric(record):
    record["metrics"]["transfer"]["version"] -= 1


def of_other_images(record):
    record["identity"]["fingerprint"] = "0" * 16


def with_a_changed_value(record):
    record["identity"]["config"]["width"] = 8


def with_a_larger_budget(record):
    record["identity"]["numbers"]["budget_tflops"] = 20


def with_more_steps(record):
    record["facts"]["steps"] += 1


def with_better_numbers(record):
    record["metrics"]["transfer"]["value"] += 0.2


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (wrong_protocol, "protocol", "protocol 1, expected"),
        (failed, "success", "the cell failed: it broke"),
        (without_processor, "provenance", "lacks cpu"),
        (of_other_code, "source", "the code of ufdn is another one here"),
        (without_code, "source", "the code of ufdn is another one here"),
        (of_an_old_metric, "versions", r"1 numbers of another version (transfer)"),
        (of_other_images, "images", "are not those of this version"),
        (with_a_changed_value, "tuning", "ufdn.width=8 differ from the winner of a study"),
        (with_a_larger_budget, "tuning", "profile.budget_tflops=20"),
        (with_more_steps, "budget", "and the budget pays for"),
        (with_better_numbers, "collision", "the board has this cell with other numbers: transfer"),
    ],
)
def test_each_wrong_has_its_name(change, check, said):
    record = of("ufdn")
    change(record)
    verdict, words = found_in(record)[check]
    assert verdict is Verdict.FAILED
    assert said in words


def test_an_anchor_with_other_numbers_is_found():
    record = of("paste")
    record["metrics"]["transfer"]["value"] += 0.1
    assert found_in(record)["anchor"][1].startswith("transfer is 0.5")


def test_a_method_that_is_not_here_needs_its_file():
    record = of("ufdn")
    record["identity"]["method"] = record["label"] = "mine"
    assert "method mine is unknown here: give its file" in found_in(record)["source"][1]


def test_remarks_do_not_fail():
    record = of("ufdn")
    record["environment"] |= {"commit": "abc-dirty", "cpu": "another"}
    record["identity"]["seed"] = 4
    record["metrics"]["transfer"]["value"] += 0.2
    verdicts = found_in(record)
    assert verdicts.keys() == {"provenance", "collision", "seeds"}
    assert {verdict for verdict, _ in verdicts.values()} == {Verdict.INCONCLUSIVE}


def test_a_model_from_elsewhere_is_a_remark():
    record = of("ufdn")
    record["identity"] |= {"method": "mine", "config": {IMAGES_HASH: "0"}}
    record["id"] = "0" * 16
    assert found_in(record)["source"][0] is Verdict.INCONCLUSIVE


def test_a_board_without_floors_is_found():
    verdict, words = found_in(of("ufdn"), known={})["anchors"]
    assert verdict is Verdict.FAILED
    assert "the floors and ceilings copy-guide, copy-source, ground-truth" in words


@pytest.fixture
def folder(tmp_path):
    kept = [f"{name}-avatars-glasses-small" for name in ("ufdn", "paste", "ground-truth")]
    (tmp_path / "records").mkdir()
    for path in (ROOT / "results" / "records").iterdir():
        record = read_sealed(path)
        if path.name.startswith(tuple(kept)) and record["configuration"] != "published":
            shutil.copy(path, tmp_path / "records")
    return tmp_path


def test_the_command_passes_what_is_good(folder, inside):
    done = inside("submit-check", folder)
    assert done.returncode == 0, done.stdout
    assert "submit-check of 3 records: " in done.stdout
    assert "failed" not in done.stdout


def test_a_broken_seal_and_a_missing_one_are_found(folder, inside):
    first, second, _ = sorted((folder / "records").iterdir())
    first.write_text(first.read_text().replace('"value": 0', '"value": 1', 1))
    record = json.loads(second.read_text())
    del record["seal"]
    second.write_text(json.dumps(record))
    done = inside("submit-check", folder)
    assert done.returncode == 1
    assert "its content is not what was written" in done.stdout
    assert "it has no seal" in done.stdout


def test_equal_findings_are_one_row(folder, inside):
    for path in (folder / "records").iterdir():
        record = read_sealed(path)
        del record["environment"]["torch"]
        write_sealed(path, record)
    done = inside("submit-check", folder)
    assert done.stdout.count("its environment lacks torch") == 1
    assert "and 2 more" in done.stdout


@pytest.mark.parametrize("words", [("nothing",), ("",)])
def test_a_folder_without_records_is_wrong_use(words, inside):
    done = inside("submit-check", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_the_page_has_every_check():
    page = (ROOT / "docs" / "submitting.md").read_text()
    assert all(f"| `{name}` |" in page for name in (*CHECKS, "seal", "anchors", "seeds"))
