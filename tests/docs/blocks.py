"""The blocks of code of the documents, and how a test runs them: in small, in an empty folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cli.surface import VERBS, verb_of

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SMALL = {
    "profile.budget_tflops": 0.002,
    "profile.train_images": 64,
    "profile.probe_images": 64,
    "profile.test_images": 32,
}
QUICK_METRICS = "add_score,transfer,rec_l1_a"
QUICK_CHECK = "facts"
QUICK_CLAIM = "confusion-0.05-leak"
PAGE_NOT_RUN = re.compile(r"^<!-- no block is run: (.+?) -->$", re.MULTILINE)
WITHOUT_SMALL_FORM = ("check", "baseline", "data get", "probe-curve", "submit-check")
"""Verbs that take minutes or fetch data in every form, or refuse what is tiny."""


@dataclass(frozen=True)
class Block:
    """A block of code of a document. reason: why it is not run, or ''."""

    line: int
    language: str
    text: str
    reason: str


def blocks(path: Path) -> list[Block]:
    """Return the blocks of a document that a test runs, and those that say why not."""
    text = path.read_text("utf-8")
    of_page = PAGE_NOT_RUN.search(text)
    found = [
        Block(
            text[: match.start("text")].count("\n"),
            match["language"],
            match["text"],
            of_page[1] if of_page else match["reason"] or "",
        )
        for match in FENCE.finditer(text)
    ]
    return [block for block in found if block.language in ("python", "diff") or commands(block)]


def commands(block: Block) -> list[list[str]]:
    """Return the words of each command of a block that begins with `python -m bench`."""
    if block.language not in ("", "bash"):
        return []
    first = [line for line in block.text.splitlines() if not line.startswith("#")][:1]
    if not first or not first[0].startswith("python -m bench "):
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    return [
        shlex.split(line, comments=True)[3:]
        for line in lines
        if line.startswith("python -m bench ")
    ]


def takes_long(words: list[str]) -> bool:
    """Return whether a command has no small form. Tests then only check that it is understood."""
    verb, _ = verb_of(words)
    return verb in WITHOUT_SMALL_FORM or (verb == "data show" and "--profile" not in words)


def in_small(words: list[str]) -> list[str]:
    """Return a command that does the same with tiny images and budgets.

    Trainings of many methods, or in another profile than smoke, would take long: they are only
    planned.
    """
    verb, _ = verb_of(words)
    flags = {flag for option in VERBS[verb].params for flag in option.opts}
    small = [word for word in words if word != "--open"]
    many = bool({"all", "core", "contrastive"} & set(words))
    long = verb in ("run", "tune", "claims") and (many or "smoke" not in words)
    if long and not {"--dry-run", "--judge-only"} & set(words):
        small.append("--dry-run")
    if verb in ("pairs", "score-images") and "--profile" not in words:
        small += ["--profile", "smoke"]
    if {"--profile", "--set"} <= flags and "smoke" in small and not long:
        small += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    if verb in ("run", "score-images") and "--metrics" not in words:
        small += ["--metrics", QUICK_METRICS]
    if verb == "verify" and "--check" not in words:
        small += ["--check", QUICK_CHECK]
    if verb == "claims" and "--only" not in words:
        small += ["--only", QUICK_CLAIM]
    if verb == "score" and "--metrics" not in words:
        small += ["--metrics", QUICK_METRICS]
    return small


def changed(source: str, diff: str) -> str:
    """Return a source text after a diff, whose removed lines it must have exactly once."""
    removed, added = (
        "".join(f"{line[1:]}\n" for line in _lines(diff, sign)) for sign in ("-", "+")
    )
    assert source.count(removed) == 1, f"expected once:\n{removed}"
    return source.replace(removed, added)


def _lines(diff: str, sign: str) -> Iterator[str]:
    return (line for line in diff.splitlines() if line.startswith(sign))
