"""The leaderboard: what is put together, what is not, and what stands in a gap."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from bench.board.board import boards
from bench.board.frame import COLUMNS, frame, over_seeds
from bench.board.output.markdown import markdown
from tests.helpers import board_record


def row(table, method, metric):
    (found,) = table[(table["method"] == method) & (table["metric"] == metric)].to_dict("records")
    return found


def test_one_seed_keeps_the_interval_over_items():
    found = row(frame([board_record(fd_add=5.0)]), "m", "fd_add")
    assert (found["value"], found["lo"], found["hi"]) == (5, 4, 6)
    assert (found["n_seeds"], found["n_items"], found["extractor"]) == (1, 50, "net@1")
    assert list(frame([board_record(fd_add=5.0)]).columns) == list(COLUMNS)


def test_seeds_give_students_interval():
    values = [0.2, 0.4, 0.9]
    table = frame([board_record(seed=i, own=v) for i, v in enumerate(values)])
    found = row(table, "m", "own")
    lo, hi = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found["value"], found["lo"], found["hi"]) == pytest.approx((0.5, lo, hi))
    assert found["n_seeds"] == 3


def test_distances_spread_on_the_log_scale():
    records = [board_record(seed=at, fd_add=10.0**at) for at in range(3)]
    found = row(frame(records), "m", "fd_add")
    assert found["lo"] > 0
    assert found["lo"] * found["hi"] == pytest.approx(100)
    equal = row(frame([board_record(seed=at, fd_add=2.0) for at in range(2)]), "m", "fd_add")
    assert (equal["lo"], equal["hi"]) == (2, 2)


def test_a_gap_is_shown_and_never_averaged():
    records = [board_record(seed=0, fd_add=5.0), board_record(seed=1, fd_add=None, status="failed")]
    found = row(frame(records), "m", "fd_add")
    assert found["status"] == "incomplete"
    assert math.isnan(found["value"])
    assert found["reason"] == "1/2 seeds; seed 1: it broke"


def test_order_of_records_does_not_matter():
    records = [board_record(seed=i, label=m, fd_add=float(i)) for i in range(3) for m in "ab"]
    assert frame(records).equals(frame(records[::-1]))


def test_unlike_cells_are_never_put_together():
    other = board_record(seed=1, fd_add=7.0)
    other["identity"]["precision"] = "bf16"
    other["identity"]["config"] = {"width": 9}
    table = frame([board_record(fd_add=5.0), other])
    assert sorted(table["method"]) == [
        "m{precision=bf16,width=9}", "m{precision=fp32,width=8}",
    ]  # fmt: skip


def test_unlike_extractors_are_rows_of_their_own():
    other = board_record(seed=1, fd_add=7.0)
    other["metrics"]["fd_add"]["extractor"] = "net@2"
    assert len(frame([board_record(fd_add=5.0), other])) == 2


def test_two_extractors_share_no_column():
    other = board_record("n", fd_add=1.0, cf_skill_in_add=0.1)
    other["metrics"]["fd_add"]["extractor"] = "net@2"
    (board,) = boards([board_record("m", fd_add=5.0, cf_skill_in_add=0.9), other])
    assert board.columns(["fd_add"]) == ["fd_add [net@1]", "fd_add [net@2]"]
    assert "not run" in markdown([board])


def test_unlike_conditions_are_said_in_every_row():
    other = board_record("n", fd_add=1.0)
    other["identity"]["precision"] = "bf16"
    (board,) = boards([board_record("m", fd_add=5.0), other])
    assert set(board.order) == {"m{precision=fp32}", "n{precision=bf16}"}


def test_older_versions_of_a_metric_are_gaps():
    newer = board_record(seed=1, fd_add=9.0)
    newer["metrics"]["fd_add"]["version"] = 2
    found = row(frame([board_record(fd_add=5.0), newer]), "m", "fd_add")
    assert found["status"] == "incomplete"
    assert "scored by version 1, others by 2" in found["reason"]


def test_the_mean_of_distances_lies_in_its_interval():
    records = [board_record(seed=i, fd_add=v) for i, v in enumerate([1.0, 1.0, 1.0, 1000.0])]
    found = row(frame(records), "m", "fd_add")
    assert found["lo"] <= found["value"] <= found["hi"]
    assert found["value"] == pytest.approx(1000**0.25)


def test_identity_knows_what_matters_and_nothing_else():
    from dataclasses import replace

    from bench.contracts.cell import Cell

    cell = Cell("m", "m", {"a": 1, "b": 2.0}, "t", "f", "p", {"size": 32}, 0, "cpu", "fp32")
    same = replace(cell, label="other", plugins=("x",), config={"b": 2.0, "a": 1})
    assert same.id == cell.id
    for change in ({"seed": 1}, {"config": {"a": 2, "b": 2.0}}, {"precision": "bf16"},
                   {"threads": 2}, {"protocol": 1}, {"fingerprint": "g"},
                   {"numbers": {"size": 64}}):  # fmt: skip
        assert replace(cell, **change).id != cell.id


def test_details_of_seeds_are_put_together_where_they_agree():
    told = {"chance": [0.4, 0.6], "probe": "svm", "beard": {"value": 0.5, "n": 10}, "once": 1}
    other = {"chance": [0.4, 0.8], "probe": "mlp", "beard": {"value": 1.0, "n": 10}}
    assert over_seeds([told]) == told
    together = {"chance": [0.4, 0.7], "beard": {"value": 0.75, "n": 10}}
    assert over_seeds([told, other]) == together
    records = [board_record(seed=at, z1_domain_acc=0.5) for at in range(2)]
    for one, detail in zip(records, (told, other), strict=True):
        one["metrics"]["z1_domain_acc"]["detail"] = detail
    assert json.loads(row(frame(records), "m", "z1_domain_acc")["detail"]) == together
    assert "Guessing has a `z1_domain_acc` of 0.400 to 0.700" in markdown(boards(records))


def test_the_machine_of_times_is_named():
    def on(cpu, label):
        made = board_record(label, train_images_per_s=100.0)
        return made | {"facts": {"steps": 3}, "environment": {"cpu": cpu, "torch": "2.13"}}

    one = markdown(boards([on("EPYC", "m"), on("EPYC", "n")]))
    assert "one kind of machine only (processor, instructions, torch): EPYC, 2.13." in one
    two = markdown(boards([on("EPYC", "m"), on("Xeon", "n"), on("EPYC", "o")]))
    assert "torch): EPYC, 2.13 (m, o); Xeon, 2.13 (n)." in two
