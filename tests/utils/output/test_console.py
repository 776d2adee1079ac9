"""Text appears as it is, in a terminal of any width."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from rich.console import Console

import bench.utils.output.console
from bench.runs.display import preparing
from bench.utils.output.console import print_table, say
from tests.helpers import QUICK_RUN, ROOT

ODD = ["results/:smile:", "a [red]b[/] c", "[/]", ":warning: [bold]", "\\[x]"]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("terminal", [False, True])
def test_text_is_shown_as_it_is(text, terminal, monkeypatch, capfd):
    """Case 24: by each way in which the suite prints, on whatever console."""
    monkeypatch.setenv("COLUMNS", "100")
    ours = bench.utils.output.console.console()
    ours.print(text)
    assert capfd.readouterr().out == f"{text}\n"
    for console in (ours, Console(force_terminal=terminal, no_color=True, highlight=False)):
        say(console, text)
        assert text in capfd.readouterr().out
        print_table(console, [f"head {text}"], [[f"cell {text}"]], title=f"title {text}")
        said = capfd.readouterr().out
        for part in ("head", "cell", "title"):
            assert f"{part} {text}" in said
        with preparing(console, text) as progress:
            progress(1, 2)
        assert text in capfd.readouterr().out


def test_a_results_folder_that_is_called_like_an_emoji(inside, tmp_path):
    """Case 24."""
    folder = tmp_path / ":smile:[red]"
    done = inside(*QUICK_RUN, "--results", folder)
    assert done.returncode == 0
    assert f"wrote {folder}/leaderboard.csv and .md, comparisons.csv" in done.stdout


@pytest.mark.parametrize("columns", ["0", "", "-5", "wide", "²", "00", "9" * 5000])
def test_a_width_that_is_none_counts_as_unset(columns, monkeypatch, inside):
    """Case 26."""
    words = ["list", "profiles"]
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    command = [sys.executable, "-m", "bench", *words]
    if columns == "0":  # both as a process
        run = {"cwd": ROOT, "capture_output": True, "text": True}
        unset = subprocess.run(command, env=environment, **run)
        zero = subprocess.run(command, env=environment | {"COLUMNS": "0", "LINES": "0"}, **run)
        assert zero.stdout == unset.stdout
        assert "smoke" in zero.stdout
        return
    from bench.utils.output.terminal import make_usable

    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    make_usable()
    assert "COLUMNS" not in os.environ
    assert "LINES" not in os.environ
    assert bench.utils.output.console.console().width == 160


@pytest.mark.parametrize("columns", ["30", "0080", "200"])
def test_a_width_that_is_given_stays(columns, monkeypatch):
    from bench.utils.output.terminal import make_usable

    monkeypatch.setenv("COLUMNS", columns)
    make_usable()
    assert bench.utils.output.console.console().width == int(columns)
