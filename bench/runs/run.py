"""The verb `run` as a function of Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Unpack

from rich.console import Console

from bench.board.output.leaderboard import Leaderboard, leaderboard
from bench.records.load import LOCAL
from bench.records.store import Existing, Store
from bench.runs.arguments import File, Images, Names, request_of
from bench.runs.prepare import open_results, prepare_run
from bench.utils.errors import Exit
from bench.utils.files.paths import results_folder
from bench.utils.output.console import console

__all__ = ["run"]

Engine = Literal["process", "inline", "ray"]


def run(
    methods: Names = "all",
    tasks: Names = "avatars-glasses",
    *,
    metrics: Names = "all",
    profile: str = "small",
    seeds: str | int | Sequence[int] = "",
    settings: Mapping[str, object] | None = None,
    configuration: Literal["", "tuned", "published", "both"] = "",
    plugins: Sequence[File] = (),
    results: File = LOCAL,
    cache_dir: File | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["", "auto", "fp32", "bf16"] = "",
    workers: int | None = None,
    existing: Existing = "resume",
    engine: Engine = "process",
    progress: bool = False,
    **images: Unpack[Images],
) -> Leaderboard:
    """Train methods, score them, and return the leaderboard of the results folder.

    It does what ``python -m bench run`` does, and leaves the same files. Finished cells are not run
    again. Workers do not import the calling script.

    Args:
        methods: names, one text with commas or a sequence. ``"all"`` stands for all.
        tasks: names of tasks, likewise.
        metrics: ids or families of metrics, likewise.
        profile: smoke, small, medium or paper.
        seeds: such as ``3``, ``(0, 1, 2)`` or ``"0-4"``; those of the profile by default.
        settings: values by ``"METHOD.FIELD"`` or ``"profile.FIELD"``.
        configuration: tuned (winners of studies), published (values of the papers) or both; by
            default that of the profile.
        plugins: files with methods, metrics and tasks of your own.
        results: the folder for records, pictures and leaderboard.
        cache_dir: the folder where images are kept; that of the user by default.
        device: where methods compute.
        precision: how they compute; by default that of the profile.
        workers: how many cells run at a time; one for each core or GPU by default.
        existing: resume (skip cells that have a record), retry (run failed ones again) or fresh.
        engine: process (each cell in a process of its own), inline (all in this one) or ray.
        progress: whether to print what ``python -m bench run`` prints.
        images: see `bench.runs.arguments.Images`.

    Raises:
        UserError: a name does not exist, a value does not fit, or a folder cannot be used.

    Warns:
        UserWarning: some cells failed. Their records say why.
    """
    shown = console() if progress else Console(quiet=True)
    store = Store(results_folder(Path(results)))
    request, cache = request_of(
        methods, tasks, metrics, profile, settings, plugins, cache_dir, images
    )
    request = replace(
        request,
        seeds=seeds if isinstance(seeds, str) else ",".join(map(str, _numbers(seeds))),
        device=device,
        precision=precision,
        configuration=configuration,
    )
    prepared = prepare_run(
        shown,
        request,
        store,
        cache,
        existing=existing,
        engine=engine,
        workers=workers,
        command="bench.run",
    )
    open_results(store, prepared.plan, prepared.jobs, ignore_disk=False)
    if prepared.execute(shown) == Exit.CELL_FAILED:
        warnings.warn(f"some cells failed: their rows in {store.root} say why", stacklevel=2)
    return leaderboard(store.root)


def _numbers(seeds: int | Sequence[int]) -> Sequence[int]:
    return (seeds,) if isinstance(seeds, int) else seeds
