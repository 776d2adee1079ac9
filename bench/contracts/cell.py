"""A cell: one method on one task in one profile with one seed. Its identity decides every number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from bench.contracts.task import DataSizes
from bench.utils.hashing import hash_of, safe

PUBLISHED: Literal["published"] = "published"
IMAGES_HASH = "images_hash"
"""The one key of the configuration of images that were made elsewhere (see `Cell.imported`)."""


@dataclass(frozen=True)
class Cell:
    """One run: a method (or an anchor) on a task in a profile with a seed.

    All fields but ``label`` and ``plugins`` are its identity. What does not change a number is not
    in it: jobs, engine, paths, order, time, the list of metrics.
    """

    label: str
    method: str
    config: dict[str, Any]
    task: str
    fingerprint: str
    profile: str
    numbers: dict[str, Any]
    seed: int
    device: str
    precision: str
    threads: int = 1
    plugins: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the numbers."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("label", "plugins")
        }

    @property
    def imported(self) -> bool:
        """Whether it is made of images that a method trained elsewhere has left."""
        return is_imported(self.identity)

    @cached_property
    def id(self) -> str:
        """Return the 16 hex digits that name this run."""
        return hash_of(self.identity)

    @property
    def name(self) -> str:
        """Return the name of its files: readable, and unique through the id."""
        words = (self.label, self.task, self.profile.partition("[")[0], f"s{self.seed}")
        return f"{safe('-'.join(words))}-{self.id[:8]}"

    @property
    def sizes(self) -> DataSizes:
        """How much of the task it takes."""
        numbers = self.numbers
        return DataSizes(
            numbers["size"],
            numbers["train_images"],
            numbers["probe_images"],
            numbers["test_images"],
        )


def stem_of(profile: str) -> str:
    """Return a profile's name as a part of a file's: one that was changed has a name of its own."""
    stem, bracket, _ = profile.partition("[")
    return f"{stem}-{hash_of(profile)[:8]}" if bracket else stem


def is_imported(identity: Mapping[str, Any]) -> bool:
    """Return whether an identity is that of images made elsewhere, and of no method in here."""
    return IMAGES_HASH in identity["config"]
