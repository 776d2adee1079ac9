"""Every method that is found by name passes every check. A new method adds no line here."""

from __future__ import annotations

import pytest
import torch

from bench.cell.training import autocast
from bench.conformance.check import Outcome, judge
from bench.conformance.method_case import MethodCase
from bench.conformance.verify import checks_of
from tests.helpers import METHODS

CHECKS = [pytest.param(check, id=check.name) for check in checks_of("method")]
MAY_FAIL = {"guide", "unlabelled"}
"""The checks that a method may fail if it says so: by `guided` and by `supervision`."""


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("plugin", METHODS)
def test_methods_keep_the_contract(plugin, check, faces):
    found = judge(check, MethodCase(plugin, lambda: faces), plugin.path, {})
    fine = [Outcome.PASSED, Outcome.EXPECTED] if check.name in MAY_FAIL else [Outcome.PASSED]
    assert found.outcome in fine, f"{found.reason} (hint: {found.hint})"


def test_a_second_pass_in_bf16_sees_the_updated_weights():
    """Autocast's cache would give it the weights from before the update."""
    net = torch.nn.Linear(4, 4)
    x = torch.ones(1, 4)
    with autocast("cpu", "bf16"):
        before = net(x)
        with torch.no_grad():
            net.weight += 1
        after = net(x)
    assert (after - before).abs().min() > 1
