"""Values of `--set`: what each type of field takes, what it refuses, and what a run id becomes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field, make_dataclass, replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from bench.contracts.labels import split_names
from bench.contracts.method import BaseConfig, make_config
from bench.plan.configure import configure
from bench.plan.plan import Request, make_plan
from bench.plan.profiles import Setting, choose_profile
from bench.plan.settings import set_options
from bench.plan.tuned import Origin
from bench.records.read import cell_of
from bench.utils.errors import UserError
from tests.helpers import REGISTRY


def configured(hint, default, text):
    """Return label and value of a field `x` of this type after `--set mine.x=TEXT`."""
    config_class = make_dataclass("Config", [("x", hint, default)], frozen=True)
    method = SimpleNamespace(Config=config_class)
    plugin = SimpleNamespace(
        name="mine", path="mine.py", config_fields=lambda: None, load=lambda: method
    )
    setting = Setting.parse(f"mine.x={text}")
    label, config = configure(plugin, Origin(), [setting])
    return label, config["x"]


@pytest.mark.parametrize(
    ("hint", "default", "text", "value"),
    [
        (int, 1, "32", 32),
        (int, 1, "1_000", 1000),
        (float, 1.0, "32", 32.0),
        (float, 1.0, ".5", 0.5),
        (float, 1.0, "1e-3", 0.001),
        (bool, False, "True", True),
        (bool, True, "false", False),
        (str, "", "32", "32"),
        (str, "", "a, b", "a, b"),
        (Literal["l1", "mse"], "l1", "mse", "mse"),
        (Literal[1, 2], 1, "2", 2),
        (float | Literal["published"], 1.0, "published", "published"),
        (float | Literal["published"], 1.0, "32", 32.0),
        (int | None, None, "32", 32),
        (int | None, 1, "None", None),
        (int | str, 1, "32", 32),
        (str | int, 1, "32", "32"),
        (int | float, 1, "2.0", 2.0),
        (bool | int, False, "1", 1),
        (tuple[int, ...], (), "32,64", (32, 64)),
        (tuple[int, ...], (), "32", (32,)),
        (tuple[int, ...], (1,), "[]", ()),
        (tuple[float, float], (0.5, 0.9), "0, 1", (0.0, 1.0)),
        (tuple[str, ...], (), "a,b", ("a", "b")),
        (tuple[tuple[int, int], ...], (), "[[1,2],[3,4]]", ((1, 2), (3, 4))),
        (tuple[int, ...] | None, None, "3,4", (3, 4)),
    ],
)
def test_a_field_takes_values_of_its_type(hint, default, text, value):
    label, found = configured(hint, default, text)
    assert found == value
    assert json.dumps(found) == json.dumps(value), "1 and 1.0 would give unlike run ids"
    assert split_names(label) == [label]


@pytest.mark.parametrize(
    ("hint", "default", "text", "expected"),
    [
        (int, 1, "x", "int"),
        (int, 1, "2.0", "int"),
        (int, 1, "²", "int"),
        (int, 1, str(2**63), "int"),
        (int, 1, "9" * 5000, "int"),
        (float, 1.0, "nan", "float"),
        (float, 1.0, "-inf", "float"),
        (float, 1.0, "1e999", "float"),
        (bool, True, "1", "bool"),
        (bool, True, "yes", "bool"),
        (Literal["l1", "mse"], "l1", "l2", "l1 | mse"),
        (float | Literal["published"], 1.0, "paper", "float or published"),
        (int | None, None, "x", "int or None"),
        (tuple[int, ...], (), "32,x", "tuple[int, ...]"),
        (tuple[int, ...], (), "32,", "tuple[int, ...]"),
        (tuple[int, ...], (), f"1,{2**63}", "tuple[int, ...]"),
        (tuple[int, ...], (), "[" * 100_000, "tuple[int, ...]"),
        (tuple[int, int], (1, 2), "1,2,3", "tuple[int, int]"),
        (tuple[float, ...], (), "1,nan", "tuple[float, ...]"),
        (tuple, (), "1,2", "tuple"),
        (Any, 1, "2", "Any"),
        (dict[str, int], None, "a", "dict[str, int]"),
        (complex | None, None, "1j", "complex or None"),
    ],
)
def test_what_a_field_does_not_take_is_refused_in_one_line(hint, default, text, expected):
    with pytest.raises(UserError) as refused:
        configured(hint, default, text)
    assert str(refused.value) == f"--set mine.x={text}: expected {expected}, got '{text}'"


@pytest.mark.parametrize("text", ["mine.x=", "mine.x", "x=1", "mine.=1", "=1"])
def test_an_option_of_another_form_is_refused(text):
    with pytest.raises(UserError, match=r"expected METHOD\.FIELD=VALUE"):
        Setting.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size=0", "a positive number"),
        ("budget_tflops=-1", "a positive number"),
        ("test_images=33", "an even number"),
        ("size=x", "int, got 'x'"),
    ],
)
def test_a_wrong_number_of_a_profile_is_refused_in_one_line(text, expected):
    with pytest.raises(UserError) as refused:
        choose_profile("smoke", [Setting.parse(f"profile.{text}")])
    assert str(refused.value) == f"--set profile.{text}: expected {expected}"


def planned(*settings):
    """Return the one cell of ufdn, whose Config has tuples, under these settings."""
    request = Request(methods=("ufdn",), profile="smoke", settings=settings)
    return make_plan(request).cells[0]


def test_a_cell_with_tuples_is_the_same_after_json():
    """JSON has no tuples: neither the id of a cell nor a comparison may depend on it."""
    cell = planned("ufdn.invert=1,2")
    assert cell.label == 'ufdn[invert="1,2"]'
    assert cell.config["invert"] == (1, 2)
    record = {"label": cell.label, "settings": cell.settings, "identity": cell.identity}
    record |= {"configuration": cell.configuration, "study": cell.study}
    record = json.loads(json.dumps(record))
    again = cell_of(record)
    assert again.config["invert"] == [1, 2]
    assert (again.id, again.name) == (cell.id, cell.name)
    assert replace(cell, config=cell.config | {"invert": (2, 1)}).id != cell.id
    config_class = REGISTRY.find("method", "ufdn").load().Config
    assert make_config(config_class, again.config) == make_config(config_class, cell.config)


def test_the_settings_of_a_record_with_tuples_give_its_cell_again():
    default, changed = planned(), planned("ufdn.invert=1,2", "ufdn.width=4")
    for cell, settings in ((default, []), (changed, ["ufdn.width=4", "ufdn.invert=1,2"])):
        identity = json.loads(json.dumps(cell.identity))
        found = set_options(identity, REGISTRY)
        assert sorted(found) == sorted(settings)
        assert planned(*found).id == cell.id


def test_a_list_becomes_a_tuple_only_where_the_field_has_one():
    @dataclass(frozen=True)
    class Config(BaseConfig):
        widths: tuple[tuple[int, ...], ...] = ()
        layers: list[int] = field(default_factory=list)

    made = make_config(Config, {"widths": [[1, 2], [3]], "layers": [5, 6], "batch_size": 4})
    assert made == Config(4, ((1, 2), (3,)), [5, 6])


def test_pydantic_is_imported_only_for_a_setting():
    code = (
        "import sys; from bench.plan.profiles import Setting, choose_profile\n"
        "choose_profile('smoke'); print('pydantic' in sys.modules)\n"
        "choose_profile('smoke', [Setting.parse('profile.size=64')])\n"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def configured_fields(fields, *settings):
    """Return label and configuration of a method whose Config has these fields."""
    scope = {}
    exec(compile(f"{HEAD}    {fields}\n", "mine.py", "exec", dont_inherit=True), scope)
    method = SimpleNamespace(Config=scope["Config"])
    plugin = SimpleNamespace(
        name="mine", path="mine.py", config_fields=lambda: None, load=lambda: method
    )
    parsed = [Setting.parse(f"mine.{text}") for text in settings]
    return configure(plugin, Origin(), parsed)


HEAD = """
from dataclasses import dataclass
from typing import Literal
@dataclass(frozen=True)
class Config:
"""


@pytest.mark.parametrize(
    ("fields", "setting", "said"),
    [
        ("x: Literal[1, 2] = 1", "x=3", "expected 1 | 2, got '3'"),
        ("x: int = 1", "x=9223372036854775808", "expected int"),
        ("x: int = 1", f"x={'9' * 5000}", "expected int"),
        ("x: int = 1", "x=²", "expected int"),
        ("x: float = 1", "x=1e999", "expected float"),
        ("x: float = 1", "x=nan", "expected float"),
        ("x: tuple[int, ...] = ()", "x=a", "expected tuple"),
        ("x: 'Nowhere' = 1", "x=1", "Config of method 'mine' cannot be used"),
        ("x: float = float('inf')", "x=1", "Config of method 'mine' cannot be used"),
        ("x: object = frozenset()", "x=1", "Config of method 'mine' cannot be used"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line(fields, setting, said):
    """case 12, siblings: values that no field, no JSON or no record can hold."""
    with pytest.raises(UserError) as refused:
        configured_fields(fields, setting)
    assert said in str(refused.value)


def test_a_choice_of_numbers_can_be_set():
    """case 12, sibling."""
    label, config = configured_fields("x: Literal[1, 2] = 1", "x=2")
    assert (label, config["x"]) == ("mine[x=2]", 2)
