"""The verb `verify`."""

from __future__ import annotations

import pytest

from bench.conformance.scaffold import text_of

MINE = text_of("method", "mine")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mine.py"


def test_a_failed_check_has_its_reason_its_hint_and_exit_code_1(mine, inside):
    mine.write_text(MINE.replace("self.encode(guide, 1).separate", "self.encode(a, 1).separate"))
    done = inside("verify", "mine.py", "--check", "guide", "--check", "facts")
    assert done.returncode == 1
    facts, guide, hint, last = done.stdout.splitlines()
    assert facts.split()[:2] == ["passed", "facts"]
    assert guide.split()[:2] == ["failed", "guide"]
    assert "add ignores its guide, but the class says `guided = True`" in guide
    assert hint.strip().startswith("hint: let add use the separate code of its guide")
    assert last.startswith("method mine: 1 passed, 1 failed in ")


def test_of_several_only_what_did_not_pass_is_printed(mine, inside):
    mine.write_text(MINE)
    done = inside("verify", "autoencoder", "mine.py", "fader", "--check", "guide")
    assert done.returncode == 0
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        "autoencoder", "method autoencoder", "method mine", "fader", "method fader", "all 3",
    ]  # fmt: skip
    assert "1 passed, 2 expected failure" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nothing",), "unknown method, metric or task 'nothing'"),
        (("gone.py",), "no plug-in file gone.py"),
        (("autoencoder", "--check", "nothing"), "unknown check 'nothing'"),
        (("mine.py",), "holds no plug-in"),
    ],
)
def test_wrong_use_is_one_line(words, reason, mine, inside):
    mine.write_text("x = 1\n")
    done = inside("verify", *words)
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_task_whose_images_are_the_users_is_skipped(mine, inside):
    done = inside("verify", "folder")
    assert done.returncode == 0
    assert "it reads images of yours: --a and --b" in done.stdout
    assert "7 skipped" in done.stdout
