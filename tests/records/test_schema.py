"""What a value of a record may be, and the one line that says what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.contracts.record import MetricEntry, Number, Numbers, Record
from bench.records.read import read_record
from bench.records.schema import error_in, error_in_metric, error_in_record

DATA = Path(__file__).parent / "data"

SIZES = dict.fromkeys(("size", "train_images", "probe_images", "test_images"), 8)
ENTRY = {
    "value": 0.5, "lo": None, "hi": None, "n": 1, "version": 1, "status": "ok",
    **dict.fromkeys(("reason", "extractor", "unit", "better", "meaning"), ""),
}  # fmt: skip


@pytest.mark.parametrize("value", [0, -1, 0.5, 10**300, -1e308, 5e-324])
def test_a_number_is_finite(value):
    assert error_in(Number, value) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ("1", '"1"'),
        (None, "null"),
        ([1], "list"),
        ({}, "dict"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (-float("inf"), "-Infinity"),
        (10**400, "1000000000000000000000000000000000000000..."),
    ],
)
def test_what_is_no_number_is_refused_in_one_line(value, text):
    assert error_in(Number, value) == f"it: expected a number, got {text}"
    entry = {**ENTRY, "hi": value}
    expected = "" if value is None else f"fd_add.hi: expected a number, got {text}"
    assert error_in_metric(entry, "fd_add") == expected


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({}, ""),
        ({"budget_tflops": "published"}, ""),
        ({"budget_tflops": 0.5, "other": object()}, ""),
        ({"budget_tflops": 0}, 'x.budget_tflops: expected a number above 0 or "published", got 0'),
        ({"budget_tflops": "no"}, 'x.budget_tflops: expected a number or "published", got "no"'),
        ({"size": 8.0}, "x.size: expected a whole number, got 8.0"),
        ({"size": True}, "x.size: expected a whole number, got true"),
        ({"size": 0}, "x.size: expected a number above 0, got 0"),
        ({"probes": ["a", 3]}, "x.probes[1]: expected a text, got 3"),
        ({"probes": ("a",)}, 'x.probes: expected a list, got ["a"]'),
    ],
)
def test_a_line_names_the_place_what_is_expected_and_what_is_there(numbers, said):
    assert error_in(Numbers, SIZES | numbers, "x") == said


def test_missing_keys_are_named_together():
    assert error_in(Numbers, {"size": 8}, "x") == (
        "x is without probe_images, test_images, train_images"
    )
    assert error_in(Record, []) == "it: expected an object, got list"
    assert error_in(MetricEntry, {}, "m").startswith("m is without better, extractor, hi")


def test_texts_may_hold_names_of_files_that_are_not_unicode():
    record = read_record(DATA / "schema2" / "autoencoder-set.json")
    record["environment"]["options"] = {"a": "/images/\udcff"}
    assert error_in_record(record) == ""
    record["environment"]["options"] = {"split": "none"}
    assert error_in_record(record).startswith('environment.options.split: expected "hash"')


def test_a_metric_that_is_ok_has_a_value():
    record = read_record(DATA / "schema2" / "autoencoder-set.json")
    record["metrics"]["rec_l1_a"]["value"] = None
    assert error_in_record(record) == "metrics.rec_l1_a.value: expected a number, got null"
    record["metrics"]["rec_l1_a"]["status"] = "failed"
    assert error_in_record(record) == ""


def test_pydantic_is_imported_at_the_first_check_and_not_before():
    code = (
        "import sys\nimport bench.check.baseline, bench.cli.main, bench.records.store\n"
        "assert 'pydantic' not in sys.modules, 'pydantic was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
