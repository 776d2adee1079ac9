"""The verb `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import (
    DEFAULT_RESULTS,
    REPORTS,
    CacheOption,
    PluginOption,
    ResultsOption,
    examples,
    kept_in,
    option,
    path_option,
)
from bench.utils.errors import UserError
from bench.utils.files.paths import cache_folder, full_path, results_folder

app = typer.Typer()


@app.command(
    epilog=examples(
        "report",
        "report --results results --output report.html --open",
        "report --results results --figures figures",
    )
)
def report(
    results: ResultsOption = DEFAULT_RESULTS,
    output: Annotated[
        Path | None,
        path_option(
            "--output",
            help="The page to write; report.html in the results folder by default.",
            panel=REPORTS,
            metavar="FILE",
        ),
    ] = None,
    open_: Annotated[
        bool, option("--open", help="Open the page in a browser; off by default.", panel=REPORTS)
    ] = False,
    figures: Annotated[
        Path | None,
        path_option(
            "--figures",
            help="A folder for each plot as SVG, PDF and PNG, and each main table as LaTeX; "
            "none by default.",
            panel=REPORTS,
        ),
    ] = None,
    plugins: PluginOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Write one HTML page with the answer, tables, pictures and plots of a results folder."""
    from bench.contracts.registry import Registry
    from bench.html.page import write_report
    from bench.utils.output.console import console, say

    folder = results_folder(results)
    if output is not None and output.is_dir():
        raise UserError(f"--output {output} is a folder: name a file")
    made = write_report(
        folder,
        output,
        known=Registry(plugins or ()).infos(),
        cache=cache_folder(cache_dir) if cache_dir else kept_in(),
        figures=None if figures is None else full_path(figures, "--figures"),
    )
    for line in made.lines:
        say(console(), line)
    if open_:
        import webbrowser

        webbrowser.open(made.path.as_uri())
