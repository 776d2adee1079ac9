"""Splits the images of two domains into train, val, probe and test."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.contracts.task import PARTS, DataSizes
from bench.tasks.files.decode import path_text
from bench.utils.errors import UserError
from bench.utils.seeds import derive

SHARES = {"test": 0.15, "probe": 0.15}
"""The share of a domain's images for each part, limited by the profile; train and val have the
rest."""
OF_TRAIN = 11
"""Of so many images for train, one goes to val. So val has at most a tenth of what train keeps."""
MIN_IMAGES = 10
"""The least number of usable images of a domain."""
MIN_IN_PART = 2
LIKE_A_PART = re.compile(
    r"(set|data|images?)?"
    r"(tr(ai)?ns?|training|trained|te?sts?|testing|probe?s?|probing|val|valid|validation|eval)"
    r"(set|data|images?)?"
)
"""Names of folders, reduced to letters, that are meant as parts: `training`, `valid`, `testset`."""
MAX_LISTED = 8
"""The most names of sub-folders in a message."""


class Picture(NamedTuple):
    """A picture of a task: its file, the digest of the file, and whether it is mirrored."""

    path: str
    digest: str
    mirrored: bool = False


@dataclass(frozen=True)
class Item:
    """A usable image; its group is its sub-folder or person, or '' where neither matters."""

    path: str
    digest: str
    group: str = ""


Domains = Sequence[Sequence[Item]]
Parts = dict[str, list[list[Item]]]
"""For each part, the items of each domain."""


def by_hash(domains: Domains, sizes: DataSizes) -> Parts:
    """Split items by the hash of their content, so that names and order do not matter."""
    ordered = [sorted(items, key=lambda item: item.digest) for items in domains]
    counts = {
        part: min(sizes.of(part), *(max(MIN_IN_PART, int(share * len(o))) for o in ordered))
        for part, share in SHARES.items()
    }
    shared: Parts = {part: [] for part in PARTS}
    for items in ordered:
        test, probe = counts["test"], counts["test"] + counts["probe"]
        shared["test"].append(items[:test])
        shared["probe"].append(items[test:probe])
        shared["train"].append(items[probe:])
    return _with_val(shared, sizes)


def _with_val(shared: Parts, sizes: DataSizes) -> Parts:
    """Return parts in which val has images of train: those with the lowest hashes of their digests.

    It has equally many of all domains, and no more than the profile asks for.
    """
    fewest = min(map(len, shared["train"]))
    count = max(MIN_IN_PART, min(sizes.val, fewest // OF_TRAIN) // 2 * 2)
    ordered = [
        sorted(items, key=lambda item: derive("val", item.digest)) for items in shared["train"]
    ]
    train, val = ([items[at] for items in ordered] for at in (slice(count, None), slice(count)))
    return shared | {"train": train, "val": val}


def by_group(domains: Domains) -> Parts:
    """Split groups by the hash of their names. A group is in the same part in all domains.

    Groups go to the test part until that has its share of each domain, then to the probe part, then
    to the val part, and then to the train part.
    """
    members: dict[str, list[list[Item]]] = defaultdict(lambda: [[] for _ in domains])
    for at, items in enumerate(domains):
        for item in items:
            members[item.group][at].append(item)
    shared: Parts = {part: [[] for _ in domains] for part in PARTS}
    shares = SHARES | {"val": (1 - sum(SHARES.values())) / OF_TRAIN}
    wanted = {
        part: [max(MIN_IN_PART, share * len(items)) for items in domains]
        for part, share in shares.items()
    }
    for group in sorted(members, key=lambda name: derive("group", name)):
        part = next(
            (
                part
                for part in shares
                if any(len(has) < w for has, w in zip(shared[part], wanted[part], strict=True))
            ),
            "train",
        )
        for has, more in zip(shared[part], members[group], strict=True):
            has += more
    return shared


def by_name(domains: Domains, sizes: DataSizes) -> Parts:
    """Split groups that have the names of parts. Without a group val, train gives images to it."""
    shared = {
        part: [[item for item in items if item.group == part] for items in domains]
        for part in PARTS
    }
    return shared if any(shared["val"]) else _with_val(shared, sizes)


def by_sub_folder(domains: Domains, sizes: DataSizes) -> Parts:
    """Split sub-folders: by their names if these are the parts, else by hash. val may be missing.

    Raises:
        UserError: a sub-folder has or resembles the name of a part, but they are not exactly the
            parts.
    """
    groups = {item.group for items in domains for item in items}
    if groups | {"val"} == set(PARTS):
        return by_name(domains, sizes)
    like_parts = {group for group in groups if _is_like_a_part(group)}
    if not like_parts:
        return by_group(domains)
    names = [*sorted(like_parts), *sorted(groups - like_parts)]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    raise UserError(
        f"--split folder: sub-folders {', '.join(map(path_text, names[:MAX_LISTED]))}{more}: "
        f"expected {', '.join(PARTS)} and no other (val may be missing), or only names that do "
        "not resemble these: rename them"
    )


def _is_like_a_part(group: str) -> bool:
    return LIKE_A_PART.fullmatch(re.sub(r"[\W\d_]+", "", group.casefold())) is not None


def limit_to(shared: Parts, sizes: DataSizes, what: str) -> Parts:
    """Return parts that are cut to the wanted sizes. The items with the lowest hashes stay.

    In val, probe and test all domains have equally many items, in val and test an even number. val
    has at most a tenth of the items of train, but two.

    Args:
        shared: the items of each part.
        sizes: the wanted sizes.
        what: the option that made the parts, with which the message begins.

    Raises:
        UserError: a part has too few.
    """
    found: Parts = {}
    for part, domains in shared.items():
        limits = [min(sizes.of(part), len(items)) for items in domains]
        if part == "val":
            tenth = min(map(len, shared["train"])) // 10
            limits = [min(limit, max(MIN_IN_PART, tenth)) for limit in limits]
        if part != "train":
            limits = [min(limits)] * len(limits)
        if part in ("val", "test"):
            limits = [limit // 2 * 2 for limit in limits]
        if min(limits) < MIN_IN_PART:
            have = " and ".join(str(len(items)) for items in domains)
            raise UserError(
                f"{what}: {have} images of A and B for the part {part}, "
                f"expected at least {MIN_IN_PART} each"
            )
        found[part] = [
            sorted(items, key=lambda item: item.digest)[:limit]
            for items, limit in zip(domains, limits, strict=True)
        ]
    return found
