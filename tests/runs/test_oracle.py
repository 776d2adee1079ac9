"""The anchor `oracle-decoder`: it uses the weights of another cell, and trains nothing."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from bench.cell.job import Job
from bench.cell.run_folder import RunFolder
from bench.cell.stages import trained_before
from bench.contracts.images import to_float, to_uint8
from bench.plan.plan import Request, make_plan
from bench.plan.shard import Shard, take
from bench.records.read import cell_of
from bench.records.store import Store
from bench.runs.execute import waves
from bench.tasks.cache import read
from bench.utils.files.sealed import read_sealed
from tests.helpers import REGISTRY, TINY, rows

WANTED = ("--metrics", "cf_skill_in_add,rec_l1_a", *TINY)
NEEDS = "needs the trained autoencoder cell (seed 0): run --methods autoencoder,oracle-decoder"


def run_folder(results, method, seed=0):
    (path,) = (results / "runs").glob(f"{method}-*-s{seed}-*")
    return RunFolder(path)


def record(results, method, seed=0):
    (path,) = (results / "records").glob(f"{method}-*-s{seed}-*")
    return read_sealed(path)


@pytest.fixture(scope="module")
def both(cache, tmp_path_factory, bench):
    """A results folder of both cells and two seeds, made by processes, the anchor named first."""
    folder = tmp_path_factory.mktemp("both")
    done = bench("run", "--methods", "oracle-decoder,autoencoder", "--seeds", "0,1", *WANTED,
                 "--jobs", "2", "--results", folder)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def results(both, tmp_path):
    return shutil.copytree(both, tmp_path / "results")


def test_it_is_the_truth_through_the_autoencoder_of_its_seed(both, cache):
    trained = record(both, "autoencoder", 1)
    cell = cell_of(trained)
    data = read(cell.task, cell.sizes, cell.fingerprint, cache)
    plugin = REGISTRY.find("method", "autoencoder")
    method = trained_before(cell, plugin, data, run_folder(both, "autoencoder", 1)).method.eval()
    found = run_folder(both, "oracle-decoder", 1).artefacts().tensors
    for name, truth in vars(data.truth).items():
        with torch.inference_mode():
            expected = to_uint8(method.reconstruct(to_float(truth), int(name != "remove")))
        assert torch.equal(found[name], expected), name


def test_each_seed_has_its_own_weights_and_the_reconstructions_of_the_autoencoder(both):
    for seed in (0, 1):
        oracle = run_folder(both, "oracle-decoder", seed).artefacts()
        trained = run_folder(both, "autoencoder", seed).artefacts()
        for name in ("rec_a", "rec_b"):
            assert torch.equal(oracle.tensors[name], trained.tensors[name])
        assert torch.equal(oracle.tensors["cycle_a"], oracle.tensors["rec_a"])
        assert not (run_folder(both, "oracle-decoder", seed).path / "training.json").exists()
    first, second = (run_folder(both, "oracle-decoder", s).artefacts() for s in (0, 1))
    assert not torch.equal(first.tensors["add"], second.tensors["add"])
    table = rows(both)
    assert table["oracle-decoder", "cf_skill_in_add"]["n_seeds"] == "2"
    assert table["oracle-decoder", "rec_l1_a"]["value"] == table["autoencoder", "rec_l1_a"]["value"]


def test_alone_it_uses_weights_that_are_there_and_trains_nothing(results, inside):
    for path in [*results.glob("records/oracle*"), *results.glob("runs/oracle*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    weights = run_folder(results, "autoencoder").path / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    done = inside("run", "--methods", "oracle-decoder", *WANTED, "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights.stat().st_mtime_ns == before
    assert record(results, "oracle-decoder")["status"] == "ok"
    assert "autoencoder" in record(results, "oracle-decoder")["sources"]


def test_without_weights_it_is_a_gap_that_a_later_run_fills(inside, tmp_path):
    where = (*WANTED, "--results", tmp_path)
    for _ in range(2):
        alone = inside("run", "--methods", "oracle-decoder", *where)
        assert alone.returncode == 3
        assert NEEDS in alone.stdout
        gap = record(tmp_path, "oracle-decoder")
        assert (gap["status"], gap["reason"]) == ("unavailable", NEEDS)
        assert {entry["status"] for entry in gap["metrics"].values()} == {"unavailable"}
        assert not list(tmp_path.glob("runs/autoencoder*"))
    assert rows(tmp_path)["oracle-decoder", "cf_skill_in_add"]["status"] == "unavailable"
    assert inside("run", "--methods", "autoencoder", *where).returncode == 0
    done = inside("run", "--methods", "autoencoder,oracle-decoder", *where)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("start ") == 1
    assert record(tmp_path, "oracle-decoder")["status"] == "ok"
    assert "2 of 2 cells" in inside("run", "--methods", "autoencoder,oracle-decoder", *where).stdout


def test_scoring_again_needs_its_artefacts_or_the_weights(results, inside):
    again = ("score", "--methods", "oracle-decoder", "--seeds", "0", "--metrics", "rec_l1_b",
             "--results", results)  # fmt: skip
    weights = run_folder(results, "autoencoder").path / "weights.safetensors"
    aside = weights.rename(results / "aside")
    assert inside(*again).returncode == 0
    value = rows(results)["oracle-decoder", "rec_l1_b"]["value"]
    shutil.rmtree(run_folder(results, "oracle-decoder").path)
    refused = inside(*again, "--existing", "fresh")
    assert refused.returncode == 3
    assert "needs the weights of the trained autoencoder cell (seed 0)" in refused.stdout
    aside.rename(weights)
    done = inside(*again, "--existing", "fresh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(results)["oracle-decoder", "rec_l1_b"]["value"] == value


def test_a_run_that_lacks_the_weights_keeps_its_numbers(results, inside):
    """The artefacts of both cells are gone, and a new metric is asked for."""
    shutil.rmtree(results / "runs")
    before = record(results, "oracle-decoder")["metrics"]
    done = inside("run", "--methods", "oracle-decoder", *TINY, "--seeds", "0", "--metrics",
                  "rec_l1_b", "--results", results)  # fmt: skip
    assert done.returncode == 3
    assert "run --methods autoencoder,oracle-decoder --existing fresh" in done.stdout
    assert not list(results.glob("runs/autoencoder*"))
    after = record(results, "oracle-decoder")["metrics"]
    assert {name: after[name] for name in before} == before
    assert after["rec_l1_b"]["status"] == "failed"


@pytest.mark.parametrize("runs_left", [True, False])
def test_without_the_weights_a_fresh_run_keeps_what_is_there(runs_left, results, inside):
    weights = run_folder(results, "autoencoder").path
    shutil.rmtree(weights if runs_left else results / "runs")
    files = [path for path in results.rglob("*") if "oracle" in str(path.relative_to(results))]
    before = {path: path.read_bytes() for path in files if path.suffix in (".json", ".png")}
    assert {path.parent.name for path in before} >= {"records", "grids"}
    done = inside("run", "--methods", "oracle-decoder", "--existing", "fresh", *WANTED,
                  "--results", results)  # fmt: skip
    assert done.returncode == 3
    assert (
        "keeps its earlier numbers; needs the weights of the trained autoencoder cell (seed 0): "
        "run --methods autoencoder,oracle-decoder --existing fresh"
    ) in done.stdout
    assert {path: path.read_bytes() for path in before} == before
    assert rows(results)["oracle-decoder", "cf_skill_in_add"]["status"] == "ok"


def test_no_engine_makes_a_cell_again_without_the_weights(results, cache):
    """The driver of Ray asks the same question before it sends a cell."""
    pytest.importorskip("ray")
    from bench.runs.engines.base import Pending
    from bench.runs.engines.ray_driver import _submit

    cell = cell_of(record(results, "oracle-decoder"))
    store = Store(results)
    metrics = ("rec_l1_a", "cf_skill_in_add")
    job = Job(cell, "run", results, cache, metrics, None, "", again=True, seen=store.state(cell))
    shutil.rmtree(run_folder(results, "autoencoder").path)
    assert _submit(Pending(job), None, {}, is_cluster=False) == "unavailable"
    assert store.state(cell) == job.seen
    assert run_folder(results, "oracle-decoder").artefacts() is not None
    store.record_path(cell).unlink()  # without a record, there is a gap to write
    job = dataclasses.replace(job, seen="")
    assert _submit(Pending(job), None, {}, is_cluster=False) == "unavailable"
    assert record(results, "oracle-decoder")["status"] == "unavailable"
    assert run_folder(results, "oracle-decoder").artefacts() is not None


def test_its_identity_holds_the_configuration_of_the_autoencoder():
    methods = ("autoencoder", "oracle-decoder")
    plain = make_plan(Request(methods, seeds="0", precision="fp32"))
    other = make_plan(
        Request(methods, seeds="0", precision="fp32", settings=("autoencoder.width=8",))
    )
    for plan in (plain, other):
        trainer, anchor = plan.cells
        assert anchor.config == trainer.config
        assert anchor.weights_from == trainer
        assert anchor.weights_from.name == trainer.name
        assert trainer.weights_from is None
    assert plain.cells[1].id != other.cells[1].id
    assert other.cells[1].label == "oracle-decoder[width=8]"
    alone = make_plan(
        Request(("oracle-decoder",), precision="fp32", settings=("autoencoder.width=8",))
    )
    assert other.cells[1].id in {cell.id for cell in alone.cells}


def test_it_is_in_the_shard_of_its_autoencoder_and_in_the_last_wave():
    methods = ("oracle-decoder", "press2019", "autoencoder", "paste", "ufdn")
    plan = make_plan(Request(methods, seeds="0-3", precision="fp32"))
    shards = [take(plan, Shard(index, 3)).cells for index in (1, 2, 3)]
    assert sum(map(len, shards)) == len(plan.cells)
    for shard in shards:
        trainers = {cell.id for cell in shard if cell.method == "autoencoder"}
        wanted = {cell.weights_from.id for cell in shard if cell.method == "oracle-decoder"}
        assert wanted == trainers
    jobs = [Job(cell, "run", Path(), Path(), (), None, "") for cell in plan.cells]
    first, last = waves(jobs)
    assert {job.cell.method for job in last} == {"oracle-decoder"}
    assert len(first) + len(last) == len(jobs)
    assert waves(last) == [last]
