"""Plug-ins as people write them: their files, their names, what lies beside them."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bench.contracts.registry import Registry
from bench.contracts.source_files import files_beside, files_of
from bench.utils.errors import UserError

from .conftest import OWN_METHOD, REGISTRY, TINY

ROOT = Path(__file__).parent.parent


def write(folder, text=OWN_METHOD, name="mine.py"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def hash_of(path):
    return Registry([path]).find("method", "mine").source_hash()


# --- what a plug-in is made of (cases 4 and 14) --------------------------------------------------

IMPORTS = {
    "import nets": "nets.py",
    "import nets as n": "nets.py",
    "from nets import VALUE": "nets.py",
    "def late():\n    import nets": "nets.py",
    "import parts.nets": "parts/nets.py",
    "from parts import nets": "parts/nets.py",
    "import parts": "parts/__init__.py",
    "import between": "nets.py",  # which imports it
}


@pytest.mark.parametrize("line", IMPORTS)
def test_what_a_plugin_imports_from_its_folder_is_hashed(line, tmp_path):
    """Case 4, and its siblings: packages, late imports, helpers of helpers."""
    plugin = write(tmp_path, f"{OWN_METHOD}\n{line}\n")
    for name in ("nets.py", "parts/__init__.py", "parts/nets.py"):
        write(tmp_path, "VALUE = 1\n", name)
    write(tmp_path, "from nets import VALUE\n", "between.py")
    before = hash_of(plugin)
    assert before == hash_of(plugin)
    write(tmp_path, "VALUE = 2\n", IMPORTS[line])
    assert hash_of(plugin) != before


def test_what_a_plugin_does_not_import_is_not_hashed(tmp_path):
    plugin = write(tmp_path)
    before = hash_of(plugin)
    write(tmp_path, "VALUE = 1\n", "_notes.py")
    write(tmp_path, "VALUE = 1\n", "other.py")
    assert hash_of(plugin) == before


def test_the_suites_own_modules_are_no_part_of_a_plugin_in_a_checkout(tmp_path):
    """Else a copy in the checkout would be another method than the same file elsewhere."""
    for name in ("bench/contracts/task.py", "methods/_blocks.py"):
        assert (ROOT / name).is_file()
    plugin = write(tmp_path)
    import bench.contracts.source_files

    assert files_beside(plugin) == [plugin]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.contracts.source_files, "SUITE", [])
        write(tmp_path, "", "bench/contracts/task.py")
        assert len(files_beside(plugin)) == 2


def test_the_suites_methods_and_metrics_are_made_of_what_they_use():
    def names(kind, name):
        return [path.name for path in files_of(REGISTRY.find(kind, name).path)]

    assert names("method", "ufdn") == ["ufdn.py", "_ufdn_networks.py"]
    assert names("method", "press2019") == ["press2019.py", "_blocks.py"]
    assert names("metric", "counterfactual")[:2] == ["counterfactual.py", "_statistics.py"]
    assert "avatars64.safetensors" in names("metric", "image_quality")


def test_an_edited_helper_makes_a_record_stale(inside, tmp_path):
    """Case 4, the whole way."""
    plugin = write(tmp_path, f"{OWN_METHOD}\nimport nets_of_mine\n")
    write(tmp_path, "VALUE = 1\n", "nets_of_mine.py")
    words = ("run", "--plugin", plugin, "--methods", "mine", *TINY, "--metrics", "reconstruction",
             "--results", tmp_path / "results")  # fmt: skip
    assert inside(*words).returncode == 0
    assert "stale" not in inside(*words).stdout
    write(tmp_path, "VALUE = 2\n", "nets_of_mine.py")
    assert "stale: the source of mine has changed" in inside(*words).stdout


@pytest.mark.parametrize("helper", ["NETS.py", "NETS/__init__.py", "NETS/parts.py"])
@pytest.mark.parametrize("late", [False, True])
def test_helpers_of_one_name_are_not_mixed_up(helper, late, tmp_path):
    """Imported at once, or later by a function; packages with `__init__` or without."""
    name = f"nets_{late}_{helper.count('/') + helper.count('_')}"  # modules live as long as pytest
    line = f"from {name} import parts" if helper == "NETS/parts.py" else f"import {name}"
    for at, folder in enumerate(("one", "two")):
        text = OWN_METHOD.replace('"mine"', f'"{folder}"')
        text += f"\n\ndef later():\n    {line}\n" if late else f"\n{line}\n"
        write(tmp_path / folder, text, "plugin.py")
        write(tmp_path / folder, f"VALUE = {at}\n", helper.replace("NETS", name))
    registry = Registry([tmp_path / folder / "plugin.py" for folder in ("one", "two")])
    registry.find("method", "one").load()
    with pytest.raises(UserError, match=f"imports '{name}', of which there are two"):
        registry.find("method", "two").load()


def test_a_module_of_the_working_folder_is_not_taken_for_a_helper(tmp_path):
    """`python -m bench` looks there first."""
    write(tmp_path / "plugins", f"{OWN_METHOD}\ndef later():\n    import nets\n")
    write(tmp_path / "plugins", "VALUE = 0\n", "nets.py")
    write(tmp_path / "here", "VALUE = 1\n", "nets.py")
    words = ("run", "--plugin", tmp_path / "plugins" / "mine.py", "--methods", "mine", "--dry-run")
    done = subprocess.run(
        [sys.executable, "-m", "bench", *map(str, words)], capture_output=True, text=True,
        cwd=tmp_path / "here", env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "imports 'nets', of which there are two" in done.stderr


@pytest.mark.parametrize("how", ["sys.exit(1)", "sys.exit('install it')", "raise SystemExit"])
def test_a_plugin_that_leaves_is_one_line(how, inside, tmp_path):
    plugin = write(tmp_path, f"{OWN_METHOD}\nimport sys\n{how}\n")
    done = inside("run", "--plugin", plugin, "--methods", "mine", "--dry-run", *TINY)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot import plug-in {plugin}: SystemExit")
    assert done.stderr.count("\n") == 1


def test_a_reason_of_several_lines_is_one(inside, tmp_path):
    plugin = write(tmp_path, f"{OWN_METHOD}\nraise RuntimeError('first\\nsecond')\n")
    done = inside("run", "--plugin", plugin, "--methods", "mine", "--dry-run", *TINY)
    assert done.returncode == 2
    assert done.stderr.endswith("RuntimeError: first\\nsecond\n")
    assert done.stderr.count("\n") == 1


def test_folders_and_links_beside_a_plugin_do_no_harm(tmp_path):
    """Case 14: a folder of weights, a dead link, a link in a circle, a pipe."""
    plugin = write(tmp_path)
    weights = tmp_path / "weights"
    (weights / "epoch_10").mkdir(parents=True)
    (weights / "last").symlink_to(tmp_path / "gone")
    (weights / "circle").symlink_to(weights)
    os.mkfifo(weights / "pipe")
    before = hash_of(plugin)
    (weights / "epoch_10" / "net.bin").write_bytes(b"1")
    after = hash_of(plugin)
    assert before != after
    (weights / "epoch_10" / "net.bin").write_bytes(b"2")
    assert hash_of(plugin) != after


# --- files (case 28) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "start"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("latin-1", b"# -*- coding: latin-1 -*-\n"),
        ("cp1252", b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n"),
        ("utf-8", b"# a line that ends as on Windows\r\n"),
    ],
)
def test_what_python_runs_is_read(encoding, start, tmp_path):
    """Case 28: a BOM, coding cookies, other ends of lines."""
    path = tmp_path / "mine.py"
    text = OWN_METHOD.replace("plain autoencoder", "Größe")
    path.write_bytes(start + text.encode(encoding))
    plugin = Registry([path]).find("method", "mine")
    assert "Größe" in plugin.facts["summary"]
    assert plugin.load().name == "mine"


@pytest.mark.parametrize(
    "content", [b"class Broken(", b"\0", b"# coding: nothing-known\n", "x = 'é'".encode("latin-1")]
)
def test_what_python_does_not_run_is_one_line(content, inside, tmp_path):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    done = inside("list", "methods", "--plugin", path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot read plug-in {path}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("no_such_package.method", "cannot find module no_such_package.method"),
        ("no_such_module", "there is no module no_such_module"),
        ("raising_package.method", "cannot find module raising_package.method: out of order"),
        ("syntax_error_of_ours", "cannot read plug-in"),
        ("of_a_bad_name", "/"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_named_and_skipped(
    module, reason, inside, tmp_path, monkeypatch
):
    """Case 28: its package is gone; and whatever else can be wrong with it."""
    write(tmp_path, "raise ValueError('out of order')", "raising_package/__init__.py")
    write(tmp_path, "class Broken(", "syntax_error_of_ours.py")
    write(tmp_path, OWN_METHOD.replace('"mine"', '"a|b"'), "of_a_bad_name.py")
    monkeypatch.syspath_prepend(tmp_path)
    dead = EntryPoint("dead", module, "contentbench")
    monkeypatch.setattr("bench.contracts.registry.entry_points", lambda group: [dead])
    listed = inside("list", "methods")
    assert listed.returncode == 0
    assert f"left out: entry point dead: {reason}" in listed.stdout
    assert module != "of_a_bad_name" or "a method is named 'a|b'" in listed.stdout
    assert "press2019" in listed.stdout
    ran = inside("run", "--methods", "autoencoder", "--dry-run", *TINY, "--results", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert f"entry point dead: {reason}" in ran.stdout


# --- names (case 20) -----------------------------------------------------------------------------

BAD_NAMES = [
    "'a|b'", "'a b'", "'a,b'", "'a\\nb'", "'=1+1'", "'-flag'", "'@x'", "7", "None", "''", "'a.b'",
    "'[red]'", "':smile:'", "'a/b'", "'名'", "'a=b'", f"'{'a' * 61}'",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("verb", ["list", "run"])
def test_a_name_that_cannot_be_typed_or_tabled_is_refused(name, verb, inside, tmp_path):
    """Case 20."""
    plugin = write(tmp_path, OWN_METHOD.replace('name = "mine"', f"name = {name}"))
    words = ("methods",) if verb == "list" else ("--methods", "all", *TINY, "--results", tmp_path)
    done = inside(verb, *words, "--plugin", plugin)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {plugin}: a method is named ")
    assert "expected a word" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["mine", "Mine2", "drit++", "a-b_c", "7up"])
def test_ordinary_names_are_taken(name, tmp_path):
    plugin = write(tmp_path, OWN_METHOD.replace('name = "mine"', f'name = "{name}"'))
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
    plugin = write(tmp_path, METRIC.replace("NUMBERS", numbers))
    done = inside("list", "metrics", "--plugin", plugin)
    assert done.returncode == 2
    assert reason in done.stderr


# --- a folder of the suite's name (case 31) ------------------------------------------------------


def test_the_installed_command_works_beside_folders_of_the_suites_names(cache, tmp_path):
    """Case 31: `python -m bench` runs what is here; `contentbench` does not."""
    for name in ("bench", "methods", "metrics"):
        write(tmp_path, "raise ImportError('the wrong folder')", f"{name}/__init__.py")
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
