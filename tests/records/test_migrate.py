"""Records of each version of the contract are read, and brought up to that of today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.check import baseline as baselines
from bench.check.baseline_schema import SCHEMA as BASELINE_SCHEMA
from bench.contracts.record import SCHEMA
from bench.records.migrate import _STEPS, migrated, settings_of_names
from bench.records.read import Damaged, cell_of, read_record
from bench.records.store import Store
from bench.utils.files.sealed import read_sealed, write_sealed
from tests.helpers import ROOT

DATA = Path(__file__).parent / "data"
BASELINE = ROOT / "tests" / "check" / "data" / "baseline-schema1.json"
CHOSEN = {
    "autoencoder.learning_rate": 0.00123456789,
    "autoencoder.width": 8,
    "profile.budget_tflops": 0.00123456789,
    "profile.probe_images": 64,
    "profile.test_images": 32,
    "profile.train_images": 64,
}


def test_each_version_has_its_test_data_and_its_step():
    assert len(_STEPS) == SCHEMA - 1
    kept = {path.name for path in DATA.iterdir()}
    assert kept == {f"schema{version}" for version in range(1, SCHEMA + 1)}


@pytest.mark.parametrize("path", sorted(DATA.glob("*/*.json")), ids=str)
def test_a_record_of_each_version_is_read(path):
    on_disk = read_sealed(path)
    assert f"schema{on_disk['schema']}" == path.parent.name
    record = read_record(path)
    assert not isinstance(record, Damaged), record
    assert record["schema"] == SCHEMA
    assert record["settings"] == (CHOSEN if path.stem == "autoencoder-set" else {})
    assert {key: record[key] for key in on_disk if key != "schema"} == {
        key: value for key, value in on_disk.items() if key != "schema"
    }
    cell = cell_of(record)
    assert (cell.id, cell.label, cell.settings) == (
        record["id"], record["label"], record["settings"],
    )  # fmt: skip


def test_old_and_new_records_are_one_cell():
    old, new = (read_record(DATA / f"schema{at}" / "autoencoder-set.json") for at in (1, 2))
    assert old["id"] == new["id"]
    assert old["label"] == new["label"]
    assert old["settings"] == new["settings"]


def test_a_newer_or_odd_version_is_refused(tmp_path):
    path = tmp_path / "records" / "r.json"
    whole = read_sealed(DATA / "schema2" / "autoencoder-set.json")
    for schema in (0, SCHEMA + 1, True, 1.0, "1", None, [], 10**300):
        write_sealed(path, whole | {"schema": schema})
        _, (damaged,) = Store(tmp_path).records()
        assert f"this version reads 1 to {SCHEMA}" in str(damaged)
        assert len(str(damaged)) < 300
    write_sealed(path, {key: value for key, value in whole.items() if key != "schema"})
    assert "it is without schema" in str(Store(tmp_path).records()[1][0])


def test_values_come_from_the_identity_and_not_from_the_label():
    identity = {
        "method": "mine",
        "config": {"rate": 0.12345678, "rate_2": 1, "words": "a,b]"},
        "profile": "smoke[size=32]",
        "numbers": {"size": 32, "image_size": 5},
    }
    label = 'mine[rate=0.123,words="a,b]"]'
    assert settings_of_names(label, identity) == {
        "mine.rate": 0.12345678,
        "mine.words": "a,b]",
        "profile.size": 32,
    }


@pytest.mark.parametrize("harm", [None, 3, [], {}, "text", {"config": 3}, {"profile": []}])
def test_a_step_takes_nothing_for_granted(harm):
    for record in ({"identity": harm}, {"label": harm}, {"label": "a[b=1]", "identity": harm}):
        assert migrated({"schema": 1, **record})["settings"] == {}


def test_a_baseline_of_schema_1_is_read(tmp_path):
    old = json.loads(BASELINE.read_text())
    row = json.loads(json.dumps(old["rows"][0]))
    row["label"] += "[width=4]"
    row["identity"]["config"]["width"] = 4
    path = tmp_path / "b.json"
    path.write_text(json.dumps(old | {"schema": 1, "rows": [row, *old["rows"][1:]]}))
    found = baselines.read(path)
    assert found["schema"] == BASELINE_SCHEMA
    settings = [one["settings"] for one in found["rows"]]
    assert settings[0] == {f"{row['identity']['method']}.width": 4}
    assert settings[1:] == [{}] * len(settings[1:])
    baselines.write(path, found, None)
    assert baselines.read(path) == found
