"""Fixtures for tests of check."""

from __future__ import annotations

import pytest

from bench.check import baseline as baselines
from bench.utils.files.sealed import write_sealed
from tests.check.made_records import check_records


@pytest.fixture
def checked(inside, folder, tmp_path):
    """A baseline, records that pass, and how to check them."""
    path = tmp_path / "b.json"
    baselines.write(path, baselines.make(check_records(), "smoke", "first", None, "now"), None)
    results = folder(check_records(range(3)))
    return lambda *more: inside("check", path, "--results", results, *more), path


@pytest.fixture(scope="module")
def base():
    return baselines.make(check_records(), "smoke", "first", None, "now")


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes records to a results folder."""

    def write(records, name="results"):
        place = tmp_path / name / "records"
        place.mkdir(parents=True, exist_ok=True)
        for at, one in enumerate(records):
            write_sealed(place / f"{at}.json", one)
        return tmp_path / name

    return write
