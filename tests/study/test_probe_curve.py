"""The probe curve of a tiny trained cell: its table, its file and its errors."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from bench.study.probe_curve import counts_in
from bench.utils.errors import UserError
from tests.helpers import TINY

CELL = ("--method", "autoencoder", "--profile", "smoke")


@pytest.fixture
def results(inside, tmp_path):
    done = inside("run", "--methods", "autoencoder,copy-source", *TINY, "--seeds", "0", "--metrics",
                  "rec_l1_a", "--results", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_more_images_give_more_points_and_leave_the_cell_as_it_is(results, inside):
    record = next((results / "records").glob("autoencoder*.json"))
    before = record.read_bytes()
    done = inside("probe-curve", *CELL, "--images", "100,32", "--results", results)
    assert done.returncode == 0, done.stderr
    (path,) = results.glob("probe-curve-*.csv")
    table = pd.read_csv(path)
    assert set(table["images"]) == {32, 100}
    assert set(table["probe"]) == {"logistic", "mlp", "logistic or mlp"}
    assert len(table) == 2 * (2 * 2 + 1)
    assert ((table["lo"] <= table["value"]) & (table["value"] <= table["hi"])).all()
    accuracy = table[table["metric"] == "z1_domain_acc"]
    assert accuracy["value"].between(0.5, 1).all()  # a plain autoencoder hides no glasses
    assert "domain from z1" in done.stdout
    assert record.read_bytes() == before

    shutil.rmtree(next((results / "runs").glob("autoencoder*")))
    gone = inside("probe-curve", *CELL, "--images", "32", "--results", results)
    assert gone.returncode == 2
    assert "no weights of autoencoder" in gone.stderr
    anchor = inside("probe-curve", "--method", "copy-source", "--profile", "smoke", "--results",
                    results)  # fmt: skip
    assert anchor.returncode == 2
    assert "copy-source has no weights" in anchor.stderr


@pytest.mark.parametrize("text", ["", "10", "100,x", "100,100", "-5", "1e3", "100,"])
def test_wrong_numbers_of_images_are_said(text):
    with pytest.raises(UserError, match="expected different whole numbers from 16 up"):
        counts_in(text)


def test_numbers_of_images_are_put_in_order():
    assert counts_in("4000, 1000") == (1000, 4000)
