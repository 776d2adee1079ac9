"""The regression check: its statistics, verdicts and exit codes, and what it says of records."""

from __future__ import annotations

import copy
import itertools
import json
import re
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from bench.check import baseline as baselines
from bench.check import gate, speed
from bench.check.compare import compare_records
from bench.check.findings import Finding, Layer, Verdict, exit_code, worst_first
from bench.check.orderings import gaps, smallest
from bench.check.reports import as_json, as_junit, as_markdown, github_lines, tell_github
from bench.records.select import Choice
from bench.utils.errors import Exit, UserError
from bench.utils.files.sealed import write_sealed
from bench.utils.hashing import hash_of

ROOT = Path(__file__).parent.parent
LAYERS = ("exact", "ordering", "statistical")

# --- statistics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0.0, 0.4, 2.0])
def test_the_tests_are_those_of_scipy(limit):
    random = np.random.default_rng(0)
    base, new = random.normal(0, 1, 10), random.normal(0.8, 2, 5)
    ours = gate.chance_above(gate.welch(base, new), limit)
    theirs = stats.ttest_ind(new - limit, base, equal_var=False, alternative="greater").pvalue
    assert ours == pytest.approx(theirs, rel=1e-10)
    ours = gate.chance_above(gate.paired(base[:5], new), limit)
    theirs = stats.ttest_rel(new - limit, base[:5], alternative="greater").pvalue
    assert ours == pytest.approx(theirs, rel=1e-10)


def test_holm_by_hand():
    assert gate.holm([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert gate.holm([0.03, 0.02], 0.05) == [True, True]
    assert gate.holm([], 0.05) == []


def simulated(base_seeds, new_seeds, shift, tolerance, draws=1500):
    """Return the share of each verdict where the tolerance is a multiple of the true spread."""
    random = np.random.default_rng(base_seeds * 100 + new_seeds)
    verdicts = []
    for _ in range(draws):
        base = random.normal(0, 1, base_seeds)
        new = random.normal(shift, 1, new_seeds)
        verdicts += gate.judge([gate.Comparison(gate.welch(base, new), tolerance)])
    return {name: verdicts.count(name) / draws for name in {*verdicts, "regressed"}}


@pytest.mark.parametrize(
    ("seeds", "tolerance", "passed"),
    [((3, 3), 2, 0.59), ((5, 5), 2, 0.88), ((10, 5), 2, 0.95), ((10, 10), 1, 0.69)],
)
def test_unchanged_code_passes_as_often_as_was_worked_out(seeds, tolerance, passed):
    """STATS, section 2: the chance that no change passes a non-inferiority test."""
    found = simulated(*seeds, shift=0, tolerance=tolerance)
    assert found["pass"] == pytest.approx(passed, abs=0.04)
    assert found["regressed"] < 0.01


def test_a_shift_of_four_spreads_is_found_and_never_passed():
    found = simulated(10, 5, shift=4, tolerance=2)
    assert found["regressed"] == pytest.approx(0.742, abs=0.04)
    assert found.get("pass", 0) == 0


def test_no_spread_at_all_is_judged_by_the_mean():
    same = np.array([1.0, 2.0, 3.0])
    equal = gate.Comparison(gate.paired(same, same), 0.1)
    worse = gate.Comparison(gate.paired(same, same + 1), 0.1)
    better = gate.Comparison(gate.paired(same, same - 1), 0.1)
    assert gate.judge([equal, worse, better]) == ["pass", "regressed", "improved"]


def test_larger_is_worse_after_orientation():
    assert gate.oriented([1, 3], "lower", False).tolist() == [1, 3]
    assert gate.oriented([1, 3], "higher", False).tolist() == [-1, -3]
    assert gate.oriented([0.5, 1.5], "near 1", False).tolist() == [0.5, 0.5]
    assert gate.oriented([1, np.e], "lower", True).tolist() == pytest.approx([0, 1])
    with pytest.raises(ValueError, match="above zero"):
        gate.oriented([0.0, 1.0], "lower", True)


# --- orderings -----------------------------------------------------------------------------------


def test_a_claim_is_kept_only_if_every_seed_held_it():
    assert smallest([{"x": 0.3, "y": 0.1}, {"x": 0.2, "y": -0.1}]) == {"x": 0.2}


def test_gaps_of_claims():
    method = {"z1_probe_power": 0.8, "z1_domain_acc": 0.7, "fd_add": 20.0}
    values = {
        "ground-truth": {"cf_skill_in_add": 1.0, "fd_add": 5.0},
        "copy-source": {"cf_skill_in_add": 0.0},
        "autoencoder": method | {"z1_domain_acc": 0.9},
        "press2019": method,
    }
    found = gaps(values)
    assert found["autoencoder leaks the domain more than press2019"] == pytest.approx(0.2)
    assert found["no method has a fd_add as small as the truth"] == pytest.approx(0.75)
    assert found["copying the source earns nothing when it adds"] > 0
    values["copy-source"]["cf_skill_in_add"] = 0.01
    assert gaps(values)["copying the source earns nothing when it adds"] < 0


# --- verdicts ------------------------------------------------------------------------------------


def test_exit_codes_are_frozen():
    """What scripts and CI rely on: a change here breaks them."""
    codes = {verdict: int(exit_code([Finding(verdict, Layer.EXACT, "m", "x")], lenient=False))
             for verdict in Verdict}  # fmt: skip
    assert codes == {
        "failed": 3,
        "regressed": 1,
        "not comparable": 4,
        "inconclusive": 4,
        "improved": 0,
        "not compared": 0,
        "pass": 0,
    }
    assert {code.name: int(code) for code in Exit} == {
        "FINE": 0,
        "REGRESSION": 1,
        "WRONG_USE": 2,
        "CELL_FAILED": 3,
        "CANNOT_COMPARE": 4,
        "UNFORESEEN": 70,
        "INTERRUPTED": 130,
    }
    unsure = [Finding(Verdict.INCONCLUSIVE, Layer.STATISTICAL, "m", "x")]
    assert exit_code(unsure, lenient=True) == 0
    assert exit_code([*unsure, Finding(Verdict.NOT_COMPARABLE, Layer.EXACT, "m", "y")], True) == 4
    assert exit_code([], lenient=False) == 0


ODD = [
    Finding(Verdict.PASS, Layer.EXACT, "m on t", "params", "1", "1"),
    Finding(Verdict.INCONCLUSIVE, Layer.STATISTICAL, "m on t", "a|b", "1", "2", "0.5", "who knows"),
    Finding(Verdict.REGRESSED, Layer.GOLDEN, "m<&> on t", "fd, add: 1\n2", "1", "2", said="50%"),
    Finding(Verdict.NOT_COMPARED, Layer.EXACT, "n on t", "row"),
]


def test_reports_say_the_same():
    assert [f.verdict for f in worst_first(ODD)] == [
        "regressed", "inconclusive", "not compared", "pass",
    ]  # fmt: skip
    suite = ElementTree.fromstring(as_junit(ODD).partition("\n")[2])
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None]
    told = json.loads(as_json(ODD, Exit.REGRESSION, "b.json"))
    assert told["exit_code"] == 1
    assert told["counts"] == {"pass": 1, "inconclusive": 1, "regressed": 1, "not compared": 1}
    assert told["findings"][0]["verdict"] == "regressed"
    shown = as_markdown(ODD, Exit.REGRESSION, "b.json")
    assert "a\\|b" in shown
    assert shown.count("\n|") == 2 + 3  # heads, line, and all that did not pass


def test_annotations_are_one_line_each_and_escaped():
    error, warning = github_lines(ODD)
    assert error.startswith("::error title=regressed%3A m<&> on t fd%2C add%3A 1%0A2::")
    assert error.endswith("50%25")
    assert warning.startswith("::warning title=inconclusive")


def test_github_is_told_where_it_asks(tmp_path, monkeypatch, capsys):
    from rich.console import Console

    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    tell_github(Console(), ODD, "text\n")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    tell_github(Console(), ODD, "text\n")
    assert capsys.readouterr().out.count("::") == 4
    assert (tmp_path / "summary.md").read_text() == "text\ntext\n"


# --- records -------------------------------------------------------------------------------------

NUMBERS = {"size": 32} | dict.fromkeys(("train_images", "probe_images", "test_images"), 64)
BETTER = {"z1_domain_acc": "lower", "cf_skill_in_add": "higher", "fd_add": "lower"}


def metric(value, name="fd_add", **changes):
    entry = {
        "value": value, "lo": value, "hi": value, "n": 100, "status": "ok", "reason": "",
        "extractor": "", "unit": "", "better": BETTER.get(name, "lower"), "meaning": "",
        "version": 1, "family": "cost" if name == "params" else "some", "detail": {},
    }  # fmt: skip
    return entry | changes


def record(method="mine", seed=0, noise=0.0, **values):
    anchor = method in ("ground-truth", "copy-source")
    given = {"fd_add": 5.0, "cf_skill_in_add": 1.0} if anchor else {
        "fd_add": 20 * np.exp(noise), "cf_skill_in_add": 0.4 + 0.1 * noise,
        "z1_domain_acc": 0.7 + 0.1 * noise, "z1_probe_power": 0.8, "params": 100.0,
    }  # fmt: skip
    if method == "copy-source":
        given["cf_skill_in_add"] = 0.0
    identity = {
        "method": method, "config": {"width": 4}, "task": "faces", "fingerprint": "f",
        "profile": "smoke", "numbers": NUMBERS, "seed": seed, "device": "cpu",
        "precision": "fp32", "threads": 1,
    }  # fmt: skip
    return {
        "schema": 2, "id": hash_of(identity), "label": method, "status": "ok", "reason": "",
        "settings": {}, "identity": identity,
        "metrics": {name: metric(v, name) for name, v in (given | values).items()},
        "facts": {"pixel_hash": "p", "steps": 7, "images": 9, "cpu_seconds": 10 * np.exp(noise)}
        if not anchor else {"pixel_hash": "p"},
        "timings": {}, "sources": {method: "s"}, "finished": "2026",
        "environment": {"cpu": "some", "commit": "c", "command": "run"},
    }  # fmt: skip


def whole(seeds=range(10), spread=0.02, **values):
    """Return the records of a method with some noise for each seed, and of two anchors."""
    noises = np.random.default_rng(0).normal(0, spread, 100)
    return [record(seed=seed, noise=noises[seed], **values) for seed in seeds] + [
        record("ground-truth"), record("copy-source"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def base():
    return baselines.make(whole(), "smoke", "first", None, "now")


def verdicts(base, records, layers=LAYERS):
    """Return all that did not pass, by verdict and what it is about."""
    found = compare_records(base, records, layers)
    return [
        (str(f.verdict), f.row.partition(" ")[0], f.number) for f in found if f.verdict != "pass"
    ]


def test_the_same_records_pass(base):
    assert verdicts(base, whole()) == []
    assert verdicts(base, whole(range(3))) == []


def test_other_seeds_are_no_regression(base):
    found = verdicts(base, whole(range(10, 15)))
    assert {verdict for verdict, _, _ in found} <= {"inconclusive"}


def test_seeds_sources_threads_and_time_may_differ(base):
    records = whole(range(3))
    for one in records:
        one["identity"]["threads"] = 2
        one["sources"] = {"mine": "other"}
        one["finished"] = "2027"
    assert verdicts(base, records) == []


def test_what_is_worse_is_found_and_what_is_better_is_no_failure(base):
    worse = whole(range(10, 20), z1_domain_acc=0.9, cf_skill_in_add=0.7)
    for at, one in enumerate(worse[:10]):
        one["metrics"]["z1_domain_acc"]["value"] += 0.001 * (at % 3)
        one["metrics"]["cf_skill_in_add"]["value"] += 0.001 * (at % 3)
    found = verdicts(base, worse)
    assert ("regressed", "mine", "z1_domain_acc") in found
    assert ("improved", "mine", "cf_skill_in_add") in found
    assert len(found) == 2


def test_a_few_of_the_seeds_pass_to_the_last_bit_and_are_else_compared_with_all(base):
    def said(records):
        found = compare_records(base, records, ("statistical",))
        return {f.number: (str(f.verdict), f.said) for f in found if f.row.startswith("mine")}

    assert all("paired" in text for _, text in said(whole(range(3))).values())
    records = whole(range(3), z1_domain_acc=0.8)
    for at, one in enumerate(records[:3]):
        one["metrics"]["z1_domain_acc"] = metric(0.8 + 1e-4 * at, "z1_domain_acc")
    verdict, text = said(records)["z1_domain_acc"]
    assert (verdict, "10/3 seeds)" in text) == ("regressed", True)
    assert "paired" in said(whole(range(10), z1_domain_acc=0.8))["z1_domain_acc"][1]


def test_slower_is_found_on_the_same_kind_of_machine_only(base):
    records = whole(range(3))
    for one in records[:3]:
        one["facts"]["cpu_seconds"] *= 1.8
    assert verdicts(base, records) == [("regressed", "mine", "cpu_seconds")]
    for one in records[:3]:
        one["environment"] = {"cpu": "another"}
    assert verdicts(base, records) == [("not compared", "mine", "cpu_seconds")]


def test_too_few_seeds_leave_the_layer_out_and_say_so(base):
    assert verdicts(base, whole(range(2))) == [("not compared", "mine", "all metrics")]


def changed_record(what):
    """Return records with one thing changed, and the finding that it must give."""
    records = whole(range(3))
    mine = records[:3]
    if what == "missing row":
        return records[3:], ("not comparable", "mine", "row")
    if what == "configuration":
        for one in mine:
            one["identity"] = copy.deepcopy(one["identity"])
            one["identity"]["config"]["width"] = 8
        return records, ("not comparable", "mine", "identity")
    if what == "precision":
        for one in mine:
            one["identity"] = one["identity"] | {"precision": "bf16"}
        return records, ("not comparable", "mine", "identity")
    if what == "failed seed":
        mine[1] |= {"status": "failed", "reason": "diverged", "metrics": {}, "facts": {}}
        return records, ("failed", "mine", "seed 1")
    if what == "failed metric":
        mine[0]["metrics"]["fd_add"] |= {"status": "failed", "value": None, "reason": "bad"}
        return records, ("failed", "mine", "fd_add")
    if what == "lost metric":
        for one in mine:
            one["metrics"]["fd_add"] |= {"status": "unavailable", "value": None}
        return records, ("regressed", "mine", "fd_add")
    if what == "version":
        for one in mine:
            one["metrics"]["fd_add"]["version"] = 2
        return records, ("not comparable", "mine", "fd_add")
    if what == "parameters":
        for one in mine:
            one["metrics"]["params"]["value"] = 101.0
        return records, ("regressed", "mine", "params")
    if what == "steps":
        for one in mine:
            one["facts"]["steps"] = 8
        return records, ("regressed", "mine", "steps")
    if what == "pixels":
        for one in mine:
            one["facts"]["pixel_hash"] = "q"
        return records, ("regressed", "mine", "pixel_hash")
    if what == "new metric":
        for one in mine:
            one["metrics"]["adaptation"] = metric(1.0)
        return records, ("not compared", "mine", "adaptation")
    if what == "new row":
        return [*records, record("another")], ("not compared", "another", "row")
    if what == "anchor":
        records[-1]["metrics"]["fd_add"]["value"] = 5.1
        return records, ("regressed", "copy-source", "fd_add")
    records[-1]["metrics"]["cf_skill_in_add"]["value"] = 1e-4
    claim = "copying the source earns nothing when it adds"
    return records, ("regressed", "faces", claim)


CHANGES = ("missing row", "configuration", "precision", "failed seed", "failed metric",
           "lost metric", "version", "parameters", "steps", "pixels", "new metric", "new row",
           "anchor", "copying")  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_has_its_verdict(what, base):
    records, expected = changed_record(what)
    assert expected in verdicts(base, records)


def test_a_difference_of_identities_is_spelled_out(base):
    records, _ = changed_record("configuration")
    (said,) = {f.said for f in compare_records(base, records, LAYERS) if f.number == "identity"}
    assert said == "run under other conditions: config.width: 4 -> 8"


# --- baselines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[0].update(status="failed", reason="diverged"), "seed 0 failed: diverged"),
        (lambda r: r.append(record("other", seed=0)), "other on faces has no record of seed 1"),
        (lambda r: r[1].update(sources={"mine": "new"}), "different code made its seeds"),
        (lambda r: r[0]["metrics"].pop("fd_add"), "fd_add failed: some seeds have no such number"),
        (lambda r: r.clear(), "no record of profile 'smoke'"),
        (
            lambda r: r[0].update(identity=r[0]["identity"] | {"precision": "bf16"}),
            "under 2 conditions",
        ),
    ],
)
def test_a_baseline_of_what_is_not_whole_is_refused(change, message):
    records = whole()
    change(records)
    with pytest.raises(UserError, match=re.escape(message)):
        baselines.make(records, "smoke", "why", None, "now")


def test_a_baseline_keeps_its_reasons_and_shows_what_changes(base, tmp_path):
    path = tmp_path / "deep" / "b.json"
    baselines.write(path, base, None)
    old = baselines.read(path)
    new = baselines.make(whole(fd_add=30.0), "smoke", "second", None, "later")
    baselines.write(path, new, old)
    assert [update["reason"] for update in baselines.read(path)["updates"]] == ["second", "first"]
    ((row, name, _, after, spreads),) = baselines.changes(old, new)
    assert (row, name, after) == ("mine on faces", "fd_add", "30")
    assert float(spreads) > 5
    path.write_text(path.read_text().replace("0.8", "0.9", 1))
    with pytest.raises(UserError, match="not what was written"):
        baselines.read(path)


def test_records_are_chosen_by_name_task_and_seed_and_anchors_with_any_seed():
    records = [*whole(range(3)), record("other", seed=1)]
    records[-1]["identity"]["task"] = "digits"

    def chosen(**given):
        return [(r["label"], r["identity"]["seed"]) for r in Choice(**given).of(records)]

    anchors = [("ground-truth", 0), ("copy-source", 0)]
    assert chosen(tasks=("digits",)) == [("other", 1)]
    assert chosen(tasks=("faces",), seeds="1-2") == [("mine", 1), ("mine", 2), *anchors]
    assert chosen(methods=("mine", "copy-source"), seeds="2") == [("mine", 2), anchors[1]]
    with pytest.raises(UserError, match="no usable record fits"):
        chosen(seeds="7")
    with pytest.raises(UserError, match="did you mean 'faces'"):
        chosen(tasks=("face",))


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes records to a results folder."""

    def write(records, name="results"):
        place = tmp_path / name / "records"
        place.mkdir(parents=True, exist_ok=True)
        for at, one in enumerate(records):
            write_sealed(place / f"{at}.json", one)
        return tmp_path / name

    return write


def test_both_verbs_from_the_command_line(inside, folder, tmp_path):
    """Each exit code once, as a user gets it; torch is not asked for."""
    path = tmp_path / "b.json"
    results = folder(whole())
    without = inside("baseline", path, "--results", results, "--profile", "smoke", "--no-golden")
    assert (without.returncode, "--reason" in without.stderr) == (2, True)
    made = inside("baseline", path, "--results", results, "--profile", "smoke", "--no-golden",
                  "--reason", "first")  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "3 rows, 10 seeds" in made.stdout

    numbers = itertools.count()

    def check(records, *more):
        place = folder(records, f"results{next(numbers)}")
        return inside("check", path, "--results", place, *more)

    reports = [tmp_path / f"check.{end}" for end in ("json", "xml", "md")]
    options = zip(("--json", "--junit", "--markdown"), reports, strict=True)
    fine = check(whole(range(3)), *(text for pair in options for text in pair))
    assert fine.returncode == 0, fine.stdout
    assert all(report.stat().st_size for report in reports)
    assert check(changed_record("parameters")[0]).returncode == 1
    assert check(changed_record("failed seed")[0]).returncode == 3
    assert check(changed_record("configuration")[0]).returncode == 4
    unsure = whole(range(10, 13))
    for at, one in enumerate(unsure[:3]):
        one["metrics"]["fd_add"]["value"] += 3 * (at - 1)
    assert check(unsure).returncode == 4
    assert check(unsure, "--lenient").returncode == 0
    wrong = inside("check", tmp_path / "none.json", "--results", results)
    assert (wrong.returncode, "no baseline" in wrong.stderr) == (2, True)
    layer = inside("check", path, "--results", results, "--layers", "goldn")
    assert (layer.returncode, "did you mean 'golden'" in layer.stderr) == (2, True)


# --- speed ---------------------------------------------------------------------------------------


def test_speed_is_judged_by_the_ratios_of_all_rounds():
    ratios = {
        "m same": [1.02, 0.97, 1.05, 1.0, 0.99],
        "m slow": [2.0, 2.1, 1.95, 2.05, 2.0],
        "m noisy": [0.5, 2.5, 1.0, 3.0, 0.8],
        "m fast": [0.5, 0.52, 0.49, 0.5, 0.51],
    }
    found = {f.number: str(f.verdict) for f in speed.judge_ratios(ratios, "main")}
    assert found == {"same": "pass", "slow": "regressed", "noisy": "inconclusive",
                     "fast": "improved"}  # fmt: skip


def test_base_and_head_take_turns_and_change_who_is_first(monkeypatch, tmp_path):
    @contextmanager
    def checked_out(revision):
        yield tmp_path

    def time_tree(tree, methods):
        timed.append(tree)
        return {"m add": 1.0 + 0.001 * len(timed), "m new" if tree == speed.ROOT else "m old": 1.0}

    timed = []
    monkeypatch.setattr(speed, "checked_out", checked_out)
    monkeypatch.setattr(speed, "time_tree", time_tree)
    (finding,) = speed.compare_speed("main", ["m"], rounds=4)
    assert (finding.number, str(finding.verdict)) == ("add", "pass")
    assert timed == [tmp_path, speed.ROOT, speed.ROOT, tmp_path] * 2


def test_a_revision_that_does_not_exist_is_one_line(inside):
    done = inside("check", "--ab", "no-such-revision")
    assert done.returncode == 2
    assert "--ab: git worktree add" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_records_nothing_is_computed_first(inside, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "bench.check.check.golden_now", lambda *_: pytest.fail("computed all the same")
    )
    done = inside("check", "--results", tmp_path / "none")
    assert done.returncode == 2
    assert "no records in" in done.stderr


@pytest.mark.parametrize(("name", "said"), [("docs", "Is a directory"), ("README.md", "not JSON")])
def test_what_is_no_baseline_is_said_in_words(name, said, inside):
    done = inside("check", Path(__file__).parent.parent / name)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Errno" not in done.stderr
