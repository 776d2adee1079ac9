"""How every verb starts and ends, and how errors in its use are reported."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from bench.cli.options import Engine
from bench.utils.interrupts import came, interrupted, noted

IN_PLAIN_WORDS = (
    (r"Invalid value for '?(.*?)'?: ", r"\1: "),
    (r"(Input should be a valid integer.*|\S* is not a valid int\S*)", "expected a whole number"),
    (r"(Input should be a valid number.*|\S* is not a valid float\S*)", "expected a number"),
    (r"Input should be greater than or equal to (\S+)", r"expected at least \1"),
    (r"\S+ is not in the range x>=(\S+?)\.?$", r"expected at least \1"),
    (r"Value error, ('.*?' is not one of .*?)\.?$", r"\1"),
    (r"Missing (argument|parameter|option) '(.*?)'\.( Choose from:)?", r"\2 is missing"),
    (r"is missing (\S.*)", r"is missing: expected one of \1"),
    (r"Option '(.*?)' requires an argument\.", r"\1 needs a value"),
    (r"Option '(.*?)' does not take a value\.", r"\1 takes no value"),
    (r"No such (option|command):? '?([^' ]*)'?\.?", r"there is no \1 \2"),
    (r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", r"unexpected words: \1"),
)
"""Messages of typer and its parser, and our plainer wording."""


def plain_words(message: str) -> str:
    """Return a message of typer in one line and in plainer words."""
    line = " ".join(message.split())
    for pattern, words in IN_PLAIN_WORDS:
        line = re.sub(pattern, words, line)
    return line


def check_engine(engine: Engine) -> None:
    """Check that an engine can be used.

    Raises:
        UserError: a package that it needs is not installed.
    """
    if engine is Engine.ray:
        from bench.runs.engines.choose import require_ray

        require_ray()


def warm_up(engine: Engine, dry_run: bool) -> None:
    """Let workers import torch while this process is still planning.

    Raises:
        UserError: a package that the engine needs is not installed.
    """
    check_engine(engine)
    if engine is Engine.process and not dry_run:
        from bench.runs.engines.process import warm_up

        warm_up()


def finish(work: Callable[[], int]) -> NoReturn:
    """Do the work of a verb and end with its exit code."""
    if came():  # an import may have swallowed the interrupt
        raise KeyboardInterrupt
    raise typer.Exit(work())


class Verbs(TyperGroup):
    """All verbs. Ctrl-C ends each of them with one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        with noted():
            try:
                return super().invoke(ctx)
            except typer.Exit:
                raise
            except BaseException as error:
                if came() or isinstance(error, KeyboardInterrupt):
                    raise typer.Exit(interrupted()) from None  # typer would exit without a message
                raise
