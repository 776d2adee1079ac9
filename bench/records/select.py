"""Which records a command is about: those of some methods, tasks, a profile and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.contracts.anchors import ANCHORS
from bench.utils.errors import UserError, unknown
from bench.utils.seeds import parse_seeds

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """What records must be to be chosen; what is empty, or `all`, chooses every one.

    methods: labels or methods. profile: with its changes, or without. seeds: as they are typed; an
    anchor's says nothing, so it is chosen with any.
    """

    methods: Sequence[str] = ()
    tasks: Sequence[str] = ()
    profile: str = ""
    seeds: str = ""

    def of(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records that are chosen.

        Raises:
            UserError: there are none, or a name is that of none.
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
            and (not seeds or record["identity"]["method"] in ANCHORS or _seed(record) in seeds)
        ]
        if not chosen or (seeds and not any(_seed(record) in seeds for record in chosen)):
            raise UserError(
                "no usable record fits: give fewer of --methods, --tasks, --profile and --seeds, "
                "or another --results"
            )
        return chosen


def _names(record: dict[str, Any]) -> dict[str, set[str]]:
    """Return what each part of a record may be called."""
    identity = record["identity"]
    profile = identity["profile"]
    return {
        "method": {record["label"], identity["method"]},
        "task": {identity["task"]},
        "profile": {profile, profile.partition("[")[0]},
    }


def _fits(names: set[str], wanted: Sequence[str]) -> bool:
    return not wanted or not names.isdisjoint(wanted) or ALL in wanted


def _seed(record: dict[str, Any]) -> int:
    seed: int = record["identity"]["seed"]
    return seed
