"""Searched fields: what a mark may say, and what the methods of the suite mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import pytest

from bench.contracts.search import Choice, Range, searched_fields, start_values
from tests.helpers import REGISTRY

METHODS = [plugin.name for plugin in REGISTRY.all("method")]


@pytest.mark.parametrize("name", METHODS)
def test_published_values_can_be_drawn(name):
    config_class = REGISTRY.find("method", name).load().Config
    published, fields = config_class(), searched_fields(config_class)
    assert fields
    for field, mark in fields.items():
        assert mark.holds(getattr(published, field)), field


@pytest.mark.parametrize("name", METHODS)
def test_learning_rates_adversary_and_width_are_searched(name):
    config_class = REGISTRY.find("method", name).load().Config
    fields = set(searched_fields(config_class))
    rates = {field for field in config_class.__dataclass_fields__ if "learning_rate" in field}
    assert rates | {"width"} <= fields
    adversary = {
        "confusion_weight",
        "feature_weight",
        "content_weight",
        "kappa",
        "adversarial_weight",
    }
    has_adversary = adversary & set(config_class.__dataclass_fields__)
    assert has_adversary <= fields


LOSSES = {"press2019", "d2ae", "ufdn", "autoencoder", "fader"}
"""The methods whose papers name a squared error that can be exchanged.

DRIT, mask2020, did2019 and MUNIT name the absolute error themselves. In SepVAE and Double InfoGAN,
the error is part of a likelihood or of the regression of codes.
"""


@pytest.mark.parametrize("name", METHODS)
def test_the_reconstruction_and_its_weight_are_searched(name):
    """With one other weight or two, those are searched, and only ratios of weights count."""
    fields = set(searched_fields(REGISTRY.find("method", name).load().Config))
    assert ("reconstruction" in fields) == (name.partition("-")[0] in LOSSES)
    ratios = {"reconstruction_weight", "confusion_weight", "beta_c"}
    assert name == "autoencoder" or ratios & fields


def test_start_values_leave_out_what_is_published():
    @dataclass(frozen=True)
    class Config:
        a: Annotated[int, Choice((1, 2), start=2)] = 1
        b: Annotated[int, Choice((1, 2), start=1)] = 1
        c: Annotated[float, Range(0.0, 1.0)] = 0.5
        d: float = 1.0

    # the hints of a local class are texts that need these names
    Config.__annotations__ = {
        "a": Annotated[int, Choice((1, 2), start=2)],
        "b": Annotated[int, Choice((1, 2), start=1)],
        "c": Annotated[float, Range(0.0, 1.0)],
        "d": float,
    }
    assert list(searched_fields(Config)) == ["a", "b", "c"]
    assert start_values(Config) == {"a": 2}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Range(2, 1), "low < high"),
        (lambda: Range(0, 1, log=True), "low > 0 with log"),
        (lambda: Range(1, 2, start=3), "outside the range"),
        (lambda: Choice((1,)), "at least two"),
        (lambda: Choice((1, 2), start=3), "not one of the values"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(make, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make()
