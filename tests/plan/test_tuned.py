"""Published and tuned configurations: which one a run has, and what a record says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.cell.job import Job
from bench.plan import tuned
from bench.plan.plan import Request, make_plan
from bench.plan.profiles import choose_profile
from bench.records.store import Store
from bench.runs.rescore import command_for
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed
from tests.helpers import FEW_METRICS, REGISTRY, TINY

WINNER = "[press2019]\ntrial = 3\nconfig = { width = 16, learning_rate = 1e-3 }\n"


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """A folder of studies, in the place of that of the suite."""
    monkeypatch.setattr(tuned, "TUNED", tmp_path)
    (tmp_path / "avatars-glasses-small.toml").write_text(WINNER)
    return tmp_path


def planned(methods="press2019", task="avatars-glasses", profile="smoke", **more):
    request = Request(methods=tuple(methods.split(",")), tasks=(task,), profile=profile, **more)
    return make_plan(request).cells


def test_a_task_and_profile_without_a_study_use_the_default_one(studies):
    (cell,) = planned(task="avatars-hat")
    assert (cell.configuration, cell.study) == ("tuned", "avatars-glasses-small")
    assert (cell.config["width"], cell.config["learning_rate"]) == (16, 1e-3)
    assert cell.config["reconstruction"] == "mse", "all else is published"
    assert (cell.label, cell.settings) == ("press2019", {})


def test_a_study_of_the_task_and_profile_comes_first(studies):
    own = "[press2019]\ntrial = 0\nconfig = {}\n"
    (studies / "avatars-glasses-smoke.toml").write_text(own)
    press, autoencoder = planned("press2019,autoencoder")
    assert (press.configuration, press.study) == ("both", "avatars-glasses-smoke")
    assert press.config["width"] == 32
    assert (autoencoder.configuration, autoencoder.study) == ("no study", "")
    (changed,) = planned(settings=("profile.size=64",))
    assert changed.study == "avatars-glasses-smoke", "--set does not hide the study"


def test_a_method_that_its_study_lacks_uses_the_default_study(studies):
    (studies / "avatars-glasses-smoke.toml").write_text("[ufdn]\ntrial = 0\nconfig = {}\n")
    assert planned()[0].study == "avatars-glasses-small"


def test_published_and_both(studies):
    (published,) = planned(configuration="published")
    assert (published.configuration, published.study) == ("published", "")
    assert published.config["width"] == 32
    both = planned(configuration="both")
    assert [cell.configuration for cell in both] == ["tuned", "published"]
    assert len({cell.name for cell in both}) == 2
    assert both[1] == published


def test_both_gives_one_cell_if_the_winner_is_the_published_configuration(studies):
    (studies / "avatars-glasses-smoke.toml").write_text("[press2019]\ntrial = 0\nconfig = {}\n")
    for wanted in ("both", "tuned", "published"):
        (cell,) = planned(configuration=wanted)
        assert (cell.configuration, cell.study) == ("both", "avatars-glasses-smoke"), wanted
    (changed,) = planned(settings=("press2019.width=48",))
    assert changed.configuration == "both", "it is what --set changes"


def test_a_method_without_a_study_says_so_however_it_is_asked_for(studies):
    for wanted in ("tuned", "published", "both"):
        (cell,) = planned("autoencoder", configuration=wanted)
        assert (cell.configuration, cell.study) == ("no study", ""), wanted
    (paper,) = planned("autoencoder", profile="paper", seeds="0")
    assert paper.configuration == "published"


def test_a_variant_without_a_study_uses_the_winner_of_its_method(studies):
    both = "[d2ae]\ntrial = 2\nconfig = { width = 16 }\n"
    (studies / "avatars-glasses-small.toml").write_text(both)
    (cell,) = planned("d2ae-obj")
    assert (cell.configuration, cell.study) == ("tuned", "avatars-glasses-small/d2ae")
    assert cell.config["width"] == 16
    (plain,) = planned("d2ae")
    assert (plain.config, plain.study) == (cell.config, "avatars-glasses-small")
    own = "[d2ae-obj]\ntrial = 3\nconfig = { width = 24 }\n"
    (studies / "avatars-glasses-small.toml").write_text(own)
    (studies / "avatars-glasses-smoke.toml").write_text(both)
    (cell,) = planned("d2ae-obj")
    assert (cell.config["width"], cell.study) == (24, "avatars-glasses-small"), "its own is first"
    (studies / "avatars-glasses-small.toml").write_text(WINNER)
    (studies / "avatars-glasses-smoke.toml").unlink()
    (cell,) = planned("d2ae-obj")
    assert (cell.configuration, cell.study) == ("no study", ""), "the study has neither of them"


def test_a_variant_whose_method_won_as_published_is_both(studies):
    (studies / "avatars-glasses-small.toml").write_text("[d2ae]\ntrial = 0\nconfig = {}\n")
    (cell,) = planned("d2ae-obj", configuration="published")
    assert (cell.configuration, cell.study) == ("both", "avatars-glasses-small/d2ae")


def test_a_published_run_does_not_need_a_readable_study(studies):
    (studies / "avatars-glasses-small.toml").write_text("[press2019\n")
    (cell,) = planned(configuration="published")
    assert cell.configuration == "published"


def test_set_works_on_top(studies):
    (cell,) = planned(settings=("press2019.width=48",))
    assert cell.label == "press2019[width=48]"
    assert cell.settings == {"press2019.width": 48}
    assert cell.config["learning_rate"] == 1e-3
    (plain,) = planned(settings=("press2019.width=16",))
    assert (plain.label, plain.settings) == ("press2019", {}), "16 is the tuned value"


def test_the_oracle_decoder_is_configured_as_its_autoencoder(studies):
    table = "[autoencoder]\ntrial = 1\nconfig = { width = 16 }\n"
    (studies / "avatars-glasses-small.toml").write_text(table)
    oracle, floor = planned("oracle-decoder,copy-source")
    assert (oracle.configuration, oracle.config["width"]) == ("tuned", 16)
    assert (floor.configuration, floor.study) == ("", "")


def test_profile_paper_is_published(studies):
    (cell,) = planned(profile="paper", seeds="0")
    assert (cell.configuration, cell.config["width"]) == ("published", 32)
    with pytest.raises(UserError, match="profile paper has published configurations only"):
        planned(profile="paper", configuration="both")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[press2019]\ntrial = 1\n", "lacks the table `config`"),
        ("[press2019\n", "cannot be read"),
        ("[press2019]\ntrial = 1\nconfig = { girth = 3 }\n", "press2019.girth"),
    ],
)
def test_a_damaged_study_is_one_line(studies, text, said):
    (studies / "avatars-glasses-small.toml").write_text(text)
    with pytest.raises(UserError, match=said):
        planned()


def test_an_unknown_configuration_is_one_line():
    with pytest.raises(UserError, match="configuration"):
        planned(configuration="best")


def test_the_command_of_a_cell_makes_it_again(studies, tmp_path):
    (cell,) = planned(configuration="published", settings=("press2019.width=48",), device="cpu")
    job = Job(cell, "run", tmp_path, tmp_path, (), None, "")
    command = command_for(job, Store(tmp_path), REGISTRY)
    assert "--configuration published" in command
    assert "--set press2019.width=48" in command
    assert "learning_rate" not in command
    (default,) = planned(device="cpu")
    command = command_for(
        Job(default, "run", tmp_path, tmp_path, (), None, ""), Store(tmp_path), REGISTRY
    )
    assert "--configuration" not in command
    assert "--set" not in command


def test_files_of_the_suite_can_be_used():
    """Each committed winner fits its method."""
    for path in tuned.TUNED.glob("*.toml"):
        for method, table in tuned.winners(path).items():
            config_class = REGISTRY.find("method", method).load().Config
            assert config_class(**table["config"]), path
            assert isinstance(table["trial"], int)


def test_odd_names_of_tasks_are_safe():
    assert tuned.study_name("folder:a/b", "small") == "folder_a_b-small"
    plugin = replace(REGISTRY.find("method", "autoencoder"), name="nobody")
    assert tuned.origin_of(plugin, "tuned", choose_profile("small"), "folder:x").study == ""


def test_a_study_that_chooses_an_existing_run_renews_its_record(inside, studies, tmp_path):
    """Equal configurations are one cell: nothing is trained, and the row does not lose its rank."""
    results = tmp_path / "results"
    arguments = ("run", "--methods", "autoencoder", *TINY, *FEW_METRICS, "--results", results)
    other = "[autoencoder]\ntrial = 3\nconfig = { width = 16 }\n"
    (studies / "avatars-glasses-small.toml").write_text(other)
    assert inside(*arguments, "--engine", "inline", "--configuration", "published").returncode == 0
    (path,) = results.glob("records/*.json")
    before = read_sealed(path)
    assert (before["configuration"], before["study"]) == ("published", "")

    won = "[autoencoder]\ntrial = 0\nconfig = {}\n"
    (studies / "avatars-glasses-small.toml").write_text(won)
    done = inside(*arguments, "--engine", "inline", "--configuration", "both")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 cells have a record already" in done.stdout
    assert "and the winner of study avatars-glasses-small; nothing is trained again" in done.stdout
    assert [path] == list(results.glob("records/*.json"))
    origin = {"configuration": "both", "study": "avatars-glasses-small"}
    assert read_sealed(path) == before | origin
