"""Installed packages offer plug-ins through entry points, and nothing of them is imported early."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.contracts.registry import Registry
from bench.records.store import Store
from bench.utils.errors import UserError
from tests.helpers import BROKEN_METRIC, OWN_METHOD, TINY, write_plugin

INIT = "imported = True\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Lay files where Python finds packages, with entry points given as {group: [name = value]}."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def lay(files, points, name="package_of_plugins"):
        for path, text in files.items():
            write_plugin(tmp_path, text, path)
        groups = "".join(
            f"[{group}]\n" + "\n".join(lines) + "\n" for group, lines in points.items()
        )
        write_plugin(tmp_path, groups, f"{name}-1.0.dist-info/entry_points.txt")
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        write_plugin(tmp_path, meta, f"{name}-1.0.dist-info/METADATA")
        return tmp_path

    yield lay
    for module in set(sys.modules) - before:
        if module.startswith("package_of"):
            del sys.modules[module]


METHODS = {"contentbench.methods": ["mine = package_of_plugins.method"]}


def test_a_plugin_is_found_without_importing_its_package(install):
    place = install(
        {"package_of_plugins/__init__.py": INIT, "package_of_plugins/method.py": OWN_METHOD},
        METHODS,
    )
    found = Registry().find("method", "mine")
    assert found.path == place / "package_of_plugins" / "method.py"
    assert found.installed
    assert found.package == ("package_of_plugins", "1.0")
    assert found.config_fields() is not None
    assert not [name for name in sys.modules if name.startswith("package_of_plugins")]
    assert found.load().__module__ == "package_of_plugins.method"


def test_a_record_names_the_package_of_its_method(install, inside, tmp_path):
    install(
        {"package_of_plugins/__init__.py": "", "package_of_plugins/method.py": OWN_METHOD}, METHODS
    )
    done = inside("run", "--methods", "mine,autoencoder", *TINY, "--metrics", "reconstruction",
                  "--results", tmp_path / "results")  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = {record["label"]: record for record in Store(tmp_path / "results").records()[0]}
    assert records["mine"]["environment"]["versions"]["package_of_plugins"] == "1.0"
    assert "package_of_plugins" not in records["autoencoder"]["environment"]["versions"]


def test_listing_and_discovery_import_no_torch(install):
    place = install(
        {"package_of_plugins/__init__.py": "", "package_of_plugins/method.py": OWN_METHOD}, METHODS
    )
    code = (
        "import sys; from bench.contracts.registry import Registry\n"
        "print(Registry().find('method', 'mine').name, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(place)!r})\n{code}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "mine False\n", done.stderr


def test_a_group_names_the_kind_and_a_value_may_name_a_class(install):
    both = OWN_METHOD + BROKEN_METRIC + BROKEN_METRIC.replace("roken", "etter")
    install(
        {"package_of_plugins.py": both},
        {"contentbench.metrics": ["one = package_of_plugins:Better"]},
    )
    registry = Registry()
    assert "better" in [plugin.name for plugin in registry.all("metric")]
    assert "broken" not in [plugin.name for plugin in registry.all("metric")]
    assert "mine" not in [plugin.name for plugin in registry.all("method")]
    assert registry.skipped == []


def test_what_is_not_there_is_left_out_with_its_reason(install):
    install(
        {"package_of_plugins.py": OWN_METHOD},
        {
            "contentbench.tasks": ["squares = package_of_plugins"],
            "contentbench.methods": ["other = package_of_plugins:Gone"],
        },
    )
    registry = Registry()
    lines = dict(line.split(": ", 1) for line in registry.skipped)
    assert set(lines) == {
        "entry point squares of package package_of_plugins",
        "entry point other of package package_of_plugins",
    }
    assert "holds no class that is a task" in str(lines)
    assert "holds no class Gone that is a method" in str(lines)
    with pytest.raises(UserError, match=r"task 'squares' is unavailable: .*holds no class"):
        registry.find("task", "squares")


def test_two_plugins_of_one_name_are_an_error_that_names_both_files(install, inside):
    place = install(
        {"package_of_plugins.py": OWN_METHOD.replace('"mine"', '"press2019"')},
        {"contentbench.methods": ["mine = package_of_plugins"]},
    )
    done = inside("list", "methods")
    assert done.returncode == 2
    assert "two plug-ins are named 'press2019'" in done.stderr
    assert str(place / "package_of_plugins.py") in done.stderr
    assert "methods/press2019.py" in done.stderr


def test_a_file_that_is_also_installed_is_one_plugin(install):
    place = install(
        {"package_of_plugins.py": OWN_METHOD}, {"contentbench.methods": ["m = package_of_plugins"]}
    )
    registry = Registry([place / "package_of_plugins.py"])
    assert registry.find("method", "mine").installed


@pytest.mark.parametrize("metric", [False, True])
def test_an_installed_plugin_that_cannot_be_imported_disturbs_nobody(metric, install, inside):
    text = (BROKEN_METRIC if metric else OWN_METHOD) + "\nimport nothing_of_this_name\n"
    group = "contentbench.metrics" if metric else "contentbench.methods"
    place = install({"package_of_plugins.py": text}, {group: ["mine = package_of_plugins"]})
    where = (*TINY, "--results", place / "results")
    done = inside("run", "--methods", "copy-source", *where, "--metrics", "cf_rank_add")
    assert done.returncode == 0, done.stdout + done.stderr
    done = inside("run", "--methods", "copy-source", *where, "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    if not metric:
        done = inside("run", "--methods", "all", *where, "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "not in this run: mine of an installed package: cannot import" in done.stdout
        asked = inside("run", "--methods", "mine", *where, "--dry-run")
        assert (asked.returncode, "nothing_of_this_name" in asked.stderr) == (2, True)
    else:
        asked = inside("run", "--methods", "copy-source", "--metrics", "broken", *where)
        assert (asked.returncode, "nothing_of_this_name" in asked.stderr) == (2, True)


IMPORTS = {
    "from package_of_plugins import nets": "package_of_plugins/nets.py",
    "from package_of_plugins.deep.nets import VALUE": "package_of_plugins/deep/nets.py",
    "import package_of_plugins.nets as n": "package_of_plugins/nets.py",
    "from . import nets": "package_of_plugins/nets.py",
    "from .deep import nets": "package_of_plugins/deep/nets.py",
    "from .deep.nets import VALUE": "package_of_plugins/deep/nets.py",
    "pass": "package_of_plugins/__init__.py",
}


@pytest.mark.parametrize("line", IMPORTS)
def test_the_hash_covers_what_a_plugin_imports_from_its_package(line, install):
    files = {f"package_of_plugins/{name}": "VALUE = 1\n" for name in
             ("__init__.py", "nets.py", "deep/__init__.py", "deep/nets.py")}  # fmt: skip
    method = {"package_of_plugins/method.py": f"{OWN_METHOD}\n{line}\n"}
    place = install(files | method | {"stranger.py": "VALUE = 1\n"}, METHODS)
    plugin = Registry().find("method", "mine")
    before = plugin.source_hash()
    write_plugin(place, "VALUE = 2\n", "stranger.py")
    write_plugin(place, "VALUE = 2\n", "package_of_plugins/unused.py")
    assert plugin.source_hash() == before
    write_plugin(place, "VALUE = 2\n", IMPORTS[line])
    assert plugin.source_hash() != before
    assert plugin.load().name == "mine"


def test_a_broken_file_in_the_folder_of_the_suite_is_left_out(inside, tmp_path, monkeypatch):
    from bench.contracts import registry

    write_plugin(tmp_path, "class Broken(:", "torn.py")
    write_plugin(tmp_path)
    monkeypatch.setattr(registry, "FOLDERS", {**registry.FOLDERS, "method": tmp_path})
    done = inside("list", "methods")
    assert done.returncode == 0
    assert f"left out: method torn: cannot read plug-in {tmp_path / 'torn.py'}" in done.stdout
    assert "mine" in done.stdout
    asked = inside("run", "--methods", "torn", "--dry-run", *TINY)
    assert asked.returncode == 2
    assert "method 'torn' is unavailable: cannot read plug-in" in asked.stderr
