"""The workflows that are offered: they are YAML, and call what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command

from bench.cli.main import app
from tests.helpers import OWN_METHOD, ROOT

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
    for verb, options in re.findall(r"python -m bench ([\w-]+)((?:[^\n]|\\\n)*)", text):
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


WORSE = OWN_METHOD.replace("self._optimizer.step()", "pass  # it never learns")
GH = """#!/bin/sh
while [ "$1" != --body-file ]; do shift; done
cp "$2" "$SAID"
"""


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def pull_request(tmp_path):
    """Return what runs the steps of the action in a repository, as GitHub would."""
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((ROOT / FILES[1]).read_text("utf-8"))
    origin, temp, programs = (tmp_path / name for name in ("origin", "temp", "programs"))
    for folder in (origin, temp, programs):
        folder.mkdir()
    for name, text in (("gh", GH), ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')):
        (programs / name).write_text(text, "utf-8")
        (programs / name).chmod(0o755)
    git(origin, "init", "--quiet", "--initial-branch", "main")

    def run(base, head):
        def commit(folder, files):
            for name, text in files.items():
                (folder / name).write_text(text, "utf-8")
            git(folder, "add", "--all")
            git(folder, "commit", "--quiet", "--message", "m")
            return git(folder, "rev-parse", "HEAD")

        sha = commit(origin, {"README": "mine", **base})
        git(tmp_path, "clone", "--quiet", str(origin), "head")
        commit(tmp_path / "head", head)
        given = {name: str(facts.get("default", "")) for name, facts in action["inputs"].items()}
        given |= {"plugin": "mine.py", "methods": "mine"}
        words = {f"inputs.{name}": value for name, value in given.items()} | {
            "github.event.pull_request.base.sha": sha,
            "github.event.pull_request.number": "7",
            "github.token": "t",
            "inputs.lenient == 'true' && '--lenient' || ''": "--lenient",
        }
        files = {"RUNNER_TEMP": temp, "SAID": temp / "comment.md"}
        files |= {name: temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        environment = os.environ | {name: str(path) for name, path in files.items()}
        environment |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        codes = []
        for step in action["runs"]["steps"]:
            if any(codes) and not step.get("if", "").startswith("always()"):
                continue
            said = {
                name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: words[found[1]], value)
                for name, value in step["env"].items()
            }
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(command, cwd=tmp_path / "head", env=environment | said)
            codes.append(done.returncode)
        return codes, temp

    return run


@pytest.mark.slow
def test_a_pull_request_that_makes_a_method_worse_is_red_and_gets_the_summary(pull_request):
    codes, temp = pull_request({"mine.py": OWN_METHOD}, {"mine.py": WORSE})
    assert codes == [0, 1, 0]
    comment = (temp / "comment.md").read_text("utf-8")
    assert comment.startswith("## contentbench check\n\n**regressed**")
    assert comment == (temp / "GITHUB_STEP_SUMMARY").read_text("utf-8")
    assert (temp / "GITHUB_OUTPUT").read_text("utf-8") == "code=1\n"
    assert json.loads((temp / "check.json").read_text("utf-8"))["counts"]["regressed"] > 0


@pytest.mark.slow
def test_a_pull_request_with_a_new_method_gets_its_leaderboard(pull_request):
    codes, temp = pull_request({}, {"mine.py": OWN_METHOD})
    assert codes == [0, 0, 0]
    assert "| mine" in (temp / "comment.md").read_text("utf-8")
