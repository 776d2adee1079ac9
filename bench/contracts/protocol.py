"""The version of the protocol: tasks, parts, floors and scores that numbers need to be comparable.

The version is part of the identity of a cell. So results of two versions are different cells, and
they never share a board, a baseline or a forecast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bench.contracts.record import Conditions

CHANGES: Final = {
    1: "aligned default task, three parts (train, probe, test), rows in the order of a mean rank",
    2: "posed default task, a part val, floors and ceilings in every board, rows in the order of "
    "a score from the true results",
}
"""What each version consists of, as far as it differs from the one before."""
PROTOCOL: Final = max(CHANGES)
"""The version that this code follows. Raise it by a new entry in `CHANGES`."""
FIRST: Final = 1
"""The version of an identity that does not name one."""

BoardKey = tuple[str, str, int]
"""What tells boards apart: the profile, the task and the version of the protocol."""


def protocol_of(identity: Conditions) -> int:
    """Return the version of the protocol that an identity belongs to."""
    return identity.get("protocol", FIRST)


def board_key_of(identity: Conditions) -> BoardKey:
    """Return the key of the board that an identity belongs to."""
    return identity["profile"], identity["task"], protocol_of(identity)
