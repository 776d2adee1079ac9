"""What the documents say is so."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .conftest import REGISTRY

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in README.splitlines() if line.endswith("-m pytest")]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_metric_and_method_is_described():
    metrics = (ROOT / "docs" / "metrics.md").read_text()
    for plugin in REGISTRY.all("metric"):
        for name in plugin.facts["numbers"]:
            assert f"`{name}`" in metrics, name
    for plugin in REGISTRY.all("method"):
        assert f"`{plugin.name}`" in README
        assert f"## {plugin.name}" in (ROOT / "docs" / "methods.md").read_text()


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    for requirement in wanted:
        assert requirement.split(">=")[0].lower() in pins, requirement


def test_profiles_are_described():
    from bench.config import profiles

    text = (ROOT / "docs" / "profiles.md").read_text()
    for profile in profiles().values():
        assert f"| `{profile.name}` | {profile.size} px" in text
        if profile.budget_tflops != "published":
            assert f"| {profile.budget_tflops:g}e12 |" in text
