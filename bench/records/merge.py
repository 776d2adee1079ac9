"""Merges results folders, for example those of several machines that share a plan.

The merge first decides what to do with every record. Then it works record by record. It copies the
record after its other files, so that an interrupted merge can be run again. It needs no torch.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

from rich.console import Console

from bench.contracts.anchors import configured_as
from bench.contracts.metric import MetricInfo, info_of
from bench.contracts.record import MetricEntry, Record
from bench.contracts.registry import shipped_infos
from bench.records.read import Damaged, read_record
from bench.records.store import Store
from bench.utils.errors import Exit, UserError
from bench.utils.files.disk import Need, files_in, require_space, size_of
from bench.utils.files.sealed import write_atomically, write_sealed
from bench.utils.hashing import hash_of
from bench.utils.output.console import print_table, say

COMPARED: Final[tuple[Literal["value", "lo", "hi", "n"], ...]] = ("value", "lo", "hi", "n")
FACTS = ("pixel_hash", "steps", "losses")
"""Facts about the training that are equal in two records of the same training."""
Infos = Mapping[str, MetricInfo]


class Action(StrEnum):
    """The action for a record of a source."""

    ADD = "add"
    REPLACE = "replace"
    UNITE = "unite"
    SKIP = "skip"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Difference:
    """A number that differs between two good records of one cell."""

    what: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Verdict:
    """The action for a record, and the reason. `united`: the new record, if two are combined."""

    action: Action
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    united: Record | None = None


@dataclass(frozen=True)
class Step:
    """A record of a source, and the action for it.

    Attributes:
        source: The source.
        stem: The name of its file, without the suffix.
        name: The name that it gets in the target.
        against: The folder of the record that it is compared with.
        verdict: The action and its reason.
    """

    source: Store
    stem: str
    name: str
    against: Path
    verdict: Verdict

    @property
    def record(self) -> Path:
        """The file of the record in the source."""
        return self.source.root / "records" / f"{self.stem}.json"


@dataclass
class Merge:
    """The steps of a merge, and the records that cannot be read."""

    steps: list[Step] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)


def merge(
    console: Console,
    sources: Sequence[Path],
    into: Path,
    dry_run: bool = False,
    known: Infos | None = None,
) -> int:
    """Merge results folders and return the exit code.

    Args:
        console: Where to print.
        sources: The folders to merge.
        into: The target folder.
        dry_run: Whether to only print the steps.
        known: The facts of known metrics; None for those that come with the suite.

    Raises:
        UserError: A source does not exist or has no records, or files cannot be copied.
    """
    target = Store(into)
    stores = [_source(path, target) for path in dict.fromkeys(sources)]
    found = plan_merge(target, stores, known)
    for damaged in found.damaged:
        say(console, str(damaged))
    for step in found.steps:
        _print_step(console, step, dry_run)
    if not dry_run:
        _check_space(found.steps, target)
        target.open_for_writing()
        for step in found.steps:
            _apply(step, target)
    _print_summary(console, stores, found, target, dry_run)
    if any(step.verdict.action is Action.CONFLICT for step in found.steps):
        return int(Exit.CANNOT_COMPARE)
    return int(Exit.CELL_FAILED if found.damaged else Exit.FINE)


def plan_merge(target: Store, sources: Sequence[Store], known: Infos | None = None) -> Merge:
    """Return the step for each record of each source, in order."""
    merged = Merge()
    held = {
        record["id"]: (stem, record, target.root)
        for stem, record in _readable(target, damaged=[]).items()
    }
    names = {stem: key for key, (stem, _, _) in held.items()}
    for source in sources:
        for stem, record in _readable(source, merged.damaged).items():
            key = record["id"]
            if key not in held and stem in names:
                path = source.root / "records" / f"{stem}.json"
                merged.damaged.append(Damaged(path, "another cell has a record of this name"))
                continue
            name, ours, against = held.get(key, (stem, None, target.root))
            verdict = decide(ours, record, known)
            merged.steps.append(Step(source, stem, name, against, verdict))
            if verdict.action in (Action.ADD, Action.REPLACE):
                held[key] = (name, record, source.root)
                names[name] = key
            elif verdict.united is not None:
                held[key] = (name, verdict.united, source.root)
    return merged


def decide(ours: Record | None, theirs: Record, known: Infos | None = None) -> Verdict:
    """Return the verdict on their record, given our record of the same cell, if there is one."""
    if ours is None:
        return Verdict(Action.ADD)
    good, better = ours["status"] == "ok", theirs["status"] == "ok"
    if better and not good:
        return Verdict(Action.REPLACE, f"the one there is {ours['status']}")
    if not better:
        return Verdict(Action.SKIP)
    if apart := differences(ours, theirs, known):
        return Verdict(Action.CONFLICT, differences=tuple(apart))
    gained, lost = _gained(ours, theirs), _gained(theirs, ours)
    if not gained:
        return Verdict(Action.SKIP)
    reason = f"more or newer metrics: {', '.join(sorted(gained))}"
    if not lost:
        return Verdict(Action.REPLACE, reason)
    method = configured_as(ours["identity"]["method"])
    sources = ours["sources"].get(method), theirs["sources"].get(method)
    if sources[0] != sources[1]:  # uniting them would mix numbers of two sources
        apart = [Difference(f"the source of {method}", *map(str, sources))]
        return Verdict(Action.CONFLICT, differences=tuple(apart))
    return Verdict(Action.UNITE, reason, united=_united(ours, theirs, gained))


def differences(ours: Record, theirs: Record, known: Infos | None = None) -> list[Difference]:
    """Return the numbers that differ between two good records of a cell; ignore clocked ones."""
    infos = shipped_infos() if known is None else known
    found = []
    for name in sorted(ours["metrics"].keys() & theirs["metrics"].keys()):
        pair = ours["metrics"][name], theirs["metrics"][name]
        comparable = (
            all(entry["status"] == "ok" for entry in pair)
            and info_of(infos, pair[0], name).kind != "clocked"
            and pair[0]["version"] == pair[1]["version"]
            and pair[0]["extractor"] == pair[1]["extractor"]
        )
        if comparable and any(pair[0][key] != pair[1][key] for key in COMPARED):
            found.append(Difference(name, *map(_number, pair)))
    for name in FACTS:
        facts = ours["facts"].get(name), theirs["facts"].get(name)
        if None not in facts and facts[0] != facts[1]:
            found.append(Difference(name, *map(str, facts)))
    return found


def _number(entry: MetricEntry) -> str:
    """Return a value in full precision, so that different values look different."""
    return f"{entry['value']} ({entry['lo']} to {entry['hi']}, n {entry['n']})"


def _gained(ours: Record, theirs: Record) -> dict[str, MetricEntry]:
    """Return the entries of their record that are better than ours: newer, or missing in ours."""
    return {
        name: entry
        for name, entry in theirs["metrics"].items()
        if _rank(entry) > _rank(ours["metrics"].get(name))
    }


def _rank(entry: MetricEntry | None) -> tuple[bool, int, bool]:
    if entry is None:
        return (False, -1, False)
    return (entry["status"] != "failed", entry["version"], entry["status"] == "ok")


def _united(ours: Record, theirs: Record, gained: dict[str, MetricEntry]) -> Record:
    """Return a record with the better entry of each metric, and the facts that belong to it."""
    families = {entry.get("family") for entry in gained.values()}
    timings = {f"score:{family}" for family in families}
    united = ours.copy()
    united["metrics"] = ours["metrics"] | gained
    united["sources"] = ours["sources"] | _only(theirs["sources"], families)
    united["timings"] = ours["timings"] | _only(theirs["timings"], timings)
    return united


def _only(values: Mapping[str, Any], names: set[Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _source(path: Path, target: Store) -> Store:
    store = Store(path.resolve())
    if not path.is_dir():
        raise UserError(f"cannot merge {path}: no such folder")
    if store.root == target.root:
        raise UserError(f"cannot merge {path} into itself: name another folder with --into")
    if not any((path / "records").glob("*.json")):
        raise UserError(f"cannot merge {path}: it has no records")
    return store


def _readable(store: Store, damaged: list[Damaged]) -> dict[str, Record]:
    """Return the records of a folder by file name, and append damaged ones to the list."""
    records = {}
    for path in sorted((store.root / "records").glob("*.json")):
        record = read_record(path)
        if not isinstance(record, Damaged) and record["id"] != hash_of(record["identity"]):
            record = Damaged(path, "its id is not that of its identity")
        if isinstance(record, Damaged):
            damaged.append(record)
        else:
            records[path.stem] = record
    return records


def _files(step: Step, target: Store) -> list[tuple[Path, Path]]:
    """Return the files to copy with a record, as pairs of source and target."""
    if step.verdict.action is Action.CONFLICT:
        return []
    pairs = [
        (step.source.root / kind / f"{step.stem}{end}", target.root / kind / f"{step.name}{end}")
        for kind, end in (("runs", ""), ("grids", ".png"), ("pictures", ".png"))
    ]
    copies_all = step.verdict.action in (Action.ADD, Action.REPLACE)
    return [
        (here, there)
        for here, there in pairs
        if here.exists() and (copies_all or not there.exists())
    ]


def _apply(step: Step, target: Store) -> None:
    """Carry out a step, which an interrupted merge may have done in part."""
    record = target.root / "records" / f"{step.name}.json"
    try:
        for here, there in _files(step, target):
            _copy(here, there)
        if step.verdict.united is not None:
            write_sealed(record, step.verdict.united)
        elif step.verdict.action in (Action.ADD, Action.REPLACE):
            write_atomically(record, step.record.read_text("utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot copy {step.stem} from {step.source.root} to {target.root} "
            f"({error.strerror or error}): what is merged stays; run the same command again "
            "to merge the rest"
        ) from error


def _copy(here: Path, there: Path) -> None:
    """Copy a file or folder completely or not at all."""
    there.parent.mkdir(parents=True, exist_ok=True)
    new, old = (
        there.with_name(f"{there.name}.{os.getpid()}.{what}.tmp") for what in ("new", "old")
    )
    try:
        if here.is_dir():
            new.mkdir()
        for file in files_in(here):  # copy contents only; the umask sets the modes
            if file.suffix not in (".tmp", ".lock"):
                copy = new / file.relative_to(here)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
        if there.is_dir():
            there.rename(old)
        os.replace(new, there)
    finally:
        for left in (new, old):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _check_space(steps: Sequence[Step], target: Store) -> None:
    megabytes = sum(size_of(here) for step in steps for here, _ in _files(step, target)) / 1e6
    need = Need(target.root, megabytes, f"files of the records {megabytes:.0f} MB")
    require_space([need], "make room (`python -m bench clean`) or name another folder with --into")


def _print_step(console: Console, step: Step, dry_run: bool) -> None:
    """Print a step if users should know of it. In a dry run, print every step with a change."""
    verdict, theirs = step.verdict, step.source.root
    for apart in verdict.differences:
        say(
            console,
            f"conflict: {step.name}: {apart.what} is {apart.ours} in {step.against} "
            f"and {apart.theirs} in {theirs}",
        )
    if verdict.reason or (dry_run and verdict.action is Action.ADD):
        why = f" ({verdict.reason})" if verdict.reason else ""
        say(console, f"{'would ' * dry_run}{verdict.action} {step.name} from {theirs}{why}")


def _print_summary(
    console: Console, stores: Sequence[Store], found: Merge, target: Store, dry_run: bool
) -> None:
    rows = []
    for store in stores:
        count = Counter(step.verdict.action for step in found.steps if step.source is store)
        harmed = sum(damaged.path.parent.parent == store.root for damaged in found.damaged)
        rows.append((str(store.root), *(str(count[action]) for action in Action), str(harmed)))
    heads = ("folder", "added", "replaced", "united", "there already", "conflicts", "left out")
    print_table(console, heads, rows)
    conflicts = sum(step.verdict.action is Action.CONFLICT for step in found.steps)
    if conflicts:
        say(
            console,
            f"conflicts: {conflicts} of {len(found.steps)} records; nothing of theirs was changed: "
            "find out which is right, and remove the other's record",
        )
    say(console, f"{'would merge' if dry_run else 'merged'} into {target.root}")
