"""From names to cells."""

from __future__ import annotations

import pytest

from bench.contracts.anchors import ANCHORS
from bench.plan.method_sets import SETS, chosen_methods
from bench.plan.plan import Request, make_plan
from bench.utils.errors import UserError
from tests.helpers import REGISTRY


def test_order_and_repetition_do_not_change_cells():
    one = make_plan(Request(methods=("press2019", "autoencoder"), seeds="0,1", precision="fp32"))
    two = make_plan(
        Request(methods=("autoencoder", "press2019", "press2019"), seeds="1,0", precision="fp32")
    )
    assert {cell.id for cell in one.cells} == {cell.id for cell in two.cells}
    assert len({cell.name for cell in one.cells}) == 4


def test_a_setting_that_changes_nothing_is_the_same_cell():
    plain = make_plan(Request(methods=("press2019",)))
    same = make_plan(Request(methods=("press2019",), settings=("press2019.sep=25",)))
    other = make_plan(Request(methods=("press2019",), settings=("press2019.sep=24",)))
    assert plain.cells == same.cells
    assert other.cells[0].label == "press2019[sep=24]"
    assert other.cells[0].id != plain.cells[0].id


def test_published_values_are_the_defaults():
    config = make_plan(Request(methods=("press2019",), profile="paper")).cells[0].config
    assert config["learning_rate"] == config["discriminator_learning_rate"] == 2e-4
    assert (config["confusion_weight"], config["width"], config["sep"]) == (0.001, 32, 25)
    assert (config["batch_size"], config["reconstruction"]) == (32, "mse")


@pytest.mark.parametrize("profile", ["smoke", "small", "medium", "paper"])
def test_every_method_fits_every_profile(profile):
    assert make_plan(Request(profile=profile)).cells


def test_methods_of_two_domains_are_left_out_of_all_and_refused_by_name():
    plan = make_plan(Request(tasks=("avatars-styles3",), profile="smoke"))
    said = "takes two domains, task avatars-styles3 has 3: leave"
    pairs_only = ["did2019", "drit", "mask2020", "munit", "press2019"]
    assert [line.split()[0] for line in plan.left_out] == pairs_only
    assert all(said in line for line in plan.left_out)
    assert {"autoencoder", "ufdn", "copy-source"} <= {cell.method for cell in plan.cells}
    assert not {*pairs_only} & {cell.method for cell in plan.cells}
    with pytest.raises(UserError, match=f"press2019 {said} press2019 out"):
        make_plan(Request(("press2019",), ("avatars-styles3",), profile="smoke"))


def test_sets_of_methods_have_all_anchors_and_name_methods_that_exist():
    methods = {plugin.name for plugin in REGISTRY.all("method")}
    for name, members in SETS.items():
        assert set(members) <= methods
        assert name not in methods | {"all"}
        assert chosen_methods(REGISTRY, [name]) == [*members, *ANCHORS]
    mixed = chosen_methods(REGISTRY, ["paste", "core", "press2019", "all"])
    assert len(mixed) == len(set(mixed)) > len(methods)
    assert mixed[0] == "paste"
    with pytest.raises(UserError, match=r"unknown method .cor.; did you mean .core"):
        chosen_methods(REGISTRY, ["cor"])
