"""A copy of a method file is a plug-in of its own after a change of nothing but its name."""

from __future__ import annotations

import re

import pytest
import torch

from bench.contracts.registry import Registry
from bench.contracts.task import Spec
from tests.helpers import REGISTRY, ROOT

SMALL = {path.stem: 8 for path in sorted((ROOT / "methods").glob("[!_]*.py"))} | {"munit": 4}
"""The methods, each with a width that makes it small."""


@pytest.mark.parametrize("name", SMALL)
def test_a_copied_method_file_trains_as_plugin(name, tmp_path):
    source = REGISTRY.find("method", name).path.read_text("utf-8")
    text, names = re.subn(f'^    name = "{name}"$', '    name = "mine"', source, flags=re.M)
    assert names == 1
    # The file of d2ae has a second method, whose name needs a change too.
    text = text.replace('name = "d2ae-obj"', 'name = "mine-obj"')
    copy = tmp_path / "mine.py"
    copy.write_text(text, "utf-8")

    method_class = Registry([copy]).find("method", "mine").load()
    values = {"width": SMALL[name], "batch_size": 6}
    if name in ("mask2020", "press2019"):
        values["sep"] = 4
    method = method_class(Spec(32), method_class.Config(**values)).train()
    logs = method.training_step([torch.rand(6, 3, 32, 32) * 2 - 1 for _ in range(2)])
    assert method_class.__module__ != f"bench.methods.{name}"
    assert logs
    assert all(torch.isfinite(value).all() for value in logs.values())
