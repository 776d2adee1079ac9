"""The verbs and options of the command line: a change of them is made on purpose, or not at all."""

from __future__ import annotations

import re

import pytest

from .surface import FILE, VERBS, listing


def test_verbs_and_options_are_the_listed_ones():
    """After a change that is meant: `python -m tests.cli.surface` renews the listing."""
    assert listing() == FILE.read_text("utf-8"), (
        "the command line has changed: run `python -m tests.cli.surface` if that is meant"
    )


def shown_options(verb):
    return [
        parameter
        for parameter in VERBS[verb].params
        if parameter.opts[0].startswith("--") and not parameter.hidden
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_has_a_panel_and_a_sentence_with_its_default(verb):
    for option in shown_options(verb):
        if option.opts == ["--help"]:
            continue
        assert option.rich_help_panel, option.opts
        assert option.help.endswith("."), option.opts
        assert re.search(r"default|needed|without", option.help), (option.opts, option.help)


def test_an_option_has_one_panel_in_all_verbs():
    panels: dict[str, set[str]] = {}
    for verb in VERBS:
        for option in shown_options(verb):
            if option.opts != ["--help"]:
                panels.setdefault(option.opts[0], set()).add(option.rich_help_panel)
    assert {flag: found for flag, found in panels.items() if len(found) > 1} == {}


@pytest.mark.parametrize("columns", [80, 120])
def test_help_shows_every_panel_and_option(columns, capfd, monkeypatch):
    from bench.cli.main import main

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERMINAL_WIDTH", str(columns))
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--help"])
    assert not stopped.value.code
    said = capfd.readouterr().out
    for option in shown_options("run"):
        assert option.opts[0] in said
        assert option.rich_help_panel is None or option.rich_help_panel in said
