"""Which files a plug-in consists of."""

from __future__ import annotations

import codecs
import os

import pytest

from bench.contracts.registry import Registry
from bench.contracts.source_files import files_beside, files_of
from tests.helpers import OWN_METHOD, REGISTRY, ROOT, TINY, write_plugin


def hash_of(path):
    return Registry([path]).find("method", "mine").source_hash()


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
    plugin = write_plugin(tmp_path, f"{OWN_METHOD}\n{line}\n")
    for name in ("nets.py", "parts/__init__.py", "parts/nets.py"):
        write_plugin(tmp_path, "VALUE = 1\n", name)
    write_plugin(tmp_path, "from nets import VALUE\n", "between.py")
    before = hash_of(plugin)
    assert before == hash_of(plugin)
    write_plugin(tmp_path, "VALUE = 2\n", IMPORTS[line])
    assert hash_of(plugin) != before


def test_what_a_plugin_does_not_import_is_not_hashed(tmp_path):
    plugin = write_plugin(tmp_path)
    before = hash_of(plugin)
    write_plugin(tmp_path, "VALUE = 1\n", "_notes.py")
    write_plugin(tmp_path, "VALUE = 1\n", "other.py")
    assert hash_of(plugin) == before


def test_the_suites_own_modules_are_no_part_of_a_plugin_in_a_checkout(tmp_path):
    """Else a copy in the checkout would be another method than the same file elsewhere."""
    for name in ("bench/contracts/task.py", "methods/networks/blocks.py"):
        assert (ROOT / name).is_file()
    plugin = write_plugin(tmp_path)
    import bench.contracts.source_files

    assert files_beside(plugin) == [plugin]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.contracts.source_files, "SUITE", [])
        write_plugin(tmp_path, "", "bench/contracts/task.py")
        assert len(files_beside(plugin)) == 2


def test_the_suites_methods_and_metrics_are_made_of_what_they_use():
    def names(kind, name):
        files = files_of(REGISTRY.find(kind, name).path)
        return [path.relative_to(ROOT / f"{kind}s").as_posix() for path in files]

    assert names("method", "ufdn") == [
        *("ufdn.py", "networks/blocks.py", "networks/ufdn.py", "networks/ufdn_losses.py")
    ]
    assert names("method", "press2019") == ["press2019.py", "networks/blocks.py"]
    assert names("metric", "counterfactual")[:2] == ["counterfactual.py", "_statistics.py"]
    assert "weights/avatars64.safetensors" in names("metric", "image_quality")


def test_an_edited_helper_makes_a_record_stale(inside, tmp_path):
    """Case 4, the whole way."""
    plugin = write_plugin(tmp_path, f"{OWN_METHOD}\nimport nets_of_mine\n")
    write_plugin(tmp_path, "VALUE = 1\n", "nets_of_mine.py")
    words = ("run", "--plugin", plugin, "--methods", "mine", *TINY, "--metrics", "reconstruction",
             "--results", tmp_path / "results")  # fmt: skip
    assert inside(*words).returncode == 0
    assert "stale" not in inside(*words).stdout
    write_plugin(tmp_path, "VALUE = 2\n", "nets_of_mine.py")
    assert "stale: the source of mine has changed" in inside(*words).stdout


def test_folders_and_links_beside_a_plugin_do_no_harm(tmp_path):
    """Case 14: a folder of weights, a dead link, a link in a circle, a pipe."""
    plugin = write_plugin(tmp_path)
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
