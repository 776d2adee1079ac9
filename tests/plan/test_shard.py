"""Slices of a plan for several machines."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from bench.contracts.cell import Cell
from bench.plan.plan import Request, make_plan
from bench.plan.shard import Shard, split, take
from bench.utils.errors import UserError
from tests.helpers import TINY


def cells_of(count):
    facts = {"config": {}, "task": "t", "fingerprint": "", "profile": "p", "numbers": {}}
    made = ({"method": f"m{at % 7}", "label": f"m{at % 7}", "seed": at // 7} for at in range(count))
    return [Cell(**facts, **facts_of, device="cpu", precision="fp32") for facts_of in made]


def named(cells):
    """What is the same cell on machines that differ."""
    return [(cell.label, cell.task, cell.seed) for cell in cells]


@pytest.mark.parametrize("seed", range(25))
def test_every_cell_is_in_one_shard_and_loads_differ_by_one_cell_at_most(seed):
    draw = random.Random(seed)
    cells = cells_of(draw.randrange(60))
    costs = {cell.id: draw.choice([0.0, 1.0, 5.0, draw.uniform(0, 100)]) for cell in cells}
    shards = split(cells, costs, draw.randrange(1, 12))
    assert Counter(cell.id for shard in shards for cell in shard) == Counter(list(costs))
    loads = [sum(costs[cell.id] for cell in shard) for shard in shards]
    assert max(loads) - min(loads) <= max(costs.values(), default=0) + 1e-9
    shuffled = draw.sample(cells, len(cells))
    again = split(shuffled, costs, len(shards))
    assert [named(shard) for shard in again] == [named(shard) for shard in shards]


def test_machines_that_differ_cut_a_plan_alike():
    """Other names for the same methods, another precision, other images: the same slices."""
    methods = ("press2019", "autoencoder", "ufdn", "ground-truth", "copy-source")
    one = make_plan(Request(methods=methods, seeds="0-2", precision="fp32"))
    two = make_plan(Request(methods=methods[::-1], seeds="2,1,0", precision="bf16"))
    assert {cell.id for cell in one.cells}.isdisjoint(
        cell.id for cell in two.cells if cell.precision == "bf16"
    )
    whole = []
    for index in range(1, 4):
        ours, theirs = (take(plan, Shard(index, 3)).cells for plan in (one, two))
        assert set(named(ours)) == set(named(theirs))
        assert [cell for cell in one.cells if cell in ours] == list(ours)
        whole += ours
    assert sorted(named(whole)) == sorted(named(one.cells))


def test_a_published_number_of_steps_counts():
    plan = make_plan(Request(methods=("press2019", "ufdn"), profile="paper", seeds="0-1"))
    shards = [take(plan, Shard(index, 2)).cells for index in (1, 2)]
    assert sorted(named([*shards[0], *shards[1]])) == sorted(named(plan.cells))
    assert all(len(shard) == 2 for shard in shards)


@pytest.mark.parametrize("text", ["0/4", "5/4", "a/b", "2", "", "1/0", "-1/4", "1/4/2", "1.5/4"])
def test_a_shard_of_another_form(text, inside, tmp_path):
    with pytest.raises(UserError, match="--shard"):
        Shard.parse(text)
    done = inside("run", f"--shard={text}", *TINY, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_shards_on_one_folder_make_the_whole(inside, tmp_path):
    arguments = ("run", "--methods", "copy-source,ground-truth", *TINY, "--results", tmp_path)
    arguments += ("--metrics", "cf_rank_add")
    for index in (1, 2, 3):
        done = inside(*arguments, "--shard", f"{index}/3")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"shard {index}/3: " in done.stdout
    assert len(list((tmp_path / "records").iterdir())) == 2
    whole = inside(*arguments)
    assert "2 of 2 cells have a record already" in whole.stdout


def test_an_empty_shard_is_no_failure(inside, tmp_path):
    arguments = ("run", "--methods", "autoencoder", *TINY, "--results", tmp_path / "r")
    done = inside(*arguments, "--shard", "2/2")
    assert done.returncode == 0, done.stderr
    assert "shard 2/2: 0 of 1 cells" in done.stdout
    assert not (tmp_path / "r").exists()
    assert "1 cell, " in inside(*arguments, "--shard", "1/2", "--dry-run").stdout
