"""Selects records by method, task, profile and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.contracts.anchors import WITHOUT_SEED
from bench.contracts.labels import without_brackets
from bench.contracts.record import Record
from bench.utils.errors import UserError, unknown
from bench.utils.seeds import parse_seeds

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """The records to select. An empty field and the word `all` both stand for every record.

    methods: labels, or names of methods. profile: with or without its brackets. seeds: as typed,
    for example "0,2-4". Anchors have no seed, so they match any seeds.
    """

    methods: Sequence[str] = ()
    tasks: Sequence[str] = ()
    profile: str = ""
    seeds: str = ""

    def of(self, records: Sequence[Record]) -> list[Record]:
        """Return the selected records.

        Raises:
            UserError: no record is selected, or one of the names matches no record.
        """
        wanted = {
            "method": self.methods,
            "task": self.tasks,
            "profile": (self.profile,) if self.profile else (),
        }
        named = [_names(record) for record in records]
        for what, names in wanted.items():
            known = {ALL}.union(*(of_record[what] for of_record in named))
            for name in names:
                if name not in known:
                    raise unknown(f"{what} among the records", name, known)
        seeds = parse_seeds(self.seeds) if self.seeds else ()
        chosen = [
            record
            for record, names in zip(records, named, strict=True)
            if all(_fits(names[what], some) for what, some in wanted.items())
            and (
                not seeds or record["identity"]["method"] in WITHOUT_SEED or _seed(record) in seeds
            )
        ]
        if not chosen or (seeds and not any(_seed(record) in seeds for record in chosen)):
            raise UserError(
                "no usable record fits: give fewer of --methods, --tasks, --profile and --seeds, "
                "or another --results"
            )
        return chosen


def _names(record: Record) -> dict[str, set[str]]:
    """Return the names by which a record can be selected."""
    identity = record["identity"]
    profile = identity["profile"]
    return {
        "method": {record["label"], identity["method"]},
        "task": {identity["task"]},
        "profile": {profile, without_brackets(profile)},
    }


def _fits(names: set[str], wanted: Sequence[str]) -> bool:
    return not wanted or not names.isdisjoint(wanted) or ALL in wanted


def _seed(record: Record) -> int:
    seed: int = record["identity"]["seed"]
    return seed
