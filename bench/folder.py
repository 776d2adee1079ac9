"""What the stages of one cell leave on disk, so that none of them is done twice."""

from __future__ import annotations

import contextlib
import json
import os
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from bench.contracts import Artefacts
from bench.space import disk_is_full
from bench.store import write_json
from bench.training import Training


class RunFolder:
    """What the stages of one cell leave; a stage is done when its JSON file is there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """The file that a cell's output and traceback go to."""
        return self.path / "log.txt"

    def log_error(self, error: Exception) -> str:
        """Append a traceback to the log; return the error in one line, with the log's path."""
        with contextlib.suppress(OSError):  # a full disk: the reason below tells
            self.path.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as log:
                traceback.print_exception(error, file=log)
        said = str(error).strip().splitlines()
        full = "the disk is full: " if disk_is_full(error) else ""
        return f"{full}{type(error).__name__}: {said[0] if said else ''} (log: {self.log})"

    def save_training(
        self, weights: Mapping[str, torch.Tensor], training: Training, source: str
    ) -> None:
        """Keep the trained weights, what training cost, and the hash of the method's source."""
        self._save(self.path / "weights.safetensors", weights)
        write_json(self.path / "training.json", asdict(training) | {"source": source})

    def training(self, source: str) -> tuple[dict[str, torch.Tensor], Training] | None:
        """Return what was kept, or None when it is missing, damaged or of another source."""
        try:
            facts = json.loads((self.path / "training.json").read_text("utf-8"))
            if facts.pop("source") != source:
                return None
            return load_file(self.path / "weights.safetensors"), Training(**facts)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
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
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary)
        os.replace(temporary, path)
