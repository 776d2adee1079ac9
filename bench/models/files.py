"""The files of a trained model: those of its run, or of an exported folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from bench.cell.run_folder import WEIGHTS
from bench.contracts.record import Record
from bench.records.read import Damaged, read_record
from bench.utils.errors import UserError
from bench.utils.files.sealed import read_sealed
from bench.utils.files.tensor_files import DAMAGED, read_checked

EXPORTED = ("model.safetensors", "config.json", "record.json")
"""The files of an exported folder: weights, what they belong to, and the record of the run."""


@dataclass(frozen=True)
class ModelFiles:
    """Where a trained model is.

    Attributes:
        name: what to call it in messages.
        weights: its weights, safetensors.
        facts: a sealed JSON file whose ``source`` is the hash of the code that made the weights.
        record: the record of its run.
    """

    name: str
    weights: Path
    facts: Path
    record: Path

    @property
    def trained(self) -> bool:
        """Whether there are weights."""
        return self.weights.is_file() and self.facts.is_file()

    def read_record(self) -> Record:
        """Return the record of the run.

        Raises:
            UserError: there is none, or it is damaged.
        """
        record = read_record(self.record)
        if isinstance(record, Damaged):
            raise UserError(
                f"{record}: name a run folder, a record of a results folder or an exported folder"
            )
        return record

    def read_weights(self) -> tuple[dict[str, Tensor], str]:
        """Return the weights and the hash of the code that made them.

        Raises:
            UserError: there are none, or they are damaged.
        """
        if not self.trained:
            raise UserError(
                f"{self.name} has no trained weights, expected {self.weights.name} and "
                f"{self.facts.name}: name a run that trained a method, or run it again with "
                "--existing fresh"
            )
        try:
            return read_checked(self.weights)[0], str(read_sealed(self.facts)["source"])
        except (OSError, *DAMAGED) as error:
            raise UserError(
                f"the weights in {self.weights.parent} are damaged: run it again with --existing "
                "fresh, or export it again"
            ) from error


def files_of(model: Path) -> ModelFiles:
    """Return the files of a run folder, of the record of a run, or of an exported folder."""
    if (model / EXPORTED[1]).is_file():
        weights, facts, record = (model / name for name in EXPORTED)
        return ModelFiles(str(model), weights, facts, record)
    if model.suffix == ".json" and not model.is_dir():
        record, folder = model, model.parent.parent / "runs" / model.stem
    else:
        folder = model.resolve()
        record = folder.parent.parent / "records" / f"{folder.name}.json"
    return ModelFiles(str(folder), folder / WEIGHTS[0], folder / WEIGHTS[1], record)
