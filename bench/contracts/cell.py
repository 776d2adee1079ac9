"""A cell: one method on one task in one profile with one seed. Its identity fixes its numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from bench.contracts.anchors import WEIGHTS_OF
from bench.contracts.labels import without_brackets
from bench.contracts.protocol import FIRST, PROTOCOL
from bench.contracts.task import DataSizes
from bench.utils.hashing import hash_of, safe

if TYPE_CHECKING:
    from bench.contracts.record import Conditions, Identity

PUBLISHED: Literal["published"] = "published"
IMAGES_HASH = "images_hash"
"""The only key in the configuration of images that were made elsewhere (see `Cell.imported`)."""
_NOT_IDENTITY = ("label", "settings", "plugins", "configuration", "study")
Configuration = Literal["published", "tuned", "both", "no study", "hand-set", ""]
"""Where a configuration comes from (see `bench.contracts.record.Record`)."""


@dataclass(frozen=True)
class Cell:
    """One run: a method (or an anchor) on a task in a profile with a seed.

    Some fields are not part of its identity: ``label``, its readable name; ``settings``, the values
    that `--set` changed (see `bench.contracts.record.Settings`); ``plugins``, the files given with
    `--plugin`; ``configuration`` and ``study``, where the configuration comes from (see
    `bench.contracts.record.Record`). The identity holds only what can change a number. It does not
    hold the number of workers, the engine, paths, the time or the list of metrics. ``protocol`` is
    the version of the protocol (see `bench.contracts.protocol`). The identity of the first version
    does not name it.
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
    protocol: int = PROTOCOL
    plugins: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    configuration: Configuration = ""
    study: str = ""

    @property
    def identity(self) -> Identity:
        """Everything that the numbers depend on."""
        found = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _NOT_IDENTITY
        }
        if self.protocol == FIRST:
            del found["protocol"]
        return cast("Identity", found)

    @property
    def imported(self) -> bool:
        """Whether its images come from a method that was trained outside this suite."""
        return is_imported(self.identity)

    @property
    def weights_from(self) -> Cell | None:
        """The cell whose trained weights this cell uses; None if it uses none but its own."""
        method = WEIGHTS_OF.get(self.method)
        if method is None:
            return None
        label = method + self.label.removeprefix(self.method)
        return dataclasses.replace(self, method=method, label=label)

    @cached_property
    def id(self) -> str:
        """The hash of its identity, as 16 hex digits."""
        return hash_of(self.identity)

    @property
    def name(self) -> str:
        """The name of its files: a readable part, then digits of the id that make it unique."""
        words = (self.label, self.task, without_brackets(self.profile), f"s{self.seed}")
        return f"{safe('-'.join(words))}-{self.id[:8]}"

    @property
    def sizes(self) -> DataSizes:
        """The number and the size of the images that it takes from the task."""
        numbers = self.numbers
        return DataSizes(
            numbers["size"],
            numbers["train_images"],
            numbers["probe_images"],
            numbers["test_images"],
        )


def stem_of(profile: str) -> str:
    """Return the name of a profile as a part of a file name.

    If `--set` changed the profile, the result differs from that of the unchanged profile.
    """
    stem = without_brackets(profile)
    return stem if stem == profile else f"{stem}-{hash_of(profile)[:8]}"


def is_imported(identity: Conditions) -> bool:
    """Return whether an identity belongs to images that were made outside this suite."""
    return IMAGES_HASH in identity["config"]
