"""The options for the images of a task, which all verbs that read images take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

from bench.cli.options import option, path_option
from bench.contracts.task import Options, Resize, Split
from bench.utils.files.paths import full_path

R = TypeVar("R")
IMAGES = "Images of your own"
NO_OPTIONS = Options()

AOption = Annotated[
    Path | None,
    path_option("--a", help="Images of domain A, for --task folder; needed there.", panel=IMAGES),
]
BOption = Annotated[
    Path | None,
    path_option(
        "--b",
        help="Images of domain B, which has the separate content, for --task folder; needed there.",
        panel=IMAGES,
    ),
]
DataRootOption = Annotated[
    Path | None,
    path_option(
        "--data-root",
        help="Folder of data sets such as CelebA and MNIST; CONTENTBENCH_DATA or data in the "
        "cache folder by default, and needed for CelebA.",
        panel=IMAGES,
    ),
]
SplitOption = Annotated[
    Split | None,
    option(
        help="What decides the part of an image: hash of its content (default) or its sub-folder "
        "for --task folder, official (default) or identity for CelebA.",
        panel=IMAGES,
        metavar="RULE",
    ),
]
ResizeOption = Annotated[
    Resize | None,
    option(
        help="How an image of --task folder becomes square; crop by default.",
        panel=IMAGES,
    ),
]
SkipBadOption = Annotated[
    bool,
    option(
        "--skip-bad",
        help="Leave out images that cannot be used; they are an error by default.",
        panel=IMAGES,
    ),
]
AttributesOption = Annotated[
    Path | None,
    path_option(
        "--attributes",
        help="Table of attributes of the images of --task folder, which become factors: CSV, or "
        "CelebA's format; none by default.",
        panel=IMAGES,
        metavar="FILE",
    ),
]
TestSeedOption = Annotated[
    int | None,
    option(
        min=0,
        help="Draw another test part, for tasks of drawn faces; the known one by default.",
        panel=IMAGES,
        metavar="N",
    ),
]


def with_image_options(verb: Callable[..., R]) -> Callable[..., R]:
    """Give a verb the options of `image_options`, in the place of its parameter ``options``.

    Typer reads the options from the signature, so the wrapper gets one that lists them.

    Args:
        verb: a function with a parameter ``options``, which gets the user's `Options`.
    """
    signature = inspect.signature(verb, eval_str=True)
    added = inspect.signature(image_options, eval_str=True).parameters

    @wraps(verb)
    def with_options(**values: Any) -> R:
        found = image_options(**{name: values.pop(name) for name in added})
        return verb(options=found, **values)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += added.values() if parameter.name == "options" else [parameter]
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


def image_options(
    a: AOption = None,
    b: BOption = None,
    data_root: DataRootOption = None,
    split: SplitOption = None,
    resize: ResizeOption = None,
    skip_bad: SkipBadOption = False,
    attributes: AttributesOption = None,
    test_seed: TestSeedOption = None,
) -> Options:
    """Return the user's options for the images of a task.

    Raises:
        UserError: the folder of data sets is a file, or this user may not read it.
    """
    if data_root is not None:
        full_path(data_root, "--data-root")
    return Options(data_root, a, b, split, resize, skip_bad, attributes, test_seed)
