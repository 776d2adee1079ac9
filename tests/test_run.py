"""The command line, end to end, as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from bench.board.frame import COLUMNS
from bench.cell.run_folder import RunFolder
from bench.contracts.anchors import ANCHORS
from bench.utils.files.sealed import read_sealed

from .conftest import OWN_METHOD, TINY, numbers, rows

IDS = [
    *("fd_add", "fd_remove", "z1_domain_acc", "z1_domain_acc_linear"),
    *("rec_l1_a", "rec_l1_b", "rec_psnr_a", "rec_psnr_b", "rec_ssim_a", "rec_ssim_b"),
    *("cf_skill_in_add", "cf_skill_in_remove", "cf_harm_out_add", "cf_harm_out_remove"),
    *("cf_rank_add", "train_images_per_s", "infer_images_per_s", "latency_ms_p50"),
    *("latency_ms_p95", "peak_memory_mb", "params", "flops_infer"),
]
FAMILIES = "image_quality,domain_probe,reconstruction,counterfactual,cost"
"""What of the metrics the tests of this file look at; `tests.gate` scores all with every method."""
QUICK = ("--metrics", "image_quality,reconstruction,counterfactual")


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

    from .conftest import REGISTRY

    plugins = REGISTRY.all("method")
    methods = [p.name for p in plugins if p.facts.get("supervision", "domain") == "domain"]
    anchors = ["ground-truth", "copy-source", "copy-guide"]
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
    done = inside("run", "--methods", "all", *TINY, *QUICK, "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found, expected = numbers(tmp_path), numbers(finished)
    assert {method for method, _ in found} == {method for method, _ in expected}
    assert found == {key: expected[key] for key in found}
    compared = 0
    for run in (tmp_path / "runs").iterdir():
        here, there = (RunFolder(f / "runs" / run.name).artefacts() for f in (tmp_path, finished))
        if here is None:  # an anchor
            continue
        assert here.absent == there.absent
        assert here.tensors.keys() == there.tensors.keys()
        assert all(torch.equal(here.tensors[key], there.tensors[key]) for key in there.tensors)
        compared += 1
    assert compared == len({method for method, _ in found} - set(ANCHORS))


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
    done = inside("run", "--methods", "press2019", *TINY, *QUICK, "--results", finished,
                 "--set", "press2019.confusion_weight=0")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    table = rows(finished)
    assert ("press2019[confusion_weight=0]", "fd_add") in table
    assert ("press2019", "fd_add") in table


def test_retry_and_fresh_do_again_what_they_say(inside, cache, tmp_path):
    """The whole table: a record that is good, failed, or missing, under each policy."""
    plugin = tmp_path / "broken.py"
    plugin.write_text(FAILING.replace("HOW", "raise RuntimeError('out of luck')"))
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


BROKEN_METRIC = """
from bench.contracts.metric import Metric, MetricInfo
class Broken(Metric):
    name = "broken"
    summary = "fails"
    version = 1
    numbers = (MetricInfo(id="broken", unit="", better="lower", meaning="none"),)
    def compute(self, wanted, artefacts, data, settings):
        raise ArithmeticError("no luck")
"""


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


def test_a_cell_whose_folder_is_gone_is_run_again_as_a_whole(inside, tmp_path):
    import shutil

    arguments = ("run", "--methods", "autoencoder", *TINY, "--results", tmp_path, "--metrics")
    assert inside(*arguments, "rec_l1_a").returncode == 0
    shutil.rmtree(tmp_path / "runs")
    assert inside(*arguments, "rec_l1_b").returncode == 0
    (record,) = (tmp_path / "records").iterdir()
    assert set(json.loads(record.read_text())["metrics"]) == {"rec_l1_b"}


PLUGINS = {
    "abstract": (
        "from bench.contracts.method import Method\nclass M(Method):\n    name: str = 'm'\n",
        "method 'm' does not define add, decode",
    ),
    "numbers": (BROKEN_METRIC.replace("numbers = (", "numbers = tuple() or ("), "no literal"),
    "twice": (BROKEN_METRIC.replace('id="broken"', 'id="fd_add"'), "gives fd_add already"),
    "reserved": (
        BROKEN_METRIC.replace("Metric", "Method").replace('"broken"', '"copy-source"'),
        "the name 'copy-source' is the suite's own",
    ),
    "import": ("import nothing_of_this_name\n" + BROKEN_METRIC, "cannot import plug-in"),
    "syntax": ("class Broken(:", "cannot read plug-in"),
    "empty": ("x = 1", "holds no plug-in"),
}


@pytest.mark.parametrize("case", PLUGINS)
def test_a_broken_plugin_is_one_line(case, inside, tmp_path):
    text, expected = PLUGINS[case]
    plugin = tmp_path / "mine.py"
    plugin.write_text(text)
    methods = "m" if case == "abstract" else "ground-truth"
    where = ("--plugin", plugin, "--results", tmp_path / "r")
    done = inside("run", "--methods", methods, *TINY, *where)
    assert done.returncode == 2, done.stdout + done.stderr
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


FAILING = '''
from bench.contracts.method import Method, BaseConfig
class Broken(Method):
    """Fails in its first step."""
    name = "broken"
    summary = "fails"
    paper = "none"
    guided = False
    published_steps = 1
    Config = BaseConfig
    def __init__(self, spec, config):
        super().__init__(spec, config)
        import torch
        self.weight = torch.nn.Parameter(torch.zeros(1))
    def optimizers(self):
        return {}
    def training_step(self, batch):
        HOW
    def encode(self, x, domain): ...
    def decode(self, codes, domain): ...
    def add(self, a, guide): ...
    def remove(self, b): ...
'''


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
    plugin.write_text(FAILING.replace("HOW", how))
    run = bench if status == "lost" else inside  # what kills a process needs one of its own
    done = run("run", "--methods", "broken,ground-truth", *TINY, *QUICK, "--plugin", plugin,
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
    again = inside("run", "--methods", "broken", *TINY, *QUICK, "--plugin", plugin,
                   "--results", tmp_path)  # fmt: skip
    assert again.returncode == 3
    assert "start" not in again.stdout


def test_workers_die_with_their_parent(cache, tmp_path):
    import os
    import signal

    plugin = tmp_path / "broken.py"
    mark = tmp_path / "alive"
    how = (
        f"import time, pathlib; m = pathlib.Path({str(mark)!r})\n        while True:\n"
        "            m.write_text(str(time.time())); time.sleep(0.05)"
    )
    plugin.write_text(FAILING.replace("HOW", how))
    parent = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--methods", "broken", *TINY, "--plugin", plugin,
         "--results", tmp_path, "--cache-dir", cache],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.time() + 60
    while not mark.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    time.sleep(1)
    last = mark.read_text()
    time.sleep(0.5)
    assert mark.read_text() == last


def test_an_interrupt_says_how_to_go_on(inside, tmp_path, monkeypatch):
    import bench.runs.execute

    def interrupted(*_):
        raise KeyboardInterrupt

    arguments = ("run", "--methods", "copy-source", *TINY, "--results", tmp_path)
    monkeypatch.setitem(bench.runs.execute.ENGINES, "inline", interrupted)
    monkeypatch.setattr(bench.runs.execute, "prepare", lambda *_, **__: SimpleNamespace(facts={}))
    done = inside(*arguments)
    assert done.returncode == 130
    assert done.stderr.startswith("interrupted: repeat the command to continue")


WRONG = {
    "method": (["--methods", "pres2019"], "unknown method 'pres2019'; did you mean 'press2019'?"),
    "task": (["--task", "avatar-glasses"], "unknown task 'avatar-glasses'; did you mean"),
    "metric": (["--metrics", "fd_ad"], "unknown metric 'fd_ad'; did you mean 'fd_add'?"),
    "profile": (["--profile", "smal"], "unknown profile 'smal'; did you mean 'small'?"),
    "seeds": (["--seeds", "x"], "--seeds 'x': expected whole numbers such as 0,1,2 or 0-4"),
    "empty seeds": (["--seeds", ""], "--seeds '': expected whole numbers"),
    "seed range": (["--seeds", "4-0"], "a range is empty"),
    "field": (["--set", "press2019.separate=3"], "unknown field of press2019 'separate'"),
    "type": (["--set", "press2019.sep=many"], "press2019.sep=many: expected int, got 'many'"),
    "choice": (["--set", "press2019.confusion=none"], "expected plain | adversarial, got 'none'"),
    "value": (["--set", "press2019.sep=100000"], "sep is 100000"),
    "negative": (["--set", "press2019.learning_rate=-1"], "learning rate"),
    "size": (["--set", "profile.size=48"], "image size 48 does not fit"),
    "form": (["--set", "press2019"], "expected METHOD.FIELD=VALUE"),
    "owner": (["--set", "press.sep=3"], "unknown owner of a setting 'press'; did you mean"),
    "not run": (["--methods", "autoencoder", "--set", "press2019.sep=3"], "not among the methods"),
    "batch": (["--set", "press2019.batch_size=0"], "batch_size is 0"),
    "width": (["--set", "autoencoder.width=0"], "width is 0"),
    "empty range": (["--seeds", "4-0,7"], "a range is empty"),
    "jobs": (["--jobs", "0"], "--jobs: expected at least 1"),
    "device": (["--device", "gpu"], "unknown device 'gpu'"),
    "precision": (["--precision", "fp16"], "unknown precision 'fp16'"),
    "option": (["--method", "all"], "--method"),
    "fid": (["--metrics", "fid_add"], "metric fid_add: no weights: give --inception FILE"),
    "inception": (["--inception", "nowhere.pth"], "no such file"),
    "plugin": (["--plugin", "nowhere.py"], "no plug-in file nowhere.py"),
    "existing": (["--existing", "maybe"], "maybe"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_line_and_exit_code_2(case, tmp_path, inside):
    arguments, expected = WRONG[case]
    done = inside("run", *arguments, "--results", tmp_path / "results")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0]
    assert not (tmp_path / "results").exists()


def test_wrong_hash_of_inception(inside, tmp_path):
    weights = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    weights.write_bytes(b"a page that says the quota is used up")
    done = inside("run", "--inception", weights, "--results", tmp_path)
    assert done.returncode == 2
    assert "its sha256 begins with" in done.stderr


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


def test_leaderboard_without_records(inside, tmp_path):
    done = inside("leaderboard", "--results", tmp_path)
    assert done.returncode == 2
    assert "no records in" in done.stderr


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


@pytest.mark.parametrize("arguments", [["--help"], ["list", "methods"], ["list", "metrics"],
                                       ["list", "tasks"], ["list", "profiles"], ["run", "--help"],
                                       ["score", "--help"], ["merge", "--help"],
                                       ["clean", "--results", "results"],
                                       ["--version"]])  # fmt: skip
def test_what_needs_no_torch_imports_none(arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bench", *arguments],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "pandas", "sklearn", "scipy", "torchvision"}


def test_a_folder_of_the_same_name_shadows_nothing(tmp_path):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "__init__.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "metrics.py").write_text("raise SystemExit('shadowed')")
    code = (
        "from bench.contracts.registry import Registry; r = Registry(); "
        "print(r.find('method', 'press2019').load().name, r.find('metric', 'cost').load().name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == ["press2019", "cost"], done.stderr
