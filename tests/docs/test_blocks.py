"""Each block of code in the documents runs, page by page, or says why not."""

from __future__ import annotations

import shutil
from glob import glob

import pytest

from tests.cli.surface import VERBS, verb_of
from tests.documents import DOCUMENTS
from tests.helpers import QUICK_RUN, ROOT
from tests.pictures import make_folder

from .blocks import (
    SMALL,
    Block,
    blocks,
    changed,
    commands,
    in_small,
    takes_long,
)

PAGES = [path for path in DOCUMENTS if any(not block.reason for block in blocks(path))]
COMMITTED = ("records", "claims", "leaderboard.csv", "comparisons.csv")


def names_of(path):
    return path.relative_to(ROOT).as_posix()


def copy_committed(folder):
    for name in COMMITTED:
        place = ROOT / "results" / name
        folder.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if place.is_dir() else shutil.copy)(place, folder / name)


@pytest.fixture(scope="module")
def local(bench, tmp_path_factory):
    """The results folder of a tiny run, as `results/local` and as two shards."""
    folder = tmp_path_factory.mktemp("local")
    done = bench(*QUICK_RUN, "--results", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def workplace(tmp_path, local, cache, monkeypatch):
    """A folder with what pages speak of: images, the committed results, and those of a tiny run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTENTBENCH_CACHE", str(cache))
    make_folder(tmp_path / "faces" / "plain", 40, seed=0)
    make_folder(tmp_path / "faces" / "glasses", 44, seed=1)
    make_folder(tmp_path / "DIR", SMALL["profile.test_images"], seed=2, size=(32, 32))
    copy_committed(tmp_path / "results")
    for place in ("results/local", "shards/1"):
        shutil.copytree(local, tmp_path / place)
    return tmp_path


@pytest.mark.parametrize("path", PAGES, ids=names_of)
def test_the_blocks_of_a_page_run_one_after_the_other(path, workplace, inside):
    if path.name == "leaderboard.md":  # it speaks of a finished run with many rows
        shutil.rmtree("results/local")
        copy_committed(workplace / "results" / "local")
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks(path):
        if block.reason:
            continue
        at = f"{path.name}, line {block.line}"
        if block.language == "python":
            exec(compile(block.text, at, "exec"), names)
        elif block.language == "diff":
            for file in workplace.glob("*.py"):
                file.write_text(changed(file.read_text("utf-8"), block.text), "utf-8")
        for words in map(unfolded, commands(block)):
            if not takes_long(words):
                done = inside(*in_small(words))
                assert done.returncode == 0, (at, words, done.stdout[-2000:], done.stderr[-2000:])


def unfolded(words):
    """Return the words of a command with patterns of files as a shell would give them."""
    return [
        found for word in words for found in (sorted(glob(word)) if "*" in word else None) or [word]
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=names_of)
def test_every_command_is_understood(path):
    """Also those that are not run: their options exist, and their values are what they must be."""
    for block in blocks(path):
        for words in commands(block):
            verb, rest = verb_of(words)
            assert VERBS[verb].make_context(verb, list(rest)).command is VERBS[verb]


def test_a_reason_belongs_to_the_block_below_it(tmp_path):
    page = tmp_path / "page.md"
    run = "```bash\npython -m bench list methods\n```\n"
    page.write_text(f"{run}\n<!-- not run: it takes a day -->\n{run}\n```toml\na = 1\n```\n")
    assert [(block.line, block.reason) for block in blocks(page)] == [
        (1, ""), (6, "it takes a day"),
    ]  # fmt: skip


def test_a_long_training_is_only_planned():
    assert "--dry-run" in in_small(["run", "--methods", "all", "--profile", "smoke"])
    assert "--dry-run" in in_small(["run", "--methods", "press2019"])
    assert "--dry-run" not in in_small(["run", "--profile", "smoke"])
    assert in_small(["report", "--open"]) == ["report"]
    assert takes_long(["check", "--run"])
    assert not takes_long(["data", "show", "squares", "--profile", "smoke"])


def test_a_command_without_a_known_verb_is_found():
    (words,) = commands(Block(1, "bash", "python -m bench fly\n", ""))
    with pytest.raises(AssertionError, match="no verb"):
        in_small(words)


def test_a_diff_that_does_not_fit_is_found():
    assert changed("a\nb\n", "-a\n+c\n+d\n") == "c\nd\nb\n"
    with pytest.raises(AssertionError, match="expected once"):
        changed("a\na\n", "-a\n+c\n")
