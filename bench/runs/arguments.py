"""The arguments that the functions of Python share, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypedDict

from bench.contracts.labels import setting_text
from bench.contracts.task import Options, Resize, Split
from bench.plan.plan import Request
from bench.utils.files.paths import cache_folder

Names = str | Sequence[str]
"""One text with commas, or a sequence."""
File = str | PathLike[str]


class Images(TypedDict, total=False):
    """Images of your own: the options of the command line of the same names."""

    a: File
    b: File
    data_root: File
    attributes: File
    split: Split
    resize: Resize
    skip_bad: bool
    test_seed: int


def request_of(
    methods: Names,
    tasks: Names,
    metrics: Names,
    profile: str,
    settings: Mapping[str, object] | None,
    plugins: Sequence[File],
    cache_dir: File | None,
    images: Images,
) -> tuple[Request, Path]:
    """Return what is asked for, and the full path of the cache folder.

    Raises:
        UserError: the cache folder cannot be used.
    """
    cache = cache_folder(None if cache_dir is None else Path(cache_dir))
    paths = {k: Path(v) for k, v in images.items() if isinstance(v, str | PathLike)}
    rules = {k: v for k, v in images.items() if k in ("split", "resize", "skip_bad", "test_seed")}
    request = Request(
        methods=_names(methods),
        tasks=_names(tasks),
        metrics=_names(metrics),
        profile=profile,
        settings=tuple(f"{name}={setting_text(value)}" for name, value in (settings or {}).items()),
        plugins=tuple(map(Path, plugins)),
        options=Options(**(paths | rules), cache=cache),  # type: ignore[arg-type]
    )
    return request, cache


def _names(given: Names) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else given
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
