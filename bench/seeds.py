"""Seeds by role: every random choice of a run is named, so that none depends on another.

The derivation is a hash and not a random generator, so it is the same in every version of every
library and on every machine.
"""

from __future__ import annotations

import hashlib


def derive(*role: object) -> int:
    """Return a 63-bit seed for a role, for example ``derive(seed, "data", domain, epoch)``."""
    text = "\x1f".join(map(str, role))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def uniform(*role: object) -> float:
    """Return a number in [0, 1) that is fixed by its role."""
    return derive(*role) / 2**63
