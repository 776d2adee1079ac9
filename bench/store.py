"""The results folder. Disk is the only state: what is done follows from the files, each atomic.

records/NAME.json      one finished cell, or one that failed, with all its numbers
runs/NAME/             what its stages left: weights, training, artefacts, log
grids/NAME.png         source, guide, result and truth
leaderboard.csv, .md   views on the records
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from bench.config import Cell
from bench.contracts import Artefacts
from bench.errors import UserError
from bench.training import Training

SCHEMA = 1
Existing = Literal["resume", "retry", "fresh"]
Todo = Literal["nothing", "score", "run"]


@dataclass(frozen=True)
class Damaged:
    """A record that cannot be read, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"record {self.path} is left out: {self.reason}"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all, also after a power loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, with sorted keys."""
    write_atomically(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


class RunFolder:
    """What the stages of one cell leave; a stage is done when its JSON file is there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """The file that a cell's output and traceback go to."""
        return self.path / "log.txt"

    def save_training(self, weights: Mapping[str, torch.Tensor], training: Training) -> None:
        """Keep the trained weights and what training cost."""
        self._save(self.path / "weights.safetensors", weights)
        write_json(self.path / "training.json", asdict(training))

    def training(self) -> tuple[dict[str, torch.Tensor], Training] | None:
        """Return what `save_training` kept, or None when it is missing or damaged."""
        try:
            facts = json.loads((self.path / "training.json").read_text("utf-8"))
            return load_file(self.path / "weights.safetensors"), Training(**facts)
        except (OSError, ValueError, TypeError, SafetensorError):
            return None

    def save_artefacts(self, artefacts: Artefacts) -> None:
        """Keep all that metrics see."""
        self._save(self.path / "artefacts.safetensors", artefacts.tensors)
        facts = {"measured": artefacts.measured, "absent": artefacts.absent}
        write_json(self.path / "artefacts.json", facts)

    def artefacts(self) -> Artefacts | None:
        """Return what `save_artefacts` kept, or None when it is missing or damaged."""
        try:
            facts = json.loads((self.path / "artefacts.json").read_text("utf-8"))
            with safe_open(self.path / "artefacts.safetensors", framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Artefacts(tensors, facts["measured"], facts["absent"])
        except (OSError, ValueError, KeyError, SafetensorError):
            return None

    def _save(self, path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary)
        os.replace(temporary, path)


class Store:
    """A results folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open_for_writing(self) -> None:
        """Make the folder.

        Raises:
            UserError: it is a file, or cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.root):
                pass
        except (FileExistsError, NotADirectoryError):
            raise UserError(
                f"results folder {self.root} is a file: name a folder with --results"
            ) from None
        except OSError as error:
            raise UserError(
                f"cannot write the results folder {self.root} ({error.strerror}): "
                "name another with --results"
            ) from error

    def folder(self, cell: Cell) -> RunFolder:
        """Return the run folder of a cell."""
        return RunFolder(self.root / "runs" / cell.name)

    def record_path(self, cell: Cell) -> Path:
        """Return where the record of a cell is, or will be."""
        return self.root / "records" / f"{cell.name}.json"

    def grid_path(self, cell: Cell) -> Path:
        """Return where the picture grid of a cell is, or will be."""
        return self.root / "grids" / f"{cell.name}.png"

    def records(self) -> tuple[list[dict[str, Any]], list[Damaged]]:
        """Return all records, in the order of their file names, and those that are damaged."""
        good, damaged = [], []
        for path in sorted((self.root / "records").glob("*.json")):
            record = read_record(path)
            if isinstance(record, Damaged):
                damaged.append(record)
            else:
                good.append(record)
        return good, damaged

    def todo(self, cell: Cell, versions: Mapping[str, int], existing: Existing) -> Todo:
        """Return what is left to do for a cell, so that it has these metrics in these versions."""
        if existing == "fresh":
            return "run"
        path = self.record_path(cell)
        record = read_record(path) if path.exists() else None
        if not isinstance(record, dict) or record["id"] != cell.id:
            return "run"
        if record["status"] != "ok":
            return "run" if existing == "retry" else "nothing"
        scored = record["metrics"]
        fresh = all(
            name in scored and scored[name]["version"] == version
            for name, version in versions.items()
        )
        return "nothing" if fresh else "score"

    def forget(self, cell: Cell) -> None:
        """Remove all that a cell left."""
        self.record_path(cell).unlink(missing_ok=True)
        shutil.rmtree(self.folder(cell).path, ignore_errors=True)


def read_record(path: Path) -> dict[str, Any] | Damaged:
    """Return a record, or why it cannot be used."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        return Damaged(path, f"not valid JSON ({error})")
    if not isinstance(record, dict):
        return Damaged(path, "not a JSON object")
    missing = sorted(set(REQUIRED) - set(record))
    if missing:
        return Damaged(path, f"without {', '.join(missing)}")
    wrong = [key for key, kind in REQUIRED.items() if not isinstance(record[key], kind)]
    if wrong:
        return Damaged(path, f"with a wrong {', '.join(wrong)}")
    if record["schema"] != SCHEMA:
        return Damaged(path, f"of schema {record['schema']}, this version reads {SCHEMA}")
    if any(not set(entry) >= METRIC_KEYS for entry in record["metrics"].values()):
        return Damaged(path, "with an incomplete metric")
    return record


REQUIRED: dict[str, type] = {
    "schema": int,
    "id": str,
    "label": str,
    "status": str,
    "reason": str,
    "identity": dict,
    "metrics": dict,
    "facts": dict,
    "timings": dict,
    "environment": dict,
    "sources": dict,
    "finished": str,
}
"""The keys of a record and their types.

facts: steps, images, FLOPs and so on of the training ({} for an anchor). timings: seconds of each
stage and metric family. sources: the hash of each plug-in that took part.
"""

METRIC_KEYS = {"value", "lo", "hi", "n", "status", "reason", "extractor", "unit", "better"}


def parts(records: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield each (profile, task) that records speak of, once, in order."""
    yield from dict.fromkeys((r["identity"]["profile"], r["identity"]["task"]) for r in records)
