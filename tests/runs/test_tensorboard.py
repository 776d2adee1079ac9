"""`run --tensorboard` writes the losses that a run shows, and changes nothing else."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import ClassVar

import pytest

from bench.records.store import Store
from bench.runs import tensorboard
from tests.helpers import little, little_arguments, numbers

INSTALLED = importlib.util.find_spec("tensorboard") is not None


def test_without_the_package_it_is_one_line(tmp_path, inside, monkeypatch):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda _: None)
    done = inside(*little_arguments(tmp_path, little(tmp_path), "--tensorboard"))
    assert done.returncode == 2
    assert "needs TensorBoard: pip install 'contentbench[tensorboard]'" in done.stderr
    assert not (tmp_path / "results").exists()


class Writer:
    made: ClassVar = {}

    def __init__(self, folder):
        self.rows = self.made.setdefault(folder.name, [])

    def add_scalar(self, name, value, step):
        self.rows.append((name, value, step))

    def close(self):
        self.rows.append("closed")


def test_each_report_is_a_row_and_the_display_gets_it_too(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(
        sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer)
    )
    seen = []
    shown = SimpleNamespace(
        started=lambda job: seen.append("started"),
        progressed=lambda job, stage, report: seen.append(stage),
        ended=lambda job, *_: seen.append("ended"),
    )
    store = SimpleNamespace(root=tmp_path, run_path=lambda cell: tmp_path / "runs" / "a-cell")
    job = SimpleNamespace(cell=SimpleNamespace(id="1"))
    log = tensorboard.LossLog(shown, store)
    log.started(job)
    log.progressed(job, "loading", None)
    log.progressed(job, "training", SimpleNamespace(step=7, images_per_s=3.0, losses={"l": 0.5}))
    log.ended(job, "ok", "", 1.0)
    assert Writer.made["a-cell"] == [("loss/l", 0.5, 7), ("images_per_s", 3.0, 7), "closed"]
    assert seen == ["started", "loading", "training", "ended"]


@pytest.mark.skipif(not INSTALLED, reason="TensorBoard is not installed")
def test_a_run_with_it_has_the_same_numbers_and_event_files(peaceful, tmp_path, inside):
    done = inside(*little_arguments(tmp_path, little(tmp_path), "--tensorboard"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "results" / "tensorboard").glob("little*/events*"))
    assert numbers(tmp_path / "results") == numbers(peaceful / "results")
    (record,) = Store(tmp_path / "results").records()[0]
    (before,) = Store(peaceful / "results").records()[0]
    assert record["id"] == before["id"]
