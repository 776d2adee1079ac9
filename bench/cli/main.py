"""The command line: all verbs together. Only a verb that needs torch imports it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from bench.cli.verbs import Verbs, plain_words
from bench.utils.errors import Exit, UserError
from bench.utils.output.escape import printable
from bench.utils.version import __version__

MODULES = {
    "run": ("run",),
    "score": ("score", "score-images", "pairs"),
    "results": ("list", "leaderboard", "merge", "clean"),
    "report": ("report",),
    "check": ("check", "baseline", "submit-check"),
    "tune": ("tune",),
    "claims": ("claims",),
    "probe_curve": ("probe-curve",),
    "data": ("data",),
    "plugins": ("new", "verify"),
    "models": ("add", "remove", "export"),
}
"""The verbs of each module of this package."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"contentbench {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def app_of(verb: str = "") -> typer.Typer:
    """Return the command line with the module of one verb, or with all if it is no verb.

    The other modules are not imported, so that a verb starts fast.
    """
    made = typer.Typer(
        name="bench",
        cls=Verbs,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="The benchmark for content transfer and feature disentanglement.",
        epilog="Exit codes: 0 fine, 1 regression found or check failed, 2 wrong use, 3 a cell "
        "failed, 4 cannot compare, 70 an error of the suite itself, 130 interrupted.",
    )
    made.callback()(_common)
    own = [module for module, verbs in MODULES.items() if verb in verbs]
    for module in own or MODULES:
        part: typer.Typer = import_module(f"bench.cli.{module}").app
        made.add_typer(part, name="data" if module == "data" else None)
    return made


def __getattr__(name: str) -> Any:
    if name == "app":
        globals()[name] = app_of()
        return globals()[name]
    raise AttributeError(name)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # typer uses click or, in some versions, a copy of it: so find its base error by name
    names = {parent.__name__: parent for parent in typer.BadParameter.__mro__}
    click_error: type[Exception] = names["ClickException"]
    try:
        words = sys.argv[1:] if arguments is None else arguments
        verb = next((word for word in words if not word.startswith("-")), "")
        app = globals().get("app") or app_of(verb)
        code = app(args=arguments, prog_name="python -m bench", standalone_mode=False)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(Exit.WRONG_USE)
    except click_error as error:
        message = error.format_message()  # type: ignore[attr-defined]
        if message:
            print(f"error: {printable(plain_words(message))} (see --help)", file=sys.stderr)
        sys.exit(Exit.WRONG_USE)
    sys.exit(code or 0)
