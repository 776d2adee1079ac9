"""A metric of the user's own is shown and checked like one that comes with the suite."""

from __future__ import annotations

import re

import pytest

from bench.contracts.registry import Registry, shipped_infos
from tests.helpers import ROOT, TINY, rows

OWN = '''
from bench.contracts.metric import Metric, MetricInfo, Result

class Brightness(Metric):
    """The mean of the results of add."""

    name = "brightness"
    summary = "how bright results are"
    version = 1
    numbers = (
        MetricInfo(
            id="brightness_add",
            unit="of 255",
            better="higher",
            meaning="mean of all pixels of the results of add",
            needs=("add",),
            label="brightness",
            group="Image quality",
            main=True,
            digits=1,
            tolerance=50.0,
            exact={"copy-source": (FLOOR, "copying keeps the brightness")},
        ),
        MetricInfo(
            id="brightness_count",
            unit="",
            better="higher",
            meaning="number of results",
            group="Transfer",
            kind="counted",
        ),
    )

    def compute(self, wanted, artefacts, data, settings):
        images = artefacts.tensors["add"]
        found = {"brightness_add": float(images.double().mean()), "brightness_count": 2500000.0}
        return {info.id: Result(found[info.id], n=len(images)) for info in wanted}
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "brightness.py"
    path.write_text(OWN.replace("FLOOR", "150.0"))
    return path


@pytest.fixture(scope="module")
def results(bench, plugin, tmp_path_factory):
    """The results of an anchor and a method, scored by our metric and one of the suite."""
    folder = tmp_path_factory.mktemp("results")
    done = bench("run", "--methods", "copy-source,autoencoder", *TINY, "--seeds", "0-2",
                 "--metrics", "brightness,rec_l1_a", "--plugin", plugin,
                 "--results", folder)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_it_stands_in_the_terminal_table(results):
    _, shown = results
    table = shown.replace("\n", " ")
    assert "brightness" in table
    assert "brightness_add" not in table.partition("wrote")[0]  # the label is its head


def test_it_stands_in_csv_and_markdown(results):
    folder, _ = results
    row = rows(folder)["copy-source", "brightness_add"]
    assert (row["unit"], row["better"], row["status"]) == ("of 255", "higher", "ok")
    text = (folder / "leaderboard.md").read_text()
    main = text.partition("<details>")[0]
    assert re.search(r"brightness\\?_add \(up\)", main)
    assert re.search(r"\| [0-9]{2,3}\.[0-9] +\|", main)  # its digits
    further = text.partition("Further numbers")[2].partition("</details>")[0]
    assert re.search(r"\*\*Transfer\*\* +\| brightness\\?_count \(up\)", further)
    assert "2.5M" in further  # counted
    assert "mean of all pixels of the results of add" in text


def test_leaderboard_takes_the_plugin_and_goes_without(results, inside, plugin):
    folder, _ = results
    assert inside("leaderboard", "--results", folder).returncode == 0
    text = (folder / "leaderboard.md").read_text()
    assert "- **Other**: `brightness_add`" in text
    assert inside("leaderboard", "--results", folder, "--plugin", plugin).returncode == 0
    assert "**Other**" not in (folder / "leaderboard.md").read_text()


def test_it_is_listed(inside, plugin):
    done = inside("list", "metrics", "--plugin", plugin)
    assert re.search(r"brightness_add +│ brightness +│ of 255 +│ higher", done.stdout)


def test_it_is_checked(results, inside, plugin, tmp_path):
    folder, _ = results
    base = tmp_path / "base.json"
    profile = next((folder / "records").glob("auto*")).read_text()
    name = re.search(r'"profile": "(smoke[^"]*)"', profile)[1]
    done = inside("baseline", base, "--profile", name, "--results", folder, "--plugin", plugin,
                  "--no-golden", "--reason", "test")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    words = ("check", base, "--results", folder, "--layers", "exact,statistical")
    report = tmp_path / "report.md"
    done = inside(*words, "--plugin", plugin, "--json", tmp_path / "report.json", "--markdown",
                  report, "--lenient")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = (tmp_path / "report.json").read_text()
    counted = re.search(r'\{[^{}]*"brightness_count"[^{}]*\}', found)[0]
    assert '"exact"' in counted
    assert '"equal"' in counted
    gated = [one for one in re.findall(r'\{[^{}]*"brightness_add"[^{}]*\}', found)
             if "statistical" in one]  # fmt: skip
    assert gated
    assert '"50"' in gated[0]  # its tolerance, which is above the spread over the seeds


def test_no_other_room_knows_a_metric_by_its_id():
    ids = "|".join(map(re.escape, shipped_infos()))
    root = ROOT / "bench"
    files = [*(root / "board").glob("*.py"), *(root / "check").glob("*.py"),
             root / "records" / "merge.py", root / "cli" / "results.py"]  # fmt: skip
    assert len(files) > 15
    quoted = re.compile(rf"""["']({ids})["']|["'][a-z0-9]{{2,9}}_["']""")
    found = [f"{path}: {match[0]}" for path in files for match in quoted.finditer(path.read_text())]
    assert found == []


def test_the_facts_of_the_suite_are_complete():
    infos = Registry().infos()
    assert len({info.label for info in infos.values()}) == len(infos)
    for info in infos.values():
        assert info.group != "Other"
        assert info.meaning
        assert 0 < len(info.label) <= 12
        assert info.kind == "estimated" or info.group == "Cost"
