"""Shares the images of two domains out among train, probe and test."""

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
"""Of the images of a domain; the rest trains. What a profile wants of a part is never exceeded."""
MIN_IMAGES = 10
"""Usable images that a domain must have."""
MIN_IN_PART = 2
LIKE_A_PART = re.compile(
    r"(set|data|images?)?"
    r"(tr(ai)?ns?|training|trained|te?sts?|testing|probe?s?|probing|val|valid|validation|eval)"
    r"(set|data|images?)?"
)
"""What is nearly the name of a part, by the letters alone: who calls a folder so means a part."""
MAX_LISTED = 8
"""So many names of sub-folders are listed in a line."""


class Picture(NamedTuple):
    """A picture of a task: its file, the digest of that, and whether its mirror image is meant."""

    path: str
    digest: str
    mirrored: bool = False


@dataclass(frozen=True)
class Item:
    """An image that can be used. group: its sub-folder or person, '' where that plays no part."""

    path: str
    digest: str
    group: str = ""


Domains = Sequence[Sequence[Item]]
Parts = dict[str, list[list[Item]]]
"""For each part the items of each domain."""


def by_hash(domains: Domains, sizes: DataSizes) -> Parts:
    """Share items out in the order of their content's hash, so names and order do not matter."""
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
    return shared


def by_group(domains: Domains) -> Parts:
    """Share groups out in the order of a hash of their names: each is in one part, in all domains.

    Groups go to the test part until it has its share of every domain, then to the probe part.
    """
    members: dict[str, list[list[Item]]] = defaultdict(lambda: [[] for _ in domains])
    for at, items in enumerate(domains):
        for item in items:
            members[item.group][at].append(item)
    shared: Parts = {part: [[] for _ in domains] for part in PARTS}
    wanted = {
        part: [max(MIN_IN_PART, share * len(items)) for items in domains]
        for part, share in SHARES.items()
    }
    for group in sorted(members, key=lambda name: derive("group", name)):
        part = next(
            (
                part
                for part in SHARES
                if any(len(has) < w for has, w in zip(shared[part], wanted[part], strict=True))
            ),
            "train",
        )
        for has, more in zip(shared[part], members[group], strict=True):
            has += more
    return shared


def by_name(domains: Domains) -> Parts:
    """Share groups out that are called after parts."""
    return {
        part: [[item for item in items if item.group == part] for items in domains]
        for part in PARTS
    }


def by_sub_folder(domains: Domains) -> Parts:
    """Share sub-folders out: those that are called after parts as they say, others by their hash.

    Raises:
        UserError: some are called after parts, or nearly so, and these are not all three and alone.
    """
    groups = {item.group for items in domains for item in items}
    if groups == set(PARTS):
        return by_name(domains)
    like_parts = {group for group in groups if _is_like_a_part(group)}
    if not like_parts:
        return by_group(domains)
    names = [*sorted(like_parts), *sorted(groups - like_parts)]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    raise UserError(
        f"--split folder: sub-folders {', '.join(map(path_text, names[:MAX_LISTED]))}{more}: expected "
        f"{', '.join(PARTS)} and no other, or none of these names nor nearly so: rename them "
        "(validation images go to probe)"
    )


def _is_like_a_part(group: str) -> bool:
    return LIKE_A_PART.fullmatch(re.sub(r"[\W\d_]+", "", group.casefold())) is not None


def limit_to(shared: Parts, sizes: DataSizes, what: str) -> Parts:
    """Return at most what is wanted of each part; the items that stay are the first by their hash.

    Probe and test take equally many of each domain, test an even number: its images are pairs.

    Raises:
        UserError: a part has too few.
    """
    found: Parts = {}
    for part, domains in shared.items():
        limits = [min(sizes.of(part), len(items)) for items in domains]
        if part != "train":
            limits = [min(limits)] * len(limits)
        if part == "test":
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
