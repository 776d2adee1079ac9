"""The curve of a cell: in its record, in the CSV, and after a failure of a snapshot."""

from __future__ import annotations

import shutil

from bench.board.curves import curve_rows
from bench.records.store import Store
from tests.helpers import curve_rows as rows_at
from tests.helpers import little, little_arguments

HALF = 1 / 2
BY_STEP = {1: 1 / 16, 2: HALF, 5: 1.0}


def record_in(folder):
    (record,) = Store(folder / "results").records()[0]
    return record


def test_a_run_keeps_the_curve_in_its_record_and_in_the_csv(peaceful):
    record = record_in(peaceful)
    curve = record["curve"]
    assert {point["steps"]: point["budget"] for point in curve} == BY_STEP
    step = record["facts"]["flops_per_step"]
    for point in curve:
        assert point["metrics"].keys() == {"rec_l1_a", "rec_l1_b"}
        assert point["flops"] == point["steps"] * step
        assert point["images"] * 5 == point["steps"] * record["facts"]["images"]
    assert curve[-1]["metrics"]["rec_l1_a"]["value"] == record["metrics"]["rec_l1_a"]["value"]
    values = [point["metrics"]["rec_l1_a"]["value"] for point in curve]
    assert len(set(values)) == len(values)
    assert record["facts"]["cpu_seconds"] >= curve[-2]["cpu_seconds"]
    assert record["timings"]["curve"] > 0
    assert "curve" not in record["facts"]
    for point in curve:
        (found,) = (
            row
            for row in rows_at(peaceful / "results", point["budget"])
            if row["metric"] == "rec_l1_b"
        )
        assert float(found["value"]) == point["metrics"]["rec_l1_b"]["value"]
        assert found["n_seeds"] == "1"
        assert (found["lo"] == "") == (point["budget"] < 1)


def test_a_record_that_is_scored_again_keeps_its_curve(peaceful, inside, tmp_path):
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    before = record_in(tmp_path)["curve"]
    done = inside("score", "--results", tmp_path / "results", "--plugin", tmp_path / "little.py",
                  "--metrics", "reconstruction", "--existing", "fresh")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert record_in(tmp_path)["curve"] == before


def test_a_snapshot_that_fails_has_no_value_and_ends_nothing(inside, tmp_path):
    """The method cannot encode until its third step."""
    plugin = little(tmp_path)
    encode = "        code = self.encoder(x)\n"
    failing = "        assert not 0 < self.taken < 3\n"
    plugin.write_text(plugin.read_text().replace(encode, failing + encode))
    done = inside(*little_arguments(tmp_path, plugin))
    assert done.returncode == 0, done.stdout + done.stderr
    found = {
        point["steps"]: point["metrics"]["rec_l1_a"]["value"] is not None
        for point in record_in(tmp_path)["curve"]
    }
    assert found == {1: False, 2: False, 5: True}


def test_a_cell_without_quick_numbers_takes_no_snapshot(inside, tmp_path):
    arguments = list(little_arguments(tmp_path, little(tmp_path)))
    arguments[arguments.index("--metrics") + 1] = "cost"
    assert inside(*arguments).returncode == 0
    record = record_in(tmp_path)
    assert record["curve"] == []
    assert record["timings"]["curve"] == 0
    assert not len(curve_rows([record]))
