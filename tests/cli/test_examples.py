"""Each example in a verb's help works: it is run with --dry-run, or parsed."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.helpers import OWN_METHOD

from .surface import VERBS, verb_of

EXAMPLES = [
    (name, example)
    for name, command in VERBS.items()
    for example in re.findall(r"python -m bench (.+)", command.epilog or "")
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example(verb):
    assert verb in {name for name, _ in EXAMPLES}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_understood(name, example):
    """Its options exist, and their values are what they must be."""
    verb, words = verb_of(shlex.split(example))
    context = VERBS[verb].make_context(verb, list(words), resilient_parsing=False)
    assert context.command is VERBS[verb], name


@pytest.mark.parametrize(
    "example", [example for name, example in EXAMPLES if name in ("run", "list")]
)
def test_an_example_of_run_or_list_works(example, inside, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_method.py").write_text(OWN_METHOD)
    words = shlex.split(example)
    if words[0] == "run" and "--dry-run" not in words:
        words.append("--dry-run")
    done = inside(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not (tmp_path / "results").exists()
