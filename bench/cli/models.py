"""The verbs for trained models: `add`, `remove` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.image_options import IMAGES
from bench.cli.options import (
    WHAT,
    WHERE,
    ChooseMethodsOption,
    ChooseTasksOption,
    PluginOption,
    examples,
    names_in,
    option,
    path_option,
)
from bench.contracts.task import Resize

app = typer.Typer()

ModelOption = Annotated[
    Path,
    path_option(
        "--model",
        help="A run folder, a record or an exported folder; needed.",
        panel=WHAT,
        metavar="PATH",
    ),
]
SourceOption = Annotated[
    Path,
    path_option(
        "--source",
        help="The image to change, or a folder of images; needed.",
        panel=WHAT,
        metavar="PATH",
    ),
]
OutputOption = Annotated[
    Path,
    path_option(
        "-o",
        "--output",
        help="The PNG file to write, or a folder if the source is one; needed.",
        panel=WHERE,
        metavar="PATH",
    ),
]
ResizeOption = Annotated[
    Resize, option(help="How an image becomes square; crop by default.", panel=IMAGES)
]
ForceOption = Annotated[
    bool,
    option("--force", help="Overwrite files that exist; off by default.", panel=WHERE),
]
AnySourceOption = Annotated[
    bool,
    option(
        "--any-source",
        help="Load the weights although the code of the method has changed; off by default.",
        panel=WHAT,
    ),
]
DeviceOption = Annotated[str, option(help="cpu (default) or cuda.", panel=WHERE, metavar="NAME")]


@app.command(
    epilog=examples(
        "add --model RUN --source a.png --guide b.png -o added.png",
        "add --model RUN --source FOLDER --guide b.png -o added",
        note="RUN is a folder of results/local/runs.",
    )
)
def add(
    model: ModelOption,
    source: SourceOption,
    guide: Annotated[
        Path,
        path_option(
            "--guide",
            help="The image whose separate content is added, or a folder with one for each source; "
            "needed.",
            panel=WHAT,
            metavar="PATH",
        ),
    ],
    output: OutputOption,
    resize: ResizeOption = "crop",
    plugins: PluginOption = None,
    any_source: AnySourceOption = False,
    device: DeviceOption = "cpu",
    force: ForceOption = False,
) -> None:
    """Add the separate content of an image of B to images of A, with a trained model."""
    from bench.models.apply import add_to_files

    _say_written(
        add_to_files(
            _loaded(model, plugins, device, resize, any_source), source, guide, output, force
        )
    )


@app.command(
    epilog=examples(
        "remove --model RUN --source b.png -o removed.png",
        "remove --model RUN --source FOLDER -o removed",
        note="RUN is a folder of results/local/runs.",
    )
)
def remove(
    model: ModelOption,
    source: SourceOption,
    output: OutputOption,
    resize: ResizeOption = "crop",
    plugins: PluginOption = None,
    any_source: AnySourceOption = False,
    device: DeviceOption = "cpu",
    force: ForceOption = False,
) -> None:
    """Remove the separate content from images of B, with a trained model."""
    from bench.models.apply import remove_from_files

    _say_written(
        remove_from_files(
            _loaded(model, plugins, device, resize, any_source), source, output, force
        )
    )


@app.command(
    epilog=examples(
        "export RUN -o my-model",
        "export results/local --tasks avatars-glasses -o models.zip",
        note="RUN is a folder of results/local/runs.",
    )
)
def export(
    source: Annotated[
        Path,
        typer.Argument(
            help="A run folder or a record; or a results folder, for all its trained models.",
            metavar="RUN|DIR",
        ),
    ],
    output: Annotated[
        Path,
        path_option(
            "-o",
            "--output",
            help="The folder to write; for a results folder the zip file; needed.",
            panel=WHERE,
            metavar="PATH",
        ),
    ],
    methods: ChooseMethodsOption = None,
    tasks: ChooseTasksOption = None,
) -> None:
    """Write a trained model as a folder with a model card, or all of a results folder as a zip."""
    from bench.models.export import export_board, export_model
    from bench.utils.output.console import console, say

    if (source / "records").is_dir():
        names = export_board(source, output, names_in(tasks), names_in(methods))
        say(console(), f"wrote {output}: {', '.join(names)}")
    else:
        export_model(source, output)
        say(console(), f'wrote {output}; bench.load_model("{output}") loads it')


def _loaded(
    model: Path, plugins: list[Path] | None, device: str, resize: Resize, any_source: bool
) -> Any:
    from bench.models.load import load_model
    from bench.plan.plan import usable_device

    return load_model(
        model,
        plugins=plugins or (),
        device=usable_device(device),
        resize=resize,
        any_source=any_source,
    )


def _say_written(paths: list[Path]) -> None:
    from bench.utils.output.console import console, say

    where = paths[0] if len(paths) == 1 else f"{len(paths)} images to {paths[0].parent}"
    say(console(), f"wrote {where}")
