"""The verb `claims`, end to end."""

from __future__ import annotations

import csv

import pytest

from tests.helpers import FAILING_METHOD, TINY

CLAIM = """
[skill]
statement = "The autoencoder makes more of the change right than a copy."
source = "a test"
left = { method = "METHOD" }
right = { method = "copy-source" }
task = "avatars-glasses"
profile = "small"
metric = "cf_skill_in_add"
direction = "higher"
margin = 0.01
seeds = "0-2"
"""
SHORT = (*TINY, "--metrics", "counterfactual", "--engine", "inline", "--device", "cpu")


@pytest.fixture
def claims(inside, tmp_path):
    """Run the verb with the claim above about a method."""

    def call(*more, method="autoencoder"):
        file = tmp_path / "mine.toml"
        file.write_text(CLAIM.replace("METHOD", method))
        return inside("claims", "--claims", file, "--results", tmp_path / "results", *SHORT, *more)

    return call


def files(folder):
    return {name: (folder / "results" / name).read_bytes() for name in ("claims.csv", "claims.md")}


def test_a_claim_is_run_and_judged(claims, tmp_path):
    before = claims("--dry-run")
    assert before.returncode == 0, before.stderr
    assert "4 cells" in before.stdout
    assert not (tmp_path / "results").exists()

    done = claims()
    assert done.returncode == 0, done.stderr
    assert "1 claims: " in done.stdout
    first = files(tmp_path)
    (row,) = csv.DictReader(first["claims.csv"].decode().splitlines())
    assert (row["claim"], row["left"], row["right"]) == ("skill", "autoencoder", "copy-source")
    assert (row["n_seeds"], row["margin"]) == ("3", "0.01")
    assert row["verdict"] in ("supported", "contradicted", "undecided")
    assert float(row["lo"]) <= float(row["value"]) <= float(row["hi"])
    assert f"**Verdict**: {row['verdict']}" in first["claims.md"].decode()

    again = claims("--judge-only")
    assert again.returncode == 0, again.stderr
    assert files(tmp_path) == first
    assert "has a record" not in again.stdout

    few = claims("--judge-only", "--seeds", "0-1")
    assert "skill: undecided: 2 seeds, expected at least 3" in few.stdout
    more = claims("--judge-only", "--seeds", "0-4")
    assert "skill: not run: autoencoder seed 3 has no record" in more.stdout


def test_a_failed_cell_leaves_the_claim_undecided(claims, tmp_path):
    plugin = tmp_path / "failing.py"
    plugin.write_text(FAILING_METHOD)
    name = FAILING_METHOD.partition('name = "')[2].partition('"')[0]
    done = claims("--plugin", plugin, "--seeds", "0", method=name)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"skill: undecided: {name} seed 0 failed: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "nothing"), "unknown claim 'nothing' (known: skill)"),
        (("--seeds", "2-1"), "a range is empty"),
        (("--seeds", " "), "--seeds '': expected whole numbers"),
        (("--profile", "tiny"), "unknown profile 'tiny'"),
        (("--set", "autoencoder.width=4"), "expected profile.FIELD=VALUE"),
        (("--dry-run", "--judge-only"), "expected one of them"),
        (("--judge-only",), "no records in"),
    ],
)
def test_wrong_use_is_one_line(claims, arguments, said):
    done = claims(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
