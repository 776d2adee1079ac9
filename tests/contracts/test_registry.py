"""Plug-ins are found, named and loaded; a broken one is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bench.contracts.registry import Registry
from bench.utils.errors import UserError
from tests.helpers import BROKEN_METRIC, OWN_METHOD, REGISTRY, ROOT, TINY, write_plugin

OWN_NAMES = ("mine", "mine-variant", "mine-other")


@pytest.mark.parametrize("helper", ["NETS.py", "NETS/__init__.py", "NETS/parts.py"])
@pytest.mark.parametrize("late", [False, True])
def test_helpers_of_one_name_are_not_mixed_up(helper, late, tmp_path):
    """Imported at once, or later by a function; packages with `__init__` or without."""
    name = f"nets_{late}_{helper.count('/') + helper.count('_')}"  # modules live as long as pytest
    line = f"from {name} import parts" if helper == "NETS/parts.py" else f"import {name}"
    for at, folder in enumerate(("one", "two")):
        text = OWN_METHOD.replace('"mine"', f'"{folder}"')
        text += f"\n\ndef later():\n    {line}\n" if late else f"\n{line}\n"
        write_plugin(tmp_path / folder, text, "plugin.py")
        write_plugin(tmp_path / folder, f"VALUE = {at}\n", helper.replace("NETS", name))
    registry = Registry([tmp_path / folder / "plugin.py" for folder in ("one", "two")])
    registry.find("method", "one").load()
    with pytest.raises(UserError, match=f"imports '{name}', and there are two"):
        registry.find("method", "two").load()


def test_a_module_of_the_working_folder_is_not_taken_for_a_helper(tmp_path):
    """`python -m bench` looks there first."""
    write_plugin(tmp_path / "plugins", f"{OWN_METHOD}\ndef later():\n    import nets\n")
    write_plugin(tmp_path / "plugins", "VALUE = 0\n", "nets.py")
    write_plugin(tmp_path / "here", "VALUE = 1\n", "nets.py")
    words = ("run", "--plugin", tmp_path / "plugins" / "mine.py", "--methods", "mine", "--dry-run")
    done = subprocess.run(
        [sys.executable, "-m", "bench", *map(str, words)], capture_output=True, text=True,
        cwd=tmp_path / "here", env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "imports 'nets', and there are two" in done.stderr


def test_a_variant_shares_the_config_of_the_method_it_derives_from(tmp_path):
    class_name = REGISTRY.find("method", "autoencoder").class_name
    more = f"""

class Variant({class_name}):
    name = "mine-variant"


class Other({class_name}):
    name = "mine-other"

    @dataclass(frozen=True)
    class Config({class_name}.Config):
        more: int = 1
"""
    registry = Registry([write_plugin(tmp_path, OWN_METHOD + more)])
    of = {name: registry.find("method", name).variant_of for name in OWN_NAMES}
    assert of == {"mine": "", "mine-variant": "mine", "mine-other": ""}


@pytest.mark.parametrize("how", ["sys.exit(1)", "sys.exit('install it')", "raise SystemExit"])
def test_a_plugin_that_leaves_is_one_line(how, inside, tmp_path):
    plugin = write_plugin(tmp_path, f"{OWN_METHOD}\nimport sys\n{how}\n")
    done = inside("run", "--plugin", plugin, "--methods", "mine", "--dry-run", *TINY)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot import plug-in {plugin}: SystemExit")
    assert done.stderr.count("\n") == 1


def test_a_reason_of_several_lines_is_one(inside, tmp_path):
    plugin = write_plugin(tmp_path, f"{OWN_METHOD}\nraise RuntimeError('first\\nsecond')\n")
    done = inside("run", "--plugin", plugin, "--methods", "mine", "--dry-run", *TINY)
    assert done.returncode == 2
    assert done.stderr.endswith("RuntimeError: first\\nsecond\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("no_such_package.method", "there is no module no_such_package.method"),
        ("no_such_module", "there is no module no_such_module"),
        ("raising_package.method", "there is no module raising_package.method"),
        ("syntax_error_of_ours", "cannot read plug-in"),
        ("of_a_bad_name", "/"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_named_and_skipped(
    module, reason, inside, tmp_path, monkeypatch
):
    """Case 28: its package is gone; and whatever else can be wrong with it."""
    write_plugin(tmp_path, "raise ValueError('out of order')", "raising_package/__init__.py")
    write_plugin(tmp_path, "class Broken(", "syntax_error_of_ours.py")
    write_plugin(tmp_path, OWN_METHOD.replace('"mine"', '"a|b"'), "of_a_bad_name.py")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        "bench.contracts.plugins.installed.entry_points",
        lambda group: [EntryPoint("dead", module, group)] if group == "contentbench" else [],
    )
    listed = inside("list", "methods")
    assert listed.returncode == 0
    assert f"left out: entry point dead: {reason}" in listed.stdout
    assert module != "of_a_bad_name" or "a method is named 'a|b'" in listed.stdout
    assert "press2019" in listed.stdout
    ran = inside("run", "--methods", "autoencoder", "--dry-run", *TINY, "--results", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert f"entry point dead: {reason}" in ran.stdout


BAD_NAMES = [
    "'a|b'", "'a b'", "'a,b'", "'a\\nb'", "'=1+1'", "'-flag'", "'@x'", "7", "None", "''", "'a.b'",
    "'[red]'", "':smile:'", "'a/b'", "'名'", "'a=b'", f"'{'a' * 61}'",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("verb", ["list", "run"])
def test_a_name_that_cannot_be_typed_or_tabled_is_refused(name, verb, inside, tmp_path):
    """Case 20."""
    plugin = write_plugin(tmp_path, OWN_METHOD.replace('name = "mine"', f"name = {name}"))
    words = ("methods",) if verb == "list" else ("--methods", "all", *TINY, "--results", tmp_path)
    done = inside(verb, *words, "--plugin", plugin)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {plugin}: a method is named ")
    assert "expected a word" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["mine", "Mine2", "drit++", "a-b_c", "7up"])
def test_ordinary_names_are_taken(name, tmp_path):
    plugin = write_plugin(tmp_path, OWN_METHOD.replace('name = "mine"', f'name = "{name}"'))
    assert Registry([plugin]).find("method", name).name == name


METRIC = """
from bench.contracts.metric import Metric, MetricInfo
class Own(Metric):
    name = "own"
    summary = "ours"
    version = 1
    numbers = (MetricInfo(NUMBERS),)
    def compute(self, wanted, artefacts, data, settings):
        return {}
"""


PLAIN = "unit='', better='lower', meaning='x'"


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (f"id='a|b', {PLAIN}", "a number is named 'a|b'"),
        (f"id=7, {PLAIN}", "number 7: id is 7, expected str"),
        (f"id=NAME, {PLAIN}", "id of a number is not a literal: NAME"),
        ("id='own_x', unit=''", "number 'own_x': missing 2 required keyword-only arguments"),
        (f"id='own_x', {PLAIN}, digits='2'", "number 'own_x': digits is '2', expected int"),
        (f"id='own_x', {PLAIN}, main=1", "number 'own_x': main is 1, expected bool"),
        (f"id='own_x', {PLAIN}, colour='red'", "unexpected keyword argument 'colour'"),
        (f"id='own_x', {PLAIN}, label='more than twelve'", "expected at most 12 characters"),
        (
            "id='own_x', unit='', better='up', meaning='x'",
            "number 'own_x': better is 'up', expected one of 'higher', 'lower', 'near 1'",
        ),
    ],
)
def test_numbers_of_a_metric_are_named_and_described(numbers, reason, inside, tmp_path):
    plugin = write_plugin(tmp_path, METRIC.replace("NUMBERS", numbers))
    done = inside("list", "metrics", "--plugin", plugin)
    assert done.returncode == 2
    assert reason in done.stderr


def test_the_installed_command_works_beside_folders_of_the_suites_names(cache, tmp_path):
    """Case 31: `python -m bench` runs what is here; `contentbench` does not."""
    for name in ("bench", "methods", "metrics"):
        write_plugin(tmp_path, "raise ImportError('the wrong folder')", f"{name}/__init__.py")
    command = Path(sys.executable).with_name("contentbench")
    if not command.exists():
        pytest.skip("the suite is not installed here")
    words = ("run", "--methods", "copy-source", *TINY, "--metrics", "cf_rank_add")
    done = subprocess.run(
        [command, *words, "--results", tmp_path / "results", "--cache-dir", cache],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[1/1] ok" in done.stdout


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
    "two of one name": (
        BROKEN_METRIC.replace("Broken", "First") + BROKEN_METRIC.partition("MetricInfo\n")[2],
        "two plug-ins are named 'broken': First in ",
    ),
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
