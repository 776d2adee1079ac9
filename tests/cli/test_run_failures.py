"""A method or metric that breaks costs its own numbers only."""

from __future__ import annotations

import json

import pytest

from tests.helpers import BROKEN_METRIC, FAILING_METHOD, FEW_METRICS, TINY, rows


def test_a_metric_that_crashes_loses_no_other_number(inside, tmp_path):
    plugin = tmp_path / "metric.py"
    plugin.write_text(BROKEN_METRIC)
    arguments = ("run", "--methods", "copy-source", *TINY, "--results", tmp_path / "results")
    assert inside(*arguments).returncode == 0
    done = inside(*arguments, "--plugin", plugin)
    assert done.returncode == 3
    assert "ArithmeticError: no luck" in done.stdout
    table = rows(tmp_path / "results")
    assert table["copy-source", "broken"]["status"] == "failed"
    assert table["copy-source", "cf_rank_add"]["status"] == "ok"


@pytest.mark.parametrize("what", ["float('nan')", "object()"])
def test_a_metric_that_gives_no_number_loses_no_other(what, inside, tmp_path):
    plugin = tmp_path / "metric.py"
    body = f"from bench.contracts.metric import Result\n        return {{'broken': Result({what})}}"
    plugin.write_text(BROKEN_METRIC.replace('raise ArithmeticError("no luck")', body))
    arguments = ("run", "--methods", "copy-source", *TINY, "--results", tmp_path / "results")
    assert inside(*arguments, "--plugin", plugin).returncode == 3
    table = rows(tmp_path / "results")
    assert table["copy-source", "broken"]["status"] == "failed"
    assert table["copy-source", "cf_rank_add"]["status"] == "ok"
    assert inside(*arguments).returncode == 0  # the crashing metric is not asked for


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("raise RuntimeError('out of luck')", "failed", "RuntimeError: out of luck"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "lost", "killed by signal 9"),
        (
            "return {'loss': (self.weight[None] @ self.weight[None] / 0).sum()}",
            "failed",
            "diverged: loss is not finite",
        ),
    ],
)
def test_a_broken_method_is_a_row_and_the_others_finish(
    how, status, reason, bench, inside, tmp_path
):
    plugin = tmp_path / "broken.py"
    plugin.write_text(FAILING_METHOD.replace("HOW", how))
    run = bench if status == "lost" else inside  # what kills a process needs one of its own
    done = run("run", "--methods", "broken,ground-truth", *TINY, *FEW_METRICS, "--plugin", plugin,
               "--results", tmp_path)  # fmt: skip
    assert done.returncode == 3
    assert reason in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    table = rows(tmp_path)
    assert table["broken", "fd_add"]["status"] == "failed"
    assert reason in table["broken", "fd_add"]["reason"]
    assert table["ground-truth", "fd_add"]["status"] == "ok"
    record = json.loads(next((tmp_path / "records").glob("broken*")).read_text())
    assert record["status"] == status
    again = inside("run", "--methods", "broken", *TINY, *FEW_METRICS, "--plugin", plugin,
                   "--results", tmp_path)  # fmt: skip
    assert again.returncode == 3
    assert "start" not in again.stdout
