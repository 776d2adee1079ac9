"""What is wrong on the command line is said in one plain line, and the exit code is 2."""

from __future__ import annotations

import pytest

CASES = {
    "empty results": (("run", "--results", ""), "--results '': expected a path"),
    "blank results": (("leaderboard", "--results", " "), "--results ' ': expected a path"),
    "empty into": (("merge", "somewhere", "--into", ""), "--into '': expected a path"),
    "empty source": (("merge", ""), "DIR '': expected a path"),
    "empty cache": (("run", "--cache-dir", ""), "--cache-dir '': expected a path"),
    "empty plug-in": (("list", "methods", "--plugin", ""), "--plugin '': expected a path"),
    "empty report": (("check", "--json", ""), "--json '': expected a path"),
    "empty baseline": (("check", ""), "the baseline '': expected a path"),
    "results": (("run", "--dry-run", "--results", "FILE"), "FILE is a file: name a folder with"),
    "cache": (("run", "--dry-run", "--cache-dir", "FILE"), "FILE is a file: name a folder with"),
    "data": (
        ("data", "list", "--data-root", "FILE"),
        "FILE is a file: name a folder with --data-root",
    ),
    "data of a run": (
        ("run", "--task", "usps-mnist", "--data-root", "FILE"),
        "FILE is a file: name a folder with --data-root",
    ),
    "whole number": (("run", "--jobs", "x"), "--jobs: expected a whole number"),
    "too small": (("run", "--jobs", "0"), "--jobs: expected at least 1"),
    "number": (("run", "--timeout", "x"), "--timeout: expected a number"),
    "choice": (("run", "--engine", "x"), "--engine: 'x' is not one of 'process', 'inline'"),
    "option": (("run", "--foo"), "there is no option --foo"),
    "verb": (("foo",), "there is no command foo"),
    "words": (("run", "extra"), "unexpected words: extra"),
    "no value": (("run", "--jobs"), "--jobs needs a value"),
    "a value": (("run", "--keep=1"), "--keep takes no value"),
    "no argument": (("merge",), "DIR... is missing"),
    "no choice": (("list",), "KIND is missing: expected one of methods, tasks, metrics, profiles"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_use_is_one_plain_line(case, tmp_path, capfd, monkeypatch):
    from bench.cli.main import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    arguments, expected = CASES[case]
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    said = capfd.readouterr()
    assert (stopped.value.code, said.out) == (2, "")
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert said.err.startswith("error: ")
    assert expected in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]


def test_a_cache_folder_of_the_environment_that_is_a_file(tmp_path, monkeypatch):
    from bench.utils.errors import UserError
    from bench.utils.files.paths import cache_folder

    (tmp_path / "FILE").touch()
    monkeypatch.setenv("CONTENTBENCH_CACHE", str(tmp_path / "FILE"))
    with pytest.raises(UserError, match="is a file: name a folder with --cache-dir or CONTENT"):
        cache_folder(None)
