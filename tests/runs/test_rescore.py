"""Scoring of finished cells without training."""

from __future__ import annotations

import json
import shutil

import pytest

from bench.cell.job import Job
from bench.cell.run import run
from bench.contracts.protocol import PROTOCOL
from bench.records.read import cell_of
from bench.records.store import Store
from bench.utils.files.sealed import read_sealed
from tests.helpers import OWN_METHOD, change_identity, record_of, rows

COUNTED = """
from bench.contracts.metric import Metric, MetricInfo, Result
class Counted(Metric):
    name = "counted"
    summary = "says which version computed it"
    version = 1
    numbers = (
        MetricInfo(id="first", unit="", better="lower", meaning="none", needs=("add",)),
        MetricInfo(id="second", unit="", better="lower", meaning="none", needs=("add",)),
    )
    def compute(self, wanted, artefacts, data, settings):
        return {info.id: Result(VALUE, n=1) for info in wanted}
"""


def write_metric(path, version, value):
    text = COUNTED.replace("version = 1", f"version = {version}").replace("VALUE", value)
    path.write_text(text)
    return path


def trained(folder):
    """Return when each file that training leaves was written."""
    left = [path for name in ("weights.safetensors", "training.json", "artefacts.safetensors")
            for path in folder.glob(f"runs/*/{name}")]  # fmt: skip
    assert len(left) == 3
    return {path: path.stat().st_mtime_ns for path in left}


def test_what_a_record_lacks_is_computed_without_training(inside, results, monkeypatch):
    monkeypatch.setattr("bench.cell.run.train", None)
    before = trained(results)
    done = inside("score", "--metrics", "reconstruction,cf_skill_in_add", "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("start ") == 3
    table = rows(results)
    assert table["autoencoder", "rec_psnr_b"]["status"] == "ok"
    assert float(table["ground-truth", "cf_skill_in_add"]["value"]) == 1
    assert float(table["copy-source", "cf_skill_in_add"]["value"]) == 0
    assert ("autoencoder", "fd_add") not in table
    assert trained(results) == before
    again = inside("score", "--metrics", "reconstruction,cf_skill_in_add", "--results", results)
    assert again.returncode == 0
    assert "3 of 3 cells have a record already" in again.stdout
    assert "start " not in again.stdout


def test_all_metrics_that_can_be_had_are_computed(bench, results):
    """Once as users run it, in processes."""
    done = bench("score", "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    table = rows(results)
    assert table["autoencoder", "z1_domain_acc"]["status"] == "ok"
    assert table["ground-truth", "fd_remove"]["status"] == "ok"


def test_a_version_that_rose_a_failure_and_fresh(inside, results, tmp_path):
    """What is computed again under each policy, by the value that each computation leaves."""
    plugin = tmp_path / "metric.py"
    before = trained(results)

    def scored(version, value, *more):
        write_metric(plugin, version, value)
        # another path each time: a module is imported once
        path = shutil.copy(plugin, tmp_path / f"metric{len(list(tmp_path.iterdir()))}.py")
        done = inside("score", "--methods", "autoencoder", "--plugin", path,
                      "--results", results, *more)  # fmt: skip
        metrics = record_of(results, "autoencoder")["metrics"]
        return done.returncode, [metrics[name]["value"] for name in ("first", "second")]

    only = ("--metrics", "counted")
    assert scored(1, "1.0", *only) == (0, [1, 1])
    assert scored(1, "2.0", *only) == (0, [1, 1])
    assert scored(2, "3.0", *only) == (0, [3, 3])
    assert scored(2, "4.0", "--metrics", "second", "--existing", "fresh") == (0, [3, 4])
    assert scored(3, "1 / 0", *only) == (3, [None, None])
    assert scored(3, "5.0", *only, "--existing", "resume") == (3, [None, None])
    assert scored(3, "5.0", *only) == (0, [5, 5])
    assert scored(3, "6.0", *only, "--existing", "fresh") == (0, [6, 6])
    assert trained(results) == before
    assert record_of(results, "autoencoder")["metrics"]["rec_l1_a"]["status"] == "ok"


FILTERS = {
    "method": (["--methods", "autoencoder"], {"autoencoder"}),
    "all": (["--methods", "all"], {"autoencoder", "ground-truth", "copy-source"}),
    "task": (["--tasks", "avatars-glasses", "--methods", "copy-source"], {"copy-source"}),
    "profile": (["--profile", "smoke"], {"autoencoder", "ground-truth", "copy-source"}),
    "seed": (["--seeds", "0", "--methods", "ground-truth,copy-source"],
             {"ground-truth", "copy-source"}),
}  # fmt: skip


@pytest.mark.parametrize("case", FILTERS)
def test_options_choose_records(case, inside, results):
    arguments, expected = FILTERS[case]
    done = inside("score", "--metrics", "cf_harm_out_add", *arguments, "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {method for method, metric in rows(results) if metric == "cf_harm_out_add"} == expected


def test_a_label_with_settings_chooses_its_record(inside, results):
    """The command is that of the identity: how a label shows its values does not count."""
    path = next((results / "records").glob("autoencoder*"))
    record = read_sealed(path)
    label = "autoencoder[width=8,learning_rate=0.5]"
    config = record["identity"]["config"] | {"width": 8, "learning_rate": 0.500000001}
    chosen = {"autoencoder.width": 8, "autoencoder.learning_rate": config["learning_rate"]}
    record |= {"label": label, "identity": record["identity"] | {"config": config}}
    record["settings"] |= chosen
    cell = cell_of(record)
    store = Store(results)
    path.unlink()
    store.record_path(cell).write_text(json.dumps(record | {"id": cell.id}))
    done = inside("score", "--methods", label, "--metrics", "rec_l1_b", "--results", results)
    assert done.returncode == 3
    assert "--set autoencoder.width=8" in done.stdout
    assert "--set autoencoder.learning_rate=0.500000001" in done.stdout
    assert "--set profile.budget_tflops=0.01" in done.stdout


def damage_folder(results):
    shutil.rmtree(results / "runs")


def damage_artefacts(results):
    next(results.glob("runs/*/artefacts.safetensors")).write_bytes(b"half of it")


def other_id(results):
    path = next((results / "records").glob("autoencoder*"))
    path.write_text(json.dumps(read_sealed(path) | {"id": "0" * 16}))


REFUSED = {
    "folder": (damage_folder, "its artefacts are missing or damaged; `python -m bench run "
               "--methods autoencoder --tasks avatars-glasses --profile smoke --seeds 0"),
    "artefacts": (damage_artefacts, "its artefacts are missing or damaged; `python"),
    "fingerprint": (lambda r: change_identity(r, fingerprint="0" * 16),
                    "the images of task avatars-glasses have changed; `python -m bench run"),
    "protocol": (lambda r: change_identity(r, protocol=PROTOCOL + 1),
                 f"protocol {PROTOCOL + 1} made its record, and this version scores by protocol"),
    "method": (lambda r: change_identity(r, method="gone"), "method 'gone' is unknown here"),
    "task": (lambda r: change_identity(r, task="gone"), "task 'gone' is unknown here"),
    "id": (other_id, "another version of the suite wrote its record, or it was renamed; `python"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_scored_is_said_and_the_others_are(case, inside, results, monkeypatch):
    monkeypatch.setattr("bench.cell.run.train", None)
    harm, expected = REFUSED[case]
    harm(results)
    done = inside("score", "--metrics", "cf_harm_out_add", "--results", results)
    assert done.returncode == 3
    assert done.stderr == ""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("not scored: ")]
    assert line.startswith("not scored: autoencoder on ")
    assert expected in line
    table = rows(results)
    assert table["ground-truth", "cf_harm_out_add"]["status"] == "ok"
    assert ("autoencoder", "cf_harm_out_add") not in table
    assert inside("score", "--metrics", "rec_l1_a", "--results", results).returncode == (
        3 if case == "id" else 0
    ), "nothing was to be computed for it"


def test_a_job_that_may_not_train_never_does(results, cache, monkeypatch):
    """Also when the artefacts vanish after a cell was found to be fit for scoring."""
    monkeypatch.setattr("bench.cell.run.train", None)
    record = record_of(results, "autoencoder")
    shutil.rmtree(results / "runs")
    job = Job(cell_of(record), "score", results, cache, ("rec_l1_a", "rec_l1_b"), None, "",
              may_train=False)  # fmt: skip
    assert run(job, lambda *_: None) == "failed"
    after = record_of(results, "autoencoder")
    assert after["metrics"]["rec_l1_a"] == record["metrics"]["rec_l1_a"]
    assert "artefacts are missing" in after["metrics"]["rec_l1_b"]["reason"]


def test_a_worker_that_dies_loses_no_earlier_number(bench, inside, results, tmp_path):
    plugin = tmp_path / "metric.py"
    arguments = ("score", "--metrics", "counted", "--methods", "copy-source", "--plugin", plugin)
    arguments += ("--results", results, "--existing", "fresh")
    write_metric(plugin, 1, "1.0")
    assert inside(*arguments).returncode == 0
    write_metric(plugin, 1, "__import__('os').abort()")
    done = bench(*arguments)
    assert done.returncode == 3
    assert "failed: copy-source seed 0: no new numbers" in done.stdout
    assert record_of(results, "copy-source")["metrics"]["first"]["value"] == 1


def test_damaged_and_failed_records_are_counted(inside, results):
    (results / "records" / "broken.json").write_text("{")
    path = next((results / "records").glob("copy-source*"))
    path.write_text(json.dumps(read_sealed(path) | {"status": "failed"}))
    done = inside("score", "--metrics", "cf_harm_out_add", "--results", results)
    assert done.returncode == 3
    assert "1 of 3 cells failed and left nothing to score" in done.stdout
    assert "broken.json is left out" in done.stdout


def test_a_method_of_the_users_own_is_scored_with_its_file(inside, results, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(OWN_METHOD)
    change_identity(results, method="mine")
    arguments = ("score", "--metrics", "rec_l1_b", "--results", results)
    refused = inside(*arguments)
    assert refused.returncode == 3
    assert "method 'mine' is unknown here: give its file with --plugin" in refused.stdout
    assert inside(*arguments, "--plugin", plugin).returncode == 0


WRONG_CHOICE = {
    "method": (("--methods", "autoencode"), "'autoencode'; did you mean 'autoencoder'?"),
    "not run": (("--methods", "drit"), "unknown method among the records 'drit'"),
    "task": (("--tasks", "avatar-glasses"), "did you mean 'avatars-glasses'?"),
    "profile": (("--profile", "small"), "unknown profile among the records 'small'"),
    "seeds": (("--seeds", "7"), "no usable record"),
    "seed form": (("--seeds", "x"), "--seeds 'x'"),
    "empty seeds": (("--seeds", ""), "--seeds ''"),
}


@pytest.mark.parametrize("case", WRONG_CHOICE)
def test_a_choice_that_fits_no_record(case, inside, finished):
    arguments, expected = WRONG_CHOICE[case]
    done = inside("score", *arguments, "--results", finished)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert expected in done.stderr
