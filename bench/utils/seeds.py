"""Derives the seed of each random choice from its role, so that the choices are independent.

The seed is a hash of the role. It is the same on every machine and in every version of a library.
"""

from __future__ import annotations

import hashlib
import re

from bench.utils.errors import UserError


def derive(*role: object) -> int:
    """Return a 63-bit seed for a role, for example ``derive(seed, "data", domain, epoch)``."""
    text = "\x1f".join(map(str, role))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def uniform(*role: object) -> float:
    """Return a number in [0, 1) that depends only on the role."""
    return derive(*role) / 2**63


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of `0,1,2` or `0-4`.

    Raises:
        UserError: the text has another form, or there are too many seeds.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        found = _SEEDS.fullmatch(part.strip())
        if found is None:
            raise UserError(
                f"--seeds '{text}': expected whole numbers such as 0,1,2 or 0-4, "
                "of at most 18 digits"
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UserError(f"--seeds '{text}': a range is empty, write the smaller seed first")
        seeds |= dict.fromkeys(range(first, min(last, first + MOST) + 1))
        if len(seeds) > MOST:
            raise UserError(f"--seeds '{text}': more than {MOST} seeds")
    return tuple(seeds)


MOST = 10_000
_SEEDS = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")
