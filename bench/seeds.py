"""Seeds by role: every random choice of a run is named, so that none depends on another.

The derivation is a hash and not a random generator, so it is the same in every version of every
library and on every machine.
"""

from __future__ import annotations

import hashlib

from bench.errors import UserError


def derive(*role: object) -> int:
    """Return a 63-bit seed for a role, for example ``derive(seed, "data", domain, epoch)``."""
    text = "\x1f".join(map(str, role))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def uniform(*role: object) -> float:
    """Return a number in [0, 1) that is fixed by its role."""
    return derive(*role) / 2**63


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of `0,1,2` or `0-4`.

    Raises:
        UserError: it has another form.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"--seeds '{text}': expected whole numbers such as 0,1,2 or 0-4")
        if dash and int(last) < int(first):
            raise UserError(f"--seeds '{text}': a range is empty, write the smaller seed first")
        if dash and int(last) - int(first) >= 10_000:
            raise UserError(f"--seeds '{text}': more than 10000 seeds")
        seeds += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(seeds))
