"""Every task that is found by name passes every check."""

from __future__ import annotations

import pytest

from bench.conformance.check import Outcome, judge
from bench.conformance.task_checks import TaskCase
from bench.conformance.verify import checks_of
from tests.helpers import REGISTRY

TASKS = [pytest.param(plugin, id=plugin.name) for plugin in REGISTRY.all("task")]
CHECKS = [pytest.param(check, id=check.name) for check in checks_of("task")]


@pytest.fixture(scope="module")
def cases(cache, options):
    return {p.name: TaskCase(p, cache, options(p)) for p in REGISTRY.all("task")}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("plugin", TASKS)
def test_tasks_keep_the_contract(plugin, check, cases):
    found = judge(check, cases[plugin.name], plugin.path, {})
    if found.outcome is Outcome.SKIPPED:
        pytest.skip(found.reason)
    assert found.outcome is not Outcome.FAILED, f"{found.reason} (hint: {found.hint})"
