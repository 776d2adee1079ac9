"""The run folder of a cell. It stores the output of each stage, so that no stage runs twice."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from bench.cell.checkpoint import Checkpoint
from bench.cell.training import Training
from bench.contracts.metric import Artefacts
from bench.utils.files.disk import disk_is_full
from bench.utils.files.sealed import read_sealed, write_sealed
from bench.utils.files.tensor_files import DAMAGED, load, read_checked, write_checked
from bench.utils.output.terminal import ERRORS

WEIGHTS = ("weights.safetensors", "training.json")
"""The files that hold the outcome of a training."""


class RunFolder:
    """The run folder of one cell. A stage is done when its JSON file exists."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """The file for the output and the tracebacks of the cell."""
        return self.path / "log.txt"

    def log_error(self, error: BaseException) -> str:
        """Append a traceback to the log; return the error in one line, with the path of the log."""
        with contextlib.suppress(OSError):  # full disk: the return value still has the error
            self.path.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8", errors=ERRORS) as log:
                traceback.print_exception(error, file=log)
        said = str(error).strip().splitlines()
        full = "the disk is full: " if disk_is_full(error) else ""
        return f"{full}{type(error).__name__}: {said[0] if said else ''} (log: {self.log})"

    def save_training(
        self, weights: Mapping[str, torch.Tensor], training: Training, source: str
    ) -> None:
        """Write the trained weights, the cost of training, and the hash of the method's code."""
        write_checked(self.path / "weights.safetensors", weights)
        write_sealed(self.path / "training.json", asdict(training) | {"source": source})

    def training(self, source: str) -> tuple[dict[str, torch.Tensor], Training] | None:
        """Return weights and cost, or None if they are missing, damaged or from another source."""
        try:
            facts = read_sealed(self.path / "training.json")
            if facts.pop("source") != source:
                return None
            return _read(self.path / "weights.safetensors"), Training(**facts)
        except (OSError, *DAMAGED):
            return None

    def save_artefacts(self, artefacts: Artefacts) -> None:
        """Write the artefacts."""
        write_checked(self.path / "artefacts.safetensors", artefacts.tensors)
        facts = {"measured": artefacts.measured, "absent": artefacts.absent}
        write_sealed(self.path / "artefacts.json", facts)

    def artefacts(self) -> Artefacts | None:
        """Return the artefacts, or None if they are missing or damaged."""
        try:
            facts = read_sealed(self.path / "artefacts.json")
            tensors = _read(self.path / "artefacts.safetensors")
            return Artefacts(tensors, facts["measured"], facts["absent"])
        except (OSError, *DAMAGED):
            return None

    def checkpoint(self, source: str, every: float) -> Checkpoint:
        """Return the checkpoint, from which an interrupted training resumes."""
        return Checkpoint(self.path / "checkpoint.safetensors", source, every)


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Read tensors and check their hash. Files of early versions of the suite have no hash."""
    try:
        return read_checked(path)[0]
    except TypeError:  # the file has no header
        return load(path)[0]
