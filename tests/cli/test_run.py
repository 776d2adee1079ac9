"""`run`, end to end, as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import torch

from bench.board.frame import COLUMNS
from bench.cell.run_folder import RunFolder
from bench.contracts.anchors import ANCHORS, WITHOUT_SEED
from bench.utils.files.sealed import read_sealed
from tests.helpers import FAILING_METHOD, FEW_METRICS, OWN_METHOD, TINY, numbers, rows

IDS = [
    *("fd_add", "fd_remove", "z1_domain_acc", "z1_domain_acc_linear"),
    *("rec_l1_a", "rec_l1_b", "rec_psnr_a", "rec_psnr_b", "rec_ssim_a", "rec_ssim_b"),
    *("cf_skill_in_add", "cf_skill_in_remove", "cf_harm_out_add", "cf_harm_out_remove"),
    *("cf_rank_add", "train_images_per_s", "infer_images_per_s", "latency_ms_p50"),
    *("latency_ms_p95", "peak_memory_mb", "params", "flops_infer"),
]
FAMILIES = "image_quality,domain_probe,reconstruction,counterfactual,cost"
"""What of the metrics the tests of this file look at; `tests.gate` scores all with every method."""


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """A results folder in which all methods have run."""
    folder = tmp_path_factory.mktemp("results")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "--methods", "all", *TINY, "--metrics", FAMILIES,
         "--results", folder, "--cache-dir", cache],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def test_all_methods_leave_records_tables_and_pictures(finished):
    from PIL import Image

    from tests.helpers import REGISTRY

    plugins = REGISTRY.all("method")
    methods = [p.name for p in plugins if p.facts.get("supervision", "domain") == "domain"]
    anchors = list(ANCHORS)
    table = rows(finished)
    assert list(next(iter(table.values()))) == list(COLUMNS)
    assert {method for method, _ in table} == {*methods, *anchors}
    for method in methods:
        for metric in IDS:
            assert table[method, metric]["status"] == "ok", table[method, metric]
    assert table["copy-source", "params"]["status"] == "not_applicable"
    assert float(table["ground-truth", "cf_skill_in_add"]["value"]) == 1
    assert float(table["copy-source", "cf_rank_add"]["value"]) == 0.5
    assert len(list((finished / "records").glob("*.json"))) == len(methods) + len(anchors)
    for picture in [*finished.glob("grids/*.png"), *finished.glob("overview-*.png")]:
        with Image.open(picture) as image:
            assert image.size[0] > 300
    assert len(list(finished.glob("grids/*.png"))) == len(methods) + len(anchors)
    assert len(list(finished.glob("overview-*.png"))) == 1
    text = (finished / "leaderboard.md").read_text()
    assert "cf_skill_in_add (up)" in text
    assert "training FLOPs" in text


def test_records_say_what_they_ran_on(finished):
    for path in (finished / "records").glob("press2019*.json"):
        record = json.loads(path.read_text())
        assert record["environment"]["torch"]
        assert "--methods all" in record["environment"]["command"]
        assert record["identity"]["config"]["sep"] == 25
        assert (
            record["facts"]["flops"] == record["facts"]["steps"] * record["facts"]["flops_per_step"]
        )
        assert record["facts"]["flops"] <= 0.01e12
        assert record["sources"]["press2019"]


def test_second_run_trains_nothing(finished, inside, cache):
    before = {p: p.stat().st_mtime_ns for p in (finished / "records").iterdir()}
    done = inside("run", "--methods", "all", *TINY, "--metrics", FAMILIES, "--results", finished)
    assert done.returncode == 0
    assert " cells have a record already" in done.stdout
    assert "start" not in done.stdout
    assert {p: p.stat().st_mtime_ns for p in (finished / "records").iterdir()} == before


def test_a_changed_profile_has_pictures_of_its_own(finished):
    """Else a trial would put its picture in the place of the profile's."""
    (picture,) = finished.glob("overview-*.png")
    assert re.fullmatch(r"overview-avatars-glasses-smoke-[0-9a-f]{8}\.png", picture.name)


def test_another_folder_and_engine_give_the_same_bits(finished, inside, tmp_path):
    done = inside("run", "--methods", "all", *TINY, *FEW_METRICS, "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found, expected = numbers(tmp_path), numbers(finished)
    assert {method for method, _ in found} == {method for method, _ in expected}
    assert found == {key: expected[key] for key in found}
    compared = 0
    for run in (tmp_path / "runs").iterdir():
        here, there = (RunFolder(f / "runs" / run.name).artefacts() for f in (tmp_path, finished))
        assert here.absent == there.absent
        assert here.tensors.keys() == there.tensors.keys()
        assert all(torch.equal(here.tensors[key], there.tensors[key]) for key in there.tensors)
        compared += 1
    assert compared == len({method for method, _ in found} - WITHOUT_SEED)


def test_a_metric_that_is_missing_is_scored_without_training(inside, tmp_path):
    first = inside("run", "--methods", "autoencoder", *TINY, "--results", tmp_path,
                  "--metrics", "reconstruction")  # fmt: skip
    assert first.returncode == 0, first.stdout + first.stderr
    (record,) = (tmp_path / "records").glob("*.json")
    assert set(json.loads(record.read_text())["metrics"]) == {i for i in IDS if "rec_" in i}
    trained = (tmp_path / "runs" / record.stem / "training.json").stat().st_mtime_ns
    second = inside("run", "--methods", "autoencoder", *TINY, "--results", tmp_path,
                   "--metrics", "cf_rank_add,reconstruction")  # fmt: skip
    assert second.returncode == 0
    assert (tmp_path / "runs" / record.stem / "training.json").stat().st_mtime_ns == trained
    assert "cf_rank_add" in json.loads(record.read_text())["metrics"]


def test_a_setting_has_its_own_row(finished, inside):
    done = inside("run", "--methods", "press2019", *TINY, *FEW_METRICS, "--results", finished,
                 "--set", "press2019.confusion_weight=0")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = rows(finished)
    assert ("press2019[confusion_weight=0]", "fd_add") in table
    assert ("press2019", "fd_add") in table


def test_retry_and_fresh_do_again_what_they_say(inside, cache, tmp_path):
    """The whole table: a record that is good, failed, or missing, under each policy."""
    plugin = tmp_path / "broken.py"
    plugin.write_text(FAILING_METHOD.replace("HOW", "raise RuntimeError('out of luck')"))
    methods = ("run", "--methods", "broken,copy-source", *TINY, "--plugin", plugin)
    where = ("--results", tmp_path / "results")
    expected = [("resume", 2), ("resume", 0), ("retry", 1), ("fresh", 2)]
    for existing, started in expected:
        done = inside(*methods, *where, "--existing", existing)
        assert done.returncode == 3
        assert done.stdout.count("start ") == started, (existing, done.stdout)


def test_a_changed_source_is_said_and_not_mixed_in(inside, cache, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(OWN_METHOD)
    arguments = ("run", "--methods", "mine", *TINY, "--plugin", plugin, "--results", tmp_path / "r")
    arguments += ("--metrics", "reconstruction")
    assert inside(*arguments).returncode == 0
    plugin.write_text(plugin.read_text() + "\n# a comment\n")
    assert "stale" not in inside(*arguments).stdout
    plugin.write_text(plugin.read_text() + "\nCHANGED = True\n")
    again = inside(*arguments)
    assert again.returncode == 0
    assert "stale: the source of mine has changed" in again.stdout
    assert "start" not in again.stdout
    before = json.loads(next((tmp_path / "r" / "records").iterdir()).read_text())
    assert inside(*arguments[:-1], "reconstruction,cf_rank_add").returncode == 0
    after = json.loads(next((tmp_path / "r" / "records").iterdir()).read_text())
    assert after["sources"]["mine"] == before["sources"]["mine"]
    assert "cf_rank_add" in after["metrics"]
    fresh = inside(*arguments, "--existing", "fresh")
    assert "stale" in fresh.stdout
    assert "stale" not in inside(*arguments).stdout


def test_a_cell_whose_folder_is_gone_is_run_again_as_a_whole(inside, tmp_path):
    import shutil

    arguments = ("run", "--methods", "autoencoder", *TINY, "--results", tmp_path, "--metrics")
    assert inside(*arguments, "rec_l1_a").returncode == 0
    shutil.rmtree(tmp_path / "runs")
    assert inside(*arguments, "rec_l1_b").returncode == 0
    (record,) = (tmp_path / "records").iterdir()
    assert set(json.loads(record.read_text())["metrics"]) == {"rec_l1_b"}


def test_results_folder_that_is_a_file(inside, tmp_path):
    file = tmp_path / "results"
    file.write_text("precious")
    done = inside("run", "--methods", "ground-truth", *TINY, "--results", file)
    assert done.returncode == 2
    assert "is a file: name a folder with --results" in done.stderr
    assert file.read_text() == "precious"


def test_results_folder_that_cannot_be_written(inside, tmp_path):
    """A read-only mount: permissions do not stop root."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        done = inside(
            "run",
            "--engine",
            "inline",
            "--methods",
            "ground-truth",
            *TINY,
            "--results",
            tmp_path / "r",
        )
        assert done.returncode == 2
        assert "cannot write the results folder" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    "harm", ["truncate", "text", "keys", "schema", "list", "entry", "identity", "value", "facts"]
)
def test_a_damaged_record_is_named_and_left_out(harm, finished, inside, tmp_path):
    import shutil

    shutil.copytree(finished / "records", tmp_path / "records")
    victim = next((tmp_path / "records").glob("autoencoder*"))
    record = read_sealed(victim)
    victim.write_text(
        {
            "truncate": victim.read_text()[:300],
            "text": "not JSON",
            "keys": json.dumps({k: v for k, v in record.items() if k != "metrics"}),
            "schema": json.dumps(record | {"schema": 99}),
            "list": "[]",
            "entry": json.dumps(record | {"metrics": {"cf_rank_add": 3}}),
            "identity": json.dumps(record | {"identity": {}}),
            "value": victim.read_text().replace('"value": 0.5,', '"value": "abc",'),
            "facts": json.dumps(record | {"facts": {"steps": "x"}}),
        }[harm]
    )
    done = inside("leaderboard", "--results", tmp_path)
    assert done.returncode == 0
    assert f"record {victim} is left out" in done.stdout
    assert "Traceback" not in done.stderr
    methods = {method for method, _ in rows(tmp_path)}
    assert "autoencoder" not in methods
    assert "ground-truth" in methods


def test_dry_run_does_nothing(inside, finished, tmp_path):
    done = inside(
        "run",
        "--engine",
        "inline",
        "--methods",
        "all",
        *TINY,
        "--dry-run",
        "--results",
        tmp_path / "new",
    )
    assert done.returncode == 0
    assert "no earlier record is like them" in done.stdout
    assert not (tmp_path / "new").exists()
    known = inside("run", "--methods", "all", *TINY, "--dry-run", "--results", finished,
                  "--existing", "fresh")  # fmt: skip
    assert " cells, " in known.stdout
    assert "no earlier record" not in known.stdout
