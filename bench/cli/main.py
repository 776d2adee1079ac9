"""The command line: all verbs together. Only a verb that needs torch imports it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bench.cli import check as cli_check
from bench.cli import claims as cli_claims
from bench.cli import data as cli_data
from bench.cli import probe_curve as cli_probe_curve
from bench.cli import results as cli_results
from bench.cli import run as cli_run
from bench.cli import score as cli_score
from bench.cli import tune as cli_tune
from bench.cli.verbs import Verbs, plain_words
from bench.utils.errors import Exit, UserError
from bench.utils.output.escape import printable
from bench.utils.version import __version__

app = typer.Typer(
    name="bench",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="The benchmark for content transfer and feature disentanglement.",
    epilog="Exit codes: 0 fine, 1 regression found, 2 wrong use, 3 a cell failed, "
    "4 cannot compare, 70 an error of the suite itself, 130 interrupted.",
)
VERBS = (
    cli_run,
    cli_score,
    cli_results,
    cli_check,
    cli_tune,
    cli_claims,
    cli_probe_curve,
)
for part in VERBS:
    app.add_typer(part.app)
app.add_typer(cli_data.data, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"contentbench {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # typer uses click or, in some versions, a copy of it: so find its base error by name
    names = {parent.__name__: parent for parent in typer.BadParameter.__mro__}
    click_error: type[Exception] = names["ClickException"]
    try:
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
