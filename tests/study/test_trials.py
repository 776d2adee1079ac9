"""Which configurations a study tries."""

from __future__ import annotations

from dataclasses import make_dataclass
from types import SimpleNamespace
from typing import Annotated

import pytest

from bench.contracts.method import BaseConfig
from bench.contracts.search import Choice, Range, searched_fields
from bench.study.trials import trials_of
from tests.helpers import REGISTRY


def fits(config):
    return ""


def plugin_with(*fields):
    config_class = make_dataclass("Config", fields, bases=(BaseConfig,), frozen=True)
    method = SimpleNamespace(Config=config_class)
    return SimpleNamespace(
        name="mine", path="mine.py", config_fields=lambda: None, load=lambda: method
    )


@pytest.mark.parametrize("name", ["press2019", "ufdn", "drit"])
def test_trials_are_the_same_on_every_call_and_for_every_number(name):
    plugin = REGISTRY.find("method", name)
    eight = trials_of(plugin, "study", 8, fits)
    assert len(eight) == 8
    for number in (1, 2, 5, 8):
        assert trials_of(plugin, "study", number, fits) == eight[:number]
    assert trials_of(plugin, "another", 8, fits)[:2] == eight[:2]
    assert trials_of(plugin, "another", 8, fits)[2:] != eight[2:]


def test_the_first_trials_are_the_published_and_the_hand_set_configuration():
    published, hand_set, *drawn = trials_of(REGISTRY.find("method", "press2019"), "s", 4, fits)
    assert (published.how, published.changes, published.number) == ("published", {}, 0)
    assert hand_set.how == "hand-set"
    assert hand_set.changes == {
        "learning_rate": 1e-3,
        "discriminator_learning_rate": 1e-3,
        "confusion_weight": 0.05,
        "reconstruction": "l1",
        "width": 24,
    }
    assert [trial.how for trial in drawn] == ["drawn", "drawn"]


def test_drawn_values_lie_in_their_ranges_and_fill_them():
    plugin = REGISTRY.find("method", "press2019")
    fields = searched_fields(plugin.load().Config)
    trials = trials_of(plugin, "s", 34, fits)
    for trial in trials:
        assert all(mark.holds(trial.config[name]) for name, mark in fields.items())
        unsearched = trial.config.keys() - fields.keys()
        assert not unsearched & trial.changes.keys()
    for name, mark in fields.items():
        values = [trial.config[name] for trial in trials[2:]]
        if isinstance(mark, Choice):
            assert set(values) == set(mark.values), name
        else:  # half of a quasi-random sample on a logarithm lies below the geometric mean
            below = sum(value < (mark.low * mark.high) ** 0.5 for value in values)
            assert 12 <= below <= 20, name


def test_a_configuration_that_is_refused_is_drawn_again():
    plugin = REGISTRY.find("method", "press2019")
    free = trials_of(plugin, "s", 30, fits)

    def narrow(config):
        return "too wide" if config["width"] > 24 else ""

    trials = trials_of(plugin, "s", 6, narrow)
    assert trials[0].refused == "too wide", "the published one is not replaced"
    assert all(trial.config["width"] <= 24 and not trial.refused for trial in trials[1:])
    kept = [trial.config for trial in free[2:] if trial.config["width"] <= 24]
    assert [trial.config for trial in trials[2:]] == kept[:4]


def test_equal_configurations_are_tried_once():
    plugin = plugin_with(("x", Annotated[int, Choice((1, 2, 3), start=1)], 1))
    trials = trials_of(plugin, "s", 10, fits)
    assert sorted(trial.config["x"] for trial in trials) == [1, 2, 3]
    assert [trial.how for trial in trials] == ["published", "drawn", "drawn"]


def test_a_method_without_searched_fields_has_one_trial():
    assert len(trials_of(plugin_with(("x", int, 1)), "s", 5, fits)) == 1


def test_whole_numbers_and_linear_ranges():
    plugin = plugin_with(
        ("n", Annotated[int, Range(1, 9)], 1), ("x", Annotated[float, Range(0.0, 1.0)], 0.5)
    )
    trials = trials_of(plugin, "s", 12, fits)
    assert len(trials) == 12
    assert all(type(trial.config["n"]) is int and 1 <= trial.config["n"] <= 9 for trial in trials)
    assert all(0 <= trial.config["x"] <= 1 for trial in trials)
