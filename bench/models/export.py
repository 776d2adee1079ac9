"""Exports trained models: one as a folder with a model card, or those of a board as one file."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.board.columns import infos_of, main_metrics
from bench.board.values import number
from bench.cell.run_folder import WEIGHTS
from bench.contracts.record import Record
from bench.models.files import EXPORTED, ModelFiles, files_of
from bench.models.licences import terms_of
from bench.records.read import cell_of
from bench.records.select import Choice
from bench.records.store import Store
from bench.utils.errors import UserError, not_written
from bench.utils.files.atomic import written_whole
from bench.utils.files.sealed import write_sealed
from bench.utils.output.escape import markdown_prose, markdown_table
from bench.utils.version import __version__

CARD, INDEX = "README.md", "index.json"
MOST_MB = 100
"""The largest file of models, in MB of 10^6 bytes: what release pages and mails take."""


def export_model(run: Path, target: Path) -> None:
    """Write a trained model as a folder that `bench.load_model` reads.

    It holds ``model.safetensors``, ``config.json``, ``record.json`` and ``README.md``, a model card
    as those of Hugging Face's hub.

    Args:
        run: a run folder or a record.
        target: the folder, which must be empty or not exist.

    Raises:
        UserError: the run has no trained weights, or the folder cannot be written.
    """
    files = files_of(run)
    record = files.read_record()
    _, source = files.read_weights()
    try:
        if target.exists() and any(target.iterdir()):
            raise UserError(f"{target} is not empty: name another folder with -o")
        target.mkdir(parents=True, exist_ok=True)
        _write(files, record, source, target)
    except OSError as error:
        raise not_written(target, error) from error


def export_board(
    results: Path, target: Path, tasks: Sequence[str] = (), methods: Sequence[str] = ()
) -> list[str]:
    """Write the trained models of a results folder as one zip file; return their names.

    Each is a folder as `export_model` writes it. `INDEX` in the file says what each one is.

    Args:
        results: the results folder.
        target: the file.
        tasks: the names of tasks; all by default.
        methods: the names of methods; all by default.

    Raises:
        UserError: no model fits, the file would be too large, or it cannot be written.
    """
    store = Store(results)
    store.require_records()
    chosen: dict[str, ModelFiles] = {}
    for record in Choice(methods, tasks).of(store.records()[0]):
        files = files_of(store.run_path(cell_of(record)))
        if files.trained:
            chosen[files.weights.parent.name] = files
    if not chosen:
        raise UserError(
            f"{store.root} has no trained model of what was chosen: its folder runs must hold "
            f"{' and '.join(WEIGHTS)}"
        )
    sizes = {name: files.weights.stat().st_size / 1e6 for name, files in chosen.items()}
    if sum(sizes.values()) > MOST_MB:
        largest = max(sizes, key=lambda name: sizes[name])
        raise UserError(
            f"the {len(sizes)} models have {sum(sizes.values()):.0f} MB, expected at most "
            f"{MOST_MB}: choose fewer with --methods and --tasks (the largest is {largest}, "
            f"{sizes[largest]:.0f} MB)"
        )
    try:
        with written_whole(target) as partial, zipfile.ZipFile(partial, "w") as archive:
            for name, files in sorted(chosen.items()):
                with TemporaryDirectory() as place:
                    folder = Path(place)
                    _write(files, files.read_record(), files.read_weights()[1], folder)
                    for path in sorted(folder.iterdir()):
                        archive.write(path, f"{name}/{path.name}", zipfile.ZIP_DEFLATED)
            index = [_entry(name, files) for name, files in sorted(chosen.items())]
            archive.writestr(INDEX, json.dumps(index, indent=1) + "\n")
    except OSError as error:
        raise not_written(target, error) from error
    return sorted(chosen)


def _entry(name: str, files: ModelFiles) -> dict[str, Any]:
    """Return what the index says of a model: where it is, what it is, and the hash of its file."""
    record = files.read_record()
    return {
        "folder": name,
        "label": record["label"],
        **{key: record["identity"][key] for key in ("method", "task", "profile", "seed")},
        "id": record["id"],
        "source": files.read_weights()[1],
        "bytes": files.weights.stat().st_size,
        "sha256": hashlib.sha256(files.weights.read_bytes()).hexdigest(),
    }


def _write(files: ModelFiles, record: Record, source: str, folder: Path) -> None:
    weights, facts, of_record = (folder / name for name in EXPORTED)
    shutil.copyfile(files.weights, weights)
    shutil.copyfile(files.record, of_record)
    identity = record["identity"]
    write_sealed(
        facts,
        {
            "library": "contentbench",
            "version": __version__,
            "method": identity["method"],
            "config": identity["config"],
            "size": identity["numbers"]["size"],
            "source": source,
        },
    )
    (folder / CARD).write_text(card(record, source), "utf-8")


def card(record: Record, source: str) -> str:
    """Return the model card of a run, in Markdown with a YAML head.

    source: the hash of the code that made the weights.
    """
    environment = Environment(
        loader=PackageLoader("bench.models", "."),
        autoescape=False,  # Markdown; every text of a record passes `markdown_prose`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = markdown_prose
    environment.filters["yaml"] = json.dumps  # a JSON string is one of YAML
    return environment.get_template("card.md.j2").render(
        record=record,
        identity=record["identity"],
        facts=record["facts"],
        config=json.dumps(record["identity"]["config"], indent=1),
        metrics=_metrics(record),
        source=source,
        terms=terms_of(record["identity"]["task"]),
        version=__version__,
    )


def _metrics(record: Record) -> str:
    """Return a table of the main metrics, each with its interval or the reason of its gap."""
    infos = infos_of([record])
    rows = []
    for name in main_metrics(infos):
        entry = record["metrics"].get(name)
        if entry is None:
            continue
        digits, value = infos[name].digits, entry["value"]
        said = entry["reason"] if value is None else number(value, digits)
        low, high = entry["lo"], entry["hi"]
        if value is not None and low is not None and high is not None:
            said += f" ({number(low, digits)} to {number(high, digits)})"
        rows.append((name, said, infos[name].better, infos[name].meaning))
    return markdown_table(
        ("metric", "value (95 % interval)", "better", "meaning"),
        [[markdown_prose(text) for text in row] for row in rows],
    )
