"""`--test-seed`: another *test* part, for trained methods that nobody has tuned on it."""

from __future__ import annotations

import shutil

import pytest
import torch

from bench.contracts.registry import Registry
from bench.contracts.task import Options
from bench.plan.profiles import choose_profile
from bench.records.store import Store
from bench.tasks.cache import fingerprint, prepare
from tests.helpers import REGISTRY, ROOT, SIZES, TINY, harm_file

DRAWN = [plugin for plugin in REGISTRY.all("task") if plugin.name.startswith("avatars")]


def task(name="avatars-glasses", seed=None):
    return REGISTRY.find("task", name).load()(Options(test_seed=seed))


def test_without_a_seed_every_run_keeps_its_id():
    profile = choose_profile("small", [])
    identities = [record["identity"] for record in Store(ROOT / "results").records()[0]]
    known = {(one["task"], one["profile"]): one["fingerprint"] for one in identities}
    assert known[("avatars-glasses", "small")] == fingerprint(task(), profile.sizes)
    aligned = task("avatars-glasses-aligned")
    assert known[("avatars-glasses-aligned", "small")] == fingerprint(aligned, profile.sizes)


@pytest.mark.parametrize("plugin", DRAWN, ids=lambda plugin: plugin.name)
def test_only_the_test_part_is_another(plugin):
    usual, fresh = task(plugin.name), task(plugin.name, 7)
    assert fresh.name == f"{plugin.name}:test-seed-7"
    assert fingerprint(fresh, SIZES) != fingerprint(usual, SIZES)
    assert fingerprint(fresh, SIZES) != fingerprint(task(plugin.name, 8), SIZES)
    for part in ("train", "val", "probe", "test"):
        same = [usual.avatar(part, d, i) == fresh.avatar(part, d, i)
                for d in (0, 1) for i in range(8)]  # fmt: skip
        assert all(same) == (part != "test"), part


def test_its_people_are_in_no_other_part():
    fresh = task(seed=7)
    assert all(
        fresh._fits(fresh.avatar("test", d, i), "test", d) for d in (0, 1) for i in range(40)
    )


def test_its_truth_is_true(cache):
    data, usual = prepare(task(seed=7), SIZES, cache), prepare(task(), SIZES, cache)
    assert torch.equal(data.domains["train"][1].images, usual.domains["train"][1].images)
    assert not torch.equal(data.domains["test"][1].images, usual.domains["test"][1].images)
    assert data.truth is not None
    assert torch.equal(data.truth.remove[:4], usual.truth.remove[:4]) is False


@pytest.fixture
def scored(peaceful, tmp_path):
    shutil.copytree(peaceful, tmp_path, dirs_exist_ok=True)
    return tmp_path


def score(inside, folder, *more):
    return inside("score", "--test-seed", 7, "--results", folder / "results",
                  "--plugin", folder / "little.py", *more)  # fmt: skip


def records_of(folder):
    found = Store(folder / "results").records()[0]
    return {record["identity"]["task"]: record for record in found}


def test_a_trained_method_is_scored_on_it_and_not_trained(scored, inside):
    before = records_of(scored)["avatars-glasses"]
    done = score(inside, scored, "--metrics", "counterfactual,reconstruction")
    assert done.returncode == 0, done.stderr
    found = records_of(scored)
    assert found["avatars-glasses"] == before
    fresh = found["avatars-glasses:test-seed-7"]
    assert fresh["timings"].get("train") is None
    assert fresh["facts"]["cpu_seconds"] == before["facts"]["cpu_seconds"]
    values = [one["metrics"]["rec_l1_a"]["value"] for one in (before, fresh)]
    assert values[0] != values[1]
    assert fresh["curve"] == []
    assert "avatars-glasses:test-seed-7, profile smoke" in done.stdout
    again = score(inside, scored, "--metrics", "counterfactual,reconstruction")
    assert "1 of 1 cells have a record already" in again.stdout


def test_lost_weights_are_a_reason(scored, inside):
    (weights,) = (scored / "results" / "runs").glob("little*/weights.safetensors")
    harm_file(weights, "flipped")
    done = score(inside, scored)
    assert done.returncode == 3
    assert "not scored: little seed 0: its trained weights are gone" in done.stdout


def test_a_run_takes_it_too(tmp_path, inside):
    done = inside("run", "--methods", "copy-source,ground-truth", *TINY, "--test-seed", 3,
                  "--metrics", "counterfactual", "--results", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (one, other) = Store(tmp_path).records()[0]
    assert one["identity"]["task"] == other["identity"]["task"] == "avatars-glasses:test-seed-3"
    assert one["environment"]["options"] == {"test_seed": 3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "digits"), "--test-seed: task digits does not take this option; it is for"),
        (("--tasks", "avatars-hat,digits"), "does not take this option; it is for --task avatars"),
        (("--task", "avatars-hat:test-seed-7"), "with these folders the task is"),
    ],
)
def test_what_cannot_draw_it_says_so(words, message, inside, tmp_path):
    done = inside("run", "--methods", "copy-source", *TINY, *words, "--test-seed", 3,
                  "--results", tmp_path / "results")  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr


def test_a_study_of_the_task_counts_for_every_test_part():
    from bench.plan.tuned import origin_of

    plugin, profile = Registry().find("method", "press2019"), choose_profile("small", [])
    usual = origin_of(plugin, "tuned", profile, "avatars-glasses")
    assert origin_of(plugin, "tuned", profile, "avatars-glasses:test-seed-7") == usual
