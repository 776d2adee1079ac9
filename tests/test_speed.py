"""The plain steps compute what our steps compute, and the command prints its table."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from tests.benchmarks.speed import scoring, start_up
from tests.benchmarks.speed.__main__ import main
from tests.benchmarks.speed.measure import PLAIN, interval, pair_of

SMALL = {
    "autoencoder": {"width": 4},
    "press2019": {"width": 4},
    "ufdn": {"width": 4, "critic_width": 4, "critic_hidden": 16},
    "drit": {"width": 4, "batch_size": 6},
    "d2ae": {"width": 4},
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_step_has_the_losses_and_the_update_of_ours(name):
    changes = {"batch_size": 3} | SMALL[name]
    plain, ours, batch = pair_of(name, 32, torch.float64, **changes)
    before = [p.detach().clone() for p in plain.parameters()]
    logs = []
    for step in (plain.step, ours.training_step):
        torch.manual_seed(0)
        logs.append({key: value.item() for key, value in step(batch).items()})
    expected, found = logs
    assert expected == pytest.approx({key: found[key] for key in expected}, rel=1e-9)
    # not the biases: before a norm, their gradient is a rounding error, which Adam makes large
    for old, a, b in zip(before, plain.parameters(), ours.parameters(), strict=True):
        if old.dim() > 1:
            assert (a - old).norm() > 0
            assert (a - b).norm() < 1e-6 * (a - old).norm()


def test_the_command_prints_a_table(capsys):
    assert main(["--methods", "ufdn", "--sizes", "32", "--rounds", "1"]) == 0
    first, _, *table = capsys.readouterr().out.splitlines()
    assert "one thread, sgemm peak" in first
    assert len(table) == 3
    assert table[2].startswith("| ufdn | 32 | ")


def test_the_command_times_scoring_beside_scikit_learn(capsys, monkeypatch):
    small = partial(scoring.rows, sizes=(64, 32))
    monkeypatch.setattr(scoring, "rows", small)
    monkeypatch.setattr(scoring, "FACTORS", (2, 3, 2))
    assert main(["--what", "scoring", "--dimensions", "8", "--rounds", "1"]) == 0
    *_, domain, factors = capsys.readouterr().out.splitlines()
    assert domain.startswith("| domain in z1, four kinds of probes | 8 |")
    assert factors.startswith("| factors in z1 and z2 | 8 |")


def test_the_command_times_what_trains_nothing(capsys, monkeypatch):
    monkeypatch.setattr(start_up, "commands", lambda place: [("help", "list --help")])
    assert main(["--what", "start-up", "--rounds", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("| help | ")


def test_an_unknown_method_is_named_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--methods", "nothing"])
    assert left.value.code == 2
    assert "no plain step of nothing: there are autoencoder, press2019" in capsys.readouterr().err


@pytest.mark.parametrize(("n", "expected"), [(1, (0, 0)), (5, (0, 4)), (6, (0, 5)), (9, (1, 7))])
def test_interval_of_a_median(n, expected):
    assert interval(range(n)) == expected
