"""Records and baselines as people leave them: of other code, elsewhere, edited, cut short."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest

from bench.board.board import boards
from bench.board.frame import frame
from bench.check import baseline as baselines
from bench.check.findings import Finding, Layer, Verdict
from bench.check.reports import tell_github
from bench.records.merge import decide
from bench.records.read import cell_of
from bench.records.store import Store
from bench.utils.files.sealed import read_sealed, write_sealed

from .conftest import OWN_METHOD, TINY, rows
from .pictures import make_folder
from .test_board import record as board_record
from .test_check import folder, record, whole  # noqa: F401

MINE = OWN_METHOD.replace(
    "class Config(BaseConfig):", 'class Config(BaseConfig):\n        layers: str = "64"', 1
)
RATE = 0.00123456789


def write_method(path, more=""):
    path.parent.mkdir(exist_ok=True)
    path.write_text(MINE + more)
    return path


# --- 3: other code is another row ----------------------------------------------------------------


def made_by(source, seed, label="mine", **values):
    return board_record(label, seed, **values) | {"sources": {label: source} if source else {}}


def names(records):
    return sorted(set(frame(records)["method"]))


def test_seeds_of_an_edited_method_are_rows_apart(inside, baseline_of_folder, tmp_path):
    """case 3, as a user sees it: seed 0, an edit, seed 1; after a merge too."""
    results = shutil.copytree(baseline_of_folder / "r", tmp_path / "r")
    ((first,), _) = Store(results).records()
    second = first | {"identity": first["identity"] | {"seed": 1}, "sources": {"mine": "0" * 16}}
    cell = cell_of(second)
    write_sealed(Store(results).record_path(cell), second | {"id": cell.id})
    done = inside("leaderboard", "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(results)
    sources = (first["sources"]["mine"][:8], "00000000")
    assert {method for method, _ in found} == {
        f"{first['label']}{{source={source}}}" for source in sources
    }
    assert {row["n_seeds"] for row in found.values()} == {"1"}
    merged = inside("merge", results, "--into", tmp_path / "all")
    assert merged.returncode == 0
    assert rows(tmp_path / "all").keys() == found.keys()


def test_only_known_sources_tell_rows_apart():
    """case 3, siblings: a failed seed has no source; unlike sources may begin alike."""
    failed = made_by("", 2, fd_add=None)
    assert names([made_by("a" * 16, 0, fd_add=1.0), failed]) == ["mine"]
    two = [made_by("aaaaaaaa1", 0, fd_add=1.0), made_by("bbbbbbbb1", 1, fd_add=2.0)]
    assert names(two) == ["mine{source=aaaaaaaa}", "mine{source=bbbbbbbb}"]
    assert names([*two, failed]) == [*names(two), "mine{source=unknown}"]
    alike = [made_by("aaaaaaaa1", 0, fd_add=1.0), made_by("aaaaaaaa2", 1, fd_add=2.0)]
    one, other = names(alike)
    assert one.partition("#")[0] == other.partition("#")[0] == "mine{source=aaaaaaaa}"


def test_an_anchor_of_other_images_is_no_second_seed():
    """case 3, sibling."""
    other = board_record("copy-source", fd_add=3.0)
    other["identity"]["fingerprint"] = "other"
    records = [board_record("copy-source", fd_add=1.0), other]
    assert list(frame(records)["n_seeds"]) == [1, 1]
    (board,) = boards(records)
    assert board.order == ["copy-source{fingerprint=None}", "copy-source{fingerprint=other}"]


def test_a_metric_of_other_code_and_the_same_version_stays_one_row():
    """case 3, a decision: the version of a metric is what says that its values are others."""
    records = [made_by("s", at, fd_add=float(at)) for at in range(2)]
    records[1]["sources"]["image_quality"] = "edited"
    assert names(records) == ["mine"]


def test_numbers_of_two_codes_never_become_one_record():
    """case 3, sibling: a merge that would unite them."""
    ours, theirs = record(), record()
    del ours["metrics"]["fd_add"], theirs["metrics"]["z1_domain_acc"]
    assert decide(ours, theirs).action == "unite"
    theirs["sources"] = {"mine": "other"}
    verdict = decide(ours, theirs)
    assert verdict.action == "conflict"
    assert [vars(one) for one in verdict.differences] == [
        {"what": "the source of mine", "ours": "s", "theirs": "other"}
    ]


def test_a_copy_of_a_record_counts_once(tmp_path):
    """case 3, sibling: `cp record.json 'record (1).json'`, and a cell under two names."""
    place = tmp_path / "records"
    for name, finished in (("a", "2026"), ("b", "2027"), ("c", "2025")):
        write_sealed(place / f"{name}.json", record() | {"finished": finished})
    good, left_out = Store(tmp_path).records()
    assert [one["finished"] for one in good] == ["2027"]
    assert [one.path.name for one in left_out] == ["a.json", "c.json"]
    assert "b.json is of the same cell" in str(left_out[0])


# --- 10: places that cannot be written -----------------------------------------------------------


@pytest.fixture
def checked(inside, folder, tmp_path):  # noqa: F811
    """A baseline, records that pass, and how to check them."""
    path = tmp_path / "b.json"
    baselines.write(path, baselines.make(whole(), "smoke", "first", None, "now"), None)
    results = folder(whole(range(3)))
    return lambda *more: inside("check", path, "--results", results, *more), path


@pytest.mark.parametrize("place", ["", "missing/summary.md", "file/summary.md"])
def test_a_summary_that_cannot_be_written_is_a_note(place, checked, monkeypatch, tmp_path):
    """case 10: a folder, no such folder, a folder that is a file."""
    (tmp_path / "file").touch()
    check, path = checked
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / place) if place else str(tmp_path))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    (note,) = [line for line in done.stdout.splitlines() if "GITHUB_STEP_SUMMARY" in line]
    assert note.startswith("the summary is not in GITHUB_STEP_SUMMARY")
    edited = json.loads(path.read_text())
    edited["rows"][-1]["facts"]["steps"] += 1
    path.write_text(json.dumps({k: v for k, v in edited.items() if k != "seal"}))
    assert check().returncode == 1


@pytest.mark.parametrize("option", ["--json", "--junit", "--markdown"])
@pytest.mark.parametrize("place", ["", "file/report"])
def test_a_report_that_cannot_be_written_is_said_before_the_run(
    option, place, checked, monkeypatch, tmp_path
):
    """case 10, sibling: nothing is run for nothing."""
    monkeypatch.setattr("bench.check.check.run_cells", None)
    (tmp_path / "file").touch()
    done = checked[0](option, tmp_path / place, "--run")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot write {tmp_path / place}")
    assert len(done.stderr.splitlines()) == 1


def test_two_reports_are_two_files_and_a_baseline_has_a_place(checked, inside, folder, tmp_path):  # noqa: F811
    """case 10, siblings."""
    twice = checked[0]("--json", tmp_path / "x", "--junit", tmp_path / "." / "x")
    assert (twice.returncode, "two reports" in twice.stderr) == (2, True)
    (tmp_path / "file").touch()
    made = inside("baseline", tmp_path / "file" / "b.json", "--results", folder(whole()),
                  "--profile", "smoke", "--reason", "why")  # fmt: skip
    assert (made.returncode, "cannot write" in made.stderr) == (2, True)


def test_a_summary_takes_what_is_no_unicode(monkeypatch, tmp_path, capsys):
    """case 10, sibling: the name of a folder that is not UTF-8."""
    from rich.console import Console

    from bench.check.reports import as_markdown

    odd = [Finding(Verdict.FAILED, Layer.EXACT, "m on folder:\udcff", "x", said="\udcff")]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "s.md"))
    tell_github(Console(), odd, as_markdown(odd, 3, "b\udcff.json"))
    assert "folder:\\\\udcff" in (tmp_path / "s.md").read_text()


# --- 12 and 13: what was run is run again --------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    place = tmp_path_factory.mktemp("faces")
    make_folder(place / "plain", 120, seed=0)
    make_folder(place / "extra", 120, seed=1)
    return place


@pytest.fixture(scope="module")
def baseline_of_folder(cache, images, tmp_path_factory):
    """A baseline of the user's own images and method, with values that labels cannot hold."""
    from bench.cli.main import main

    place = tmp_path_factory.mktemp("base")
    plugin = write_method(place / "mine.py")
    shared = ("--plugin", plugin, "--cache-dir", cache)
    run = ("run", "--methods", "mine", "--task", "folder", "--a", images / "plain",
           "--b", images / "extra", "--resize", "pad", *TINY, "--set",
           "profile.budget_tflops=0.001",
           "--set", f"mine.learning_rate={RATE}", "--set", "mine.layers=32,64] =x",
           "--seeds", "0", "--metrics", "rec_l1_a", "--results", place / "r", "--engine", "inline",
           *shared)  # fmt: skip
    profile = "smoke[budget_tflops=0.001,probe_images=64,test_images=32,train_images=64]"
    write = ("baseline", place / "b.json", "--results", place / "r", "--profile", profile,
             "--reason", "first", "--no-golden", *shared)  # fmt: skip
    for arguments in (run, write):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        assert stopped.value.code == 0
    return place


def check_again(inside, place, results, *more):
    return inside("check", place / "b.json", "--run", "--results", results, "--plugin",
                  place / "mine.py", "--layers", "exact", *more)  # fmt: skip


def test_the_stored_identity_is_run_of_the_stored_images(
    inside, baseline_of_folder, tmp_path, monkeypatch
):
    """cases 12 and 13: to the last digit and the last bracket, without a word on the images."""
    monkeypatch.setattr("bench.runs.execute.ENGINES", _inline())
    monkeypatch.setattr("bench.check.rerun.chosen_metrics", lambda *_: {"rec_l1_a": 1, "params": 1})
    done = check_again(inside, baseline_of_folder, tmp_path / "now")
    assert done.returncode == 0, done.stdout + done.stderr
    ((then,), _), ((now,), _) = (
        Store(place).records() for place in (baseline_of_folder / "r", tmp_path / "now")
    )
    assert now["identity"] == then["identity"]
    assert now["label"] == then["label"] == 'mine[layers="32,64] =x",learning_rate=0.00123456789]'
    assert now["identity"]["config"]["learning_rate"] == RATE
    assert now["environment"]["options"] == then["environment"]["options"]
    assert now["metrics"]["rec_l1_a"]["value"] == then["metrics"]["rec_l1_a"]["value"]


def _inline():
    """Return engines of which each is the one of this process: torch is loaded once."""
    from bench.runs.engines.choose import ENGINES

    return dict.fromkeys(ENGINES, ENGINES["inline"])


def test_images_may_lie_elsewhere_and_must_be_the_same(
    inside, baseline_of_folder, images, tmp_path, monkeypatch
):
    """case 13, siblings: other paths, other images, a folder that is gone, no --run."""
    monkeypatch.setattr("bench.runs.execute.ENGINES", _inline())
    monkeypatch.setattr("bench.cell.run.train", None)
    moved = shutil.copytree(images, tmp_path / "moved")
    there = ("--a", moved / "plain", "--b", moved / "extra")
    found = check_again(inside, baseline_of_folder, tmp_path / "1", *there)
    assert found.returncode == 3, "it was run: the method failed, as nothing may train here"
    (moved / "plain" / "000.png").unlink()
    other = check_again(inside, baseline_of_folder, tmp_path / "2", *there, "--json",
                        tmp_path / "2.json")  # fmt: skip
    assert other.returncode == 4
    (told,) = json.loads((tmp_path / "2.json").read_text())["findings"]
    assert told["said"].startswith("its images have changed (")
    gone = check_again(inside, baseline_of_folder, tmp_path / "3", "--a", tmp_path / "none")
    assert (gone.returncode, len(gone.stderr.splitlines())) == (2, 1)
    assert "--a, --b and --data-root" in gone.stderr
    alone = inside("check", baseline_of_folder / "b.json", "--a", images)
    assert (alone.returncode, "--a: it is for --run" in alone.stderr) == (2, True)


def test_a_default_that_is_another_now_is_told_and_not_run(
    inside, baseline_of_folder, tmp_path, monkeypatch
):
    """case 12, sibling: what was set stands, what the code decides may not change unseen."""
    monkeypatch.setattr("bench.runs.execute.ENGINES", _inline())
    monkeypatch.setattr("bench.cell.run.train", None)
    place = tmp_path / "code"
    (shutil.copytree(baseline_of_folder, place) / "mine.py").unlink()
    text = MINE.replace("beta1: float = 0.5", "beta1: float = 0.7")
    assert text != MINE
    (place / "new.py").write_text(text)
    done = inside("check", place / "b.json", "--run", "--results", tmp_path / "r", "--plugin",
                  place / "new.py", "--json", tmp_path / "j.json")  # fmt: skip
    assert done.returncode == 4, done.stdout + done.stderr
    said = [one["said"] for one in json.loads((tmp_path / "j.json").read_text())["findings"]]
    assert "the code has changed: config.beta1: 0.5 -> 0.7" in said


def test_the_command_in_a_hint_gives_the_identity(inside, baseline_of_folder, tmp_path):
    """case 12, sibling: `score` names the command that makes a cell again."""
    results = shutil.copytree(baseline_of_folder / "r", tmp_path / "r")
    shutil.rmtree(results / "runs")
    done = inside("score", "--results", results, "--plugin", baseline_of_folder / "mine.py",
                  "--metrics", "rec_l1_b")  # fmt: skip
    assert done.returncode == 3
    assert "--set mine.learning_rate=0.00123456789 " in done.stdout
    assert "--set 'mine.layers=32,64] =x'" in done.stdout


def test_a_metric_of_no_form_loses_its_own_number_and_no_record(inside, tmp_path):
    """case 32, sibling: what a plug-in gives is looked at before it is written, not after."""
    plugin = tmp_path / "metric.py"
    plugin.write_text(
        "from bench.contracts.metric import Metric, MetricInfo, Result\n"
        "class Odd(Metric):\n    name = 'odd'\n    summary = 'odd'\n    version = 1\n"
        "    numbers = (MetricInfo(id='o1', unit='', better='higher', meaning=''),\n"
        "               MetricInfo(id='o2', unit='', better='lower', meaning=''))\n"
        "    def compute(self, wanted, artefacts, data, settings):\n"
        "        return {'o1': Result(1.0, n=2), 'o2': Result(None, n=2)}\n"
    )
    done = inside("run", "--methods", "copy-source", *TINY, "--metrics", "odd,rec_l1_a",
                  "--plugin", plugin, "--results", tmp_path / "r")  # fmt: skip
    assert done.returncode == 3
    assert "o2.value: expected a number, got null" in done.stdout
    ((kept,), damaged) = Store(tmp_path / "r").records()
    assert damaged == []
    assert kept["metrics"]["o2"]["status"] == "failed"


# --- 32: edited baselines ------------------------------------------------------------------------


def edit(baseline, *path, to=None, drop=False):
    """Change one thing in a copy of a baseline."""
    made = copy.deepcopy(baseline)
    place = made
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return made


ROW = ("rows", 2)
EDITS = {
    "null value": (("rows", 2, "metrics", "fd_add", "values", 0), None, "fd_add.values: expected"),
    "cpu time 0": (("rows", 2, "cpu_seconds", 0), 0, "cpu_seconds[0]: expected a number above 0"),
    "infinity": (("rows", 2, "metrics", "fd_add", "values", 0), float("nan"), "NaN is no number"),
    "huge": (("rows", 2, "metrics", "fd_add", "values", 0), 10**400, "is no number"),
    "a text": (("rows", 2, "metrics", "fd_add", "values", 0), "20", 'expected a number, got "20"'),
    "a truth": (("rows", 2, "metrics", "fd_add", "values", 0), True, "expected a number, got true"),
    "a seed less": (("rows", 2, "seeds"), [0, 1, 2], "10 values, expected one for each of 3 seeds"),
    "a seed twice": (("rows", 2, "seeds"), [0] * 10, "a seed stands there twice"),
    "rows are none": (("rows",), None, "rows: expected a list, got null"),
    "a claim of nothing": (("claims", "faces", "x"), 0, "claims.faces.x: expected a number above"),
    "another task": (("rows", 2, "task"), "other", "rows[2].task: not the task of its identity"),
    "golden": (("golden",), {"pixels": "p"}, "golden is without metrics, rows, training"),
    "an option": (("rows", 2, "options"), {"a": 7}, "rows[2].options.a: expected a text, got 7"),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_baseline_is_refused_in_one_line(case, checked):
    """case 32, without a seal."""
    check, path = checked
    where, value, said = EDITS[case]
    path.write_text(json.dumps(edit(read_sealed(path), *where, to=value)))
    done = check()
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"error: baseline {path} cannot be used: ")
    assert said in done.stderr


def keys_of(baseline):
    """Return the path of every key of a baseline's top, first row and first metric."""
    row = baseline["rows"][2]
    yield from ((key,) for key in baseline if key != "schema")
    yield from ((*ROW, key) for key in row if key != "mixed" and key != "options")
    yield from ((*ROW, "identity", key) for key in row["identity"])
    yield from ((*ROW, "metrics", "fd_add", key) for key in row["metrics"]["fd_add"])


def test_a_missing_key_is_named(checked):
    """case 32: each key in turn."""
    check, path = checked
    whole_one = read_sealed(path)
    for where in keys_of(whole_one):
        path.write_text(json.dumps(edit(whole_one, *where, drop=True)))
        done = check()
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), (where, done.stderr)
        assert f"without {where[-1]}" in done.stderr or "expected" in done.stderr


def test_nothing_to_compare_is_no_pass(checked):
    """case 32: no rows; siblings: no golden numbers and no other layer; too few seeds alone."""
    check, path = checked
    base = read_sealed(path)
    assert check("--layers", "golden").returncode == 4
    path.write_text(json.dumps(edit(base, "rows", to=[])))
    done = check()
    assert done.returncode == 4
    assert "there is nothing to compare" in done.stdout
    assert check("--run").returncode == 4
    row = edit(base, *ROW, "metrics", to={})
    row = edit(edit(row, *ROW, "facts", to={}), *ROW, "cpu_seconds", to=[None] * 10)
    path.write_text(json.dumps(row | {"rows": [row["rows"][2]], "claims": {}}))
    assert check("--layers", "statistical").returncode == 4


def test_a_training_too_short_for_the_clock_is_no_traceback(checked, folder):  # noqa: F811
    """case 32, sibling: records, not edited at all, whose CPU time is 0."""
    check, _ = checked
    records = whole(range(3))
    for one in records[:3]:
        one["facts"]["cpu_seconds"] = 0.0
    folder(records)
    done = check()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("identity", "config"), [], "identity.config: expected an object, got list"),
        (("identity", "numbers", "size"), "32", "identity.numbers.size: expected a whole number"),
        (("metrics", "fd_add", "detail"), 3, "metrics.fd_add.detail: expected an object, got 3"),
        (("metrics", "fd_add", "n"), None, "metrics.fd_add.n: expected a whole number"),
        (
            ("metrics", "fd_add", "status"),
            "fine",
            'metrics.fd_add.status: expected "ok", "not_applicable", "unavailable" or',
        ),
        (("metrics", "fd_add", "value"), None, "metrics.fd_add.value: expected a number, got null"),
        (("environment",), None, "environment: expected an object, got null"),
        (("facts", "scoring"), {"f": {}}, "facts.scoring.f is without cpu_seconds, numbers"),
        (("timings", "train"), "1 s", 'timings.train: expected a number, got "1 s"'),
    ],
)
def test_an_edited_record_is_left_out_and_says_why(where, value, said, tmp_path):
    """case 32, records: what is used later is looked at when they are read."""
    (tmp_path / "records").mkdir()
    path = tmp_path / "records" / "r.json"
    path.write_text(json.dumps(edit(record(), *where, to=value)))
    (good, (damaged,)) = Store(tmp_path).records()
    assert good == []
    assert said in str(damaged)
    path.write_text("[" * 100_000)
    assert "too deep" in str(Store(tmp_path).records()[1][0])


def test_committed_records_and_baselines_are_whole():
    """What is read anew is not refused: the records and baselines that come with the suite."""
    results = Path(__file__).parent.parent / "results"
    good, damaged = Store(results).records()
    assert (len(good) > 30, damaged) == (True, [])
    for name in ("smoke", "small"):
        assert baselines.read(results / "baselines" / f"{name}.json")["rows"]
