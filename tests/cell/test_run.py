"""Damage to what a cell left on disk is noticed and repaired."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from tests.helpers import Killed, harm_file, little, little_arguments, numbers


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
@pytest.mark.parametrize(
    "kind", ["weights.safetensors", "training.json", "artefacts.safetensors", "artefacts.json"]
)
def test_harm_to_what_a_stage_left_is_noticed_and_mended(kind, how, peaceful, inside, tmp_path):
    """The record is gone as well, so the cell is finished from what the stages left."""
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    record.unlink()
    (run,) = (tmp_path / "results" / "runs").iterdir()
    harm_file(run / kind, how)
    done = inside(*little_arguments(tmp_path, tmp_path / "little.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_harm_to_a_record_is_noticed_and_mended(how, peaceful, inside, tmp_path):
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    harm_file(record, how)
    alone = inside("leaderboard", "--results", tmp_path / "results")
    assert "is left out" in alone.stdout + alone.stderr
    done = inside(*little_arguments(tmp_path, tmp_path / "little.py"))
    assert done.returncode == 0
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")


def test_a_changed_digit_in_a_record_is_noticed(peaceful, inside, tmp_path):
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    (record,) = (tmp_path / "results" / "records").glob("*.json")
    known = json.loads(record.read_text())
    known["metrics"]["rec_l1_a"]["value"] += 0.001
    record.write_text(json.dumps(known))
    done = inside("leaderboard", "--results", tmp_path / "results")
    assert "its content is not what was written" in done.stdout + done.stderr


def test_power_loss_before_any_write_loses_nothing(peaceful, inside, tmp_path, monkeypatch):
    """Every rename of a run is, in a run of its own, the one that never comes."""
    plugin = little(tmp_path)
    real, count, faults = os.replace, 0, 0
    lose_at = 0

    def replace(source, target):
        nonlocal count
        count += 1
        if count == lose_at:
            raise Killed
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    while True:
        lose_at += 1
        count = 0
        shutil.rmtree(tmp_path / "results", ignore_errors=True)
        try:
            inside(*little_arguments(tmp_path, plugin))
        except Killed:
            faults += 1
        else:
            break
        lose_at, kept = 10**9, lose_at
        done = inside(*little_arguments(tmp_path, plugin))
        lose_at = kept
        assert done.returncode == 0, (lose_at, done.stdout, done.stderr)
        assert numbers(tmp_path / "results") == numbers(peaceful / "results"), lose_at
        (run,) = (tmp_path / "results" / "runs").iterdir()
        assert not (run / "checkpoint.safetensors").exists()
        assert not list((tmp_path / "results").rglob("*.tmp"))
    assert faults > 10


def test_a_clock_that_jumps_changes_nothing(peaceful, inside, tmp_path, monkeypatch):
    """The wall clock goes back an hour with every look at it."""
    now = [time.time()]

    def jumping():
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", jumping)
    done = inside(*little_arguments(tmp_path, little(tmp_path)))
    assert done.returncode == 0
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")
