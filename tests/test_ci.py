"""The workflows that are offered: they are YAML, and call what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from bench.cli import app

ROOT = Path(__file__).parent.parent
FILES = (
    ".github/workflows/ci.yml",
    ".github/actions/check/action.yml",
    "docs/workflows/my-method.yml",
)


@pytest.mark.parametrize("name", FILES)
def test_a_workflow_is_yaml_and_names_existing_options(name):
    """PyYAML comes with others' packages: where it is not there, options are still looked at."""
    text = (ROOT / name).read_text("utf-8")
    assert "\t" not in text
    verbs = get_command(app).commands
    for verb, options in re.findall(r"python -m bench (\w+)((?:[^\n]|\\\n)*)", text):
        known = {flag for parameter in verbs[verb].params
                 for flag in (*parameter.opts, *parameter.secondary_opts)}  # fmt: skip
        assert set(re.findall(r"--[a-z-]+", options)) <= known, verb
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(text)
    assert found["name"]
    jobs = found.get("jobs", {"action": found.get("runs", {})})
    assert all(job["steps"] for job in jobs.values())


def test_the_action_has_every_input_that_is_given_to_it():
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((ROOT / FILES[1]).read_text("utf-8"))
    workflow = yaml.safe_load((ROOT / FILES[2]).read_text("utf-8"))
    steps = workflow["jobs"]["check"]["steps"]
    (step,) = (step for step in steps if step.get("uses", "").endswith("/actions/check"))
    assert set(step["with"]) <= set(action["inputs"])
    required = {name for name, facts in action["inputs"].items() if facts.get("required")}
    assert required <= set(step["with"])
    used = set(re.findall(r"inputs\.([a-z]+)", (ROOT / FILES[1]).read_text("utf-8")))
    assert used == set(action["inputs"])
